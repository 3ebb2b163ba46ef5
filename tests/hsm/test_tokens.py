"""Tokens of SoftHSM, beside what test_contract_tokens.py says of every token."""

import time
from pathlib import Path

import pytest

from hsm.client import Module, Token
from hsm.errors import TokenError
from hsm.softhsm import copy_token, throw_away
from tests.hsm.given import NEW_PIN, SO_PIN, USER_PIN, initialise, refusal, token_logged_in_to


def test_a_module_says_what_it_is(module: Module, softhsm: Path):
    info = module.info
    assert info.path == str(softhsm.resolve())
    assert info.software
    assert info.profile == "softhsm"
    assert info.cryptoki_version == "2.40"
    assert info.facts()["sha256"] == info.sha256


def test_a_blank_token_is_initialised_and_found_by_serial_and_label(module: Module):
    (blank,) = module.tokens()
    assert not blank.initialised
    assert blank.so_pin_tries == "ok", "a blank token has no PIN that could be locked"
    info = module.token(blank=True).initialise("root token", bytearray(SO_PIN), bytearray(USER_PIN))
    assert info.initialised
    assert info.user_pin_set
    assert (info.label, info.pin_tries, info.shortest_pin, info.longest_pin) == ("root token", "ok", 4, 255)
    assert "TOKEN_INITIALIZED" in info.flags
    assert module.token(serial=info.serial).info() == info
    assert module.token(label="root token").info() == info
    assert module.token(serial=info.serial, label="root token").info() == info
    assert module.token().info() == info


def test_two_tokens_of_one_label_are_ambiguous(module: Module, token: Token):
    initialise(module.token(blank=True), "test")
    assert refusal(module.token, label="test").code == "TOKEN-AMBIGUOUS"
    assert refusal(module.token).code == "TOKEN-AMBIGUOUS"


@pytest.mark.parametrize(("so_pin", "user_pin"), [(b"123", USER_PIN), (SO_PIN, b"123"), (SO_PIN, b"x" * 256), (SO_PIN, b"")])
def test_pins_that_do_not_fit_are_refused_before_the_token_is_touched(module: Module, so_pin: bytes, user_pin: bytes):
    error = refusal(module.token(blank=True).initialise, "test", bytearray(so_pin), bytearray(user_pin))
    assert error.code == "TOKEN-PIN-LENGTH"
    assert not module.tokens()[0].initialised


def test_a_wrong_pin_costs_a_try_and_says_what_is_left(token: Token):
    token.logout()
    error = refusal(token.login, bytearray(b"wrong-pin"))
    assert (error.code, error.costs_a_try, error.ckr) == ("TOKEN-PIN-WRONG", True, "CKR_PIN_INCORRECT")
    assert "at least one wrong PIN" in error.state
    assert token.info().pin_tries == "low"
    assert not token.logged_in
    token.login(bytearray(USER_PIN))
    assert token.info().pin_tries == "ok"


def test_no_pin_and_no_pad(token: Token):
    assert refusal(token.login, None).code == "TOKEN-PIN-LENGTH"


def test_the_secrets_handed_over_stay_as_they_were(token: Token):
    pin = bytearray(USER_PIN)
    token.login(pin)
    assert pin == USER_PIN, "it is the caller's to wipe"


def test_an_idle_login_ends_by_itself_and_looking_does_not_keep_it_alive(softhsm: Path, store: dict[str, str]):
    with Module.start(softhsm, store, idle_seconds=0.4) as module:
        token = module.token(blank=True)
        initialise(token)
        token.login(bytearray(USER_PIN))
        for _ in range(3):
            time.sleep(0.2)
            token.inventory()
        for _ in range(8):
            time.sleep(0.1)
            token.info()
        assert not token.logged_in
        assert refusal(token.inventory).code == "TOKEN-LOGIN-EXPIRED"
        token.login(bytearray(USER_PIN))
        assert token.inventory() == []


def test_a_token_that_was_replaced_in_its_slot_is_not_taken_for_the_old_one(module: Module, token: Token):
    other = module.token(serial=token.info().serial)
    token.logout()
    initialise(token, "another", again=True)
    assert refusal(other.info).code == "TOKEN-REMOVED"
    assert refusal(other.login, bytearray(USER_PIN)).code == "TOKEN-REMOVED"


def test_after_close_every_call_says_so(softhsm: Path, store: dict[str, str]):
    module = Module.start(softhsm, store)
    module.close()
    module.close()
    assert refusal(module.tokens).code == "MODULE-CLOSED"


def test_a_token_is_wiped_by_its_so_pin_alone(token: Token):
    token.generate_key("ec:secp256r1", "key", b"\x01")
    assert refusal(token.wipe, "empty", bytearray(USER_PIN)).code == "TOKEN-PIN-WRONG"
    token.login(bytearray(USER_PIN))
    assert token.find_key(b"\x01") is not None, "a wrong SO PIN leaves all as it was"
    wiped = token.wipe("empty", bytearray(SO_PIN))
    assert (wiped.label, wiped.initialised, wiped.user_pin_set) == ("empty", True, False)
    assert refusal(token.login, bytearray(USER_PIN)).code == "TOKEN-NO-PIN"
    token.reset_user_pin(bytearray(SO_PIN), bytearray(NEW_PIN))
    token.login(bytearray(NEW_PIN))
    assert token.inventory() == []


def test_a_copied_token_is_another_with_the_same_key_and_pins(softhsm: Path, tmp_path: Path):
    environment = throw_away(tmp_path / "store")
    with Module.start(softhsm, environment) as module:
        made = token_logged_in_to(module).generate_key("ec:secp384r1", "root", b"\x01")
        (serial,) = (info.serial for info in module.tokens() if info.initialised)
    other = "0123456789abcdef"
    for _ in range(2):
        copy_token(environment, serial, other)
    with Module.start(softhsm, environment) as module:
        assert sorted(info.serial for info in module.tokens() if info.initialised) == sorted((serial, other))
        copy = module.token(serial=other)
        copy.login(bytearray(USER_PIN))
        found = copy.find_key(b"\x01")
        assert found is not None and found.public_key_der == made.public_key_der
        assert copy.attributes(b"\x01") == made.attributes
    with pytest.raises(TokenError):
        copy_token(environment, "fedcba9876543210", "0" * 16)
