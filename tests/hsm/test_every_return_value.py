"""Every return value of PKCS#11 at every function that we call: one of our errors or no harm, and afterwards the token works as before."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hsm.catalogue import CKR, returned
from hsm.client import Module, Token
from hsm.errors import HSM_CODES, TokenError
from tests.hsm.conftest import Faulty
from tests.hsm.given import NEW_PIN, SO_PIN, USER_PIN, initialise, is_running

ALL = os.environ.get("CEREMONY_ALL_CRASHES") == "1"
"""Without it each value comes at one function, and each function gives some of the values."""

ROOT, OTHER = b"\1", b"\2"
_TOLD_OTHERWISE = {
    # python-pkcs11 takes this value for the length of a signature that it did not ask for, and goes on to sign.
    ("C_SignInit", 0x150): "CKR_OPERATION_NOT_INITIALIZED",
    # These say that the token has no such attribute or keeps it to itself: then it must count as one that differs.
    **{("C_GetAttributeValue", value): None for value in (0x006, 0x011, 0x012)},
}
_VALUES = [*CKR, 0x1C3, 0x0FF, 0x300, 0x80000000, 0x80000001, 0xFFFFFFFF]


def _change(token: Token) -> None:
    token.set_pin("user", bytearray(USER_PIN), bytearray(NEW_PIN))
    token.set_pin("user", bytearray(NEW_PIN), bytearray(USER_PIN))


def _login_anew(token: Token) -> None:
    token.logout()
    token.login(bytearray(USER_PIN))


def _initialise_anew(token: Token) -> None:
    # A token that holds something is refused before the module is asked.
    token.destroy(ROOT)
    initialise(token, again=True)


def _as_wanted(token: Token) -> None:
    differs = [name for name, reading in token.attributes(ROOT).items() if reading.verdict == "differs"]
    if differs:
        raise TokenError("KEY-ATTRIBUTE", f"{', '.join(differs)} differ.", state="Nothing was changed.")


CALLS: dict[str, Callable[[Module, Token], object]] = {
    "C_GetSlotList": lambda module, token: module.tokens(),
    "C_GetSlotInfo": lambda module, token: module.tokens(),
    "C_GetTokenInfo": lambda module, token: token.info(),
    "C_GetMechanismList": lambda module, token: _login_anew(token),
    "C_InitToken": lambda module, token: _initialise_anew(token),
    "C_InitPIN": lambda module, token: token.reset_user_pin(bytearray(SO_PIN), bytearray(USER_PIN)),
    "C_SetPIN": lambda module, token: _change(token),
    "C_OpenSession": lambda module, token: _login_anew(token),
    "C_CloseSession": lambda module, token: token.logout(),
    "C_CloseAllSessions": lambda module, token: token.logout(),
    "C_GetSessionInfo": lambda module, token: token.inventory(),
    "C_Login": lambda module, token: _login_anew(token),
    "C_Logout": lambda module, token: token.logout(),
    "C_DestroyObject": lambda module, token: token.destroy(ROOT),
    "C_GetAttributeValue": lambda module, token: _as_wanted(token),
    "C_FindObjectsInit": lambda module, token: token.inventory(),
    "C_FindObjects": lambda module, token: token.inventory(),
    "C_FindObjectsFinal": lambda module, token: token.inventory(),
    "C_SignInit": lambda module, token: token.sign(ROOT, "ecdsa-sha256", b"x"),
    "C_Sign": lambda module, token: token.sign(ROOT, "ecdsa-sha256", b"x"),
    "C_GenerateKeyPair": lambda module, token: token.generate_key("ec:secp256r1", "other", OTHER),
    "C_GenerateRandom": lambda module, token: token.random(20),
}
_HARMLESS = {"C_CloseSession", "C_CloseAllSessions", "C_Logout", "C_GetSessionInfo", "C_GetSlotInfo"}
"""What is not asked for, or only on the way out: an error there changes nothing that anybody is told of."""


def test_all_that_can_err_is_called() -> None:
    """The hooks of the module in C are the functions of the table, but for the two of its start."""
    source = Path(__file__).with_name("fault_module.c").read_text()
    assert set(re.findall(r"mine\.f\[\d+\] = (C_\w+);", source)) == {*CALLS, "C_Initialize", "C_GetInfo"}


@pytest.mark.parametrize("function", CALLS)
def test_each_value_is_told_as_one_of_ours_and_the_token_works_again(faulty: Faulty, function: str) -> None:
    module = faulty.module
    token = module.token(blank=True)
    initialise(token)
    place = list(CALLS).index(function)
    values = _VALUES if ALL else [value for number, value in enumerate(_VALUES) if number % len(CALLS) == place]
    for value in values:
        _ready(token)
        faulty.err(f"{function} rv {value:#x}")
        try:
            CALLS[function](module, token)
        except TokenError as error:
            assert error.code in HSM_CODES, hex(value)
            name = _TOLD_OTHERWISE.get((function, value), returned(value).name)
            assert error.ckr == name or function in _HARMLESS, f"{hex(value)}: {error.ckr}"
            assert error.state or error.do_now
        else:
            assert function in _HARMLESS, f"{function} gave {value:#x}, and nobody was told"
        assert is_running(module.process_id), hex(value)
        faulty.err()
        _ready(token)
        assert token.sign(ROOT, "ecdsa-sha256", b"x").signature


def _ready(token: Token) -> None:
    """Logged in, with one key."""
    token.logout()
    token.login(bytearray(USER_PIN))
    if token.find_key(ROOT) is None:
        token.generate_key("ec:secp256r1", "root", ROOT)
    if token.find_key(OTHER) is not None:
        token.destroy(OTHER)
