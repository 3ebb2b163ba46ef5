"""PINs on a module that errs: what is known of a change that failed, and what is not tried at all."""

from collections.abc import Callable

import pytest

from hsm.client import Token
from tests.hsm.conftest import Faulty
from tests.hsm.given import SO_PIN, USER_PIN, is_running, refusal, token_logged_in_to

FINAL_TRY, LOCKED = 0x20000, 0x40000
SO_FINAL_TRY, SO_LOCKED = FINAL_TRY << 4, LOCKED << 4
NEW_PIN = b"new-pin-2"


def change_user_pin(token: Token) -> None:
    token.set_pin("user", bytearray(USER_PIN), bytearray(NEW_PIN))


def change_so_pin(token: Token) -> None:
    token.set_pin("so", bytearray(SO_PIN), bytearray(NEW_PIN))


def reset_user_pin(token: Token) -> None:
    token.reset_user_pin(bytearray(SO_PIN), bytearray(NEW_PIN))


CHANGES = [("C_SetPIN", change_user_pin), ("C_SetPIN", change_so_pin), ("C_InitPIN", reset_user_pin)]
REFUSALS = {0xA1: "TOKEN-PIN-REFUSED", 0xA2: "TOKEN-PIN-LENGTH", 0x50: "TOKEN-CANCELLED", 0xE2: "TOKEN-READ-ONLY"}
FAILURES = {0x30: "TOKEN-FAILED", 0x32: "TOKEN-REMOVED", 0x05: "TOKEN-FAILED", 0x06: "TOKEN-FAILED", 0x80000001: "TOKEN-FAILED"}


@pytest.mark.parametrize(("function", "change"), CHANGES)
def test_a_change_that_the_token_refuses_leaves_the_pin_and_one_that_fails_leaves_it_unknown(
    faulty: Faulty, function: str, change: Callable[[Token], None]
):
    token = token_logged_in_to(faulty.module)
    for value, code in [*REFUSALS.items(), *FAILURES.items()]:
        faulty.err(f"{function} rv {value}")
        error = refusal(change, token)
        assert (error.code, error.outcome_unknown) == (code, value in FAILURES), hex(value)
        assert ("It is not known whether the" in error.state) == (value in FAILURES)
        assert ("PIN is as it was" in error.state) == (value in REFUSALS)
        faulty.err()
        assert not token.logged_in, "nobody stays logged in after a change, nor after a failed one"
    token.login(bytearray(USER_PIN))


@pytest.mark.parametrize(("function", "change"), CHANGES)
def test_a_module_that_dies_in_a_change_leaves_its_outcome_unknown(faulty: Faulty, function: str, change: Callable[[Token], None]):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"{function} crash 0")
    error = refusal(change, token)
    assert (error.code, error.outcome_unknown) == ("MODULE-DIED", True)
    assert not is_running(faulty.module.process_id)


def test_a_module_that_dies_while_the_so_pin_is_proved_has_changed_nothing(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err("C_Login crash 0")
    error = refusal(token.login_so, bytearray(SO_PIN))
    assert (error.code, error.outcome_unknown) == ("MODULE-DIED", False)


SO_CALLS = [lambda token: token.login_so(bytearray(SO_PIN)), change_so_pin, reset_user_pin]


@pytest.mark.parametrize("call", SO_CALLS)
@pytest.mark.parametrize(("flag", "code"), [(SO_FINAL_TRY, "TOKEN-PIN-LAST-TRY"), (SO_LOCKED, "TOKEN-PIN-LOCKED")])
def test_a_security_officer_without_a_try_to_spare_is_not_tried(faulty: Faulty, call: Callable[[Token], None], flag: int, code: str):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GetTokenInfo flags {flag}", "C_Login crash 0")
    error = refusal(call, token)
    assert (error.code, error.costs_a_try) == (code, False)
    assert "SO PIN" in error.what


def test_the_last_try_of_either_pin_is_used_only_on_purpose(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GetTokenInfo flags {FINAL_TRY | SO_FINAL_TRY}")
    assert refusal(change_user_pin, token).code == "TOKEN-PIN-LAST-TRY"
    token.set_pin("user", bytearray(USER_PIN), bytearray(NEW_PIN), last_try_too=True)
    token.login_so(bytearray(SO_PIN), last_try_too=True)
    token.set_pin("so", bytearray(SO_PIN), bytearray(NEW_PIN), last_try_too=True)
    token.reset_user_pin(bytearray(NEW_PIN), bytearray(USER_PIN), last_try_too=True)
    token.login(bytearray(USER_PIN), last_try_too=True)


def test_a_locked_user_pin_is_no_reason_not_to_reset_it(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GetTokenInfo flags {LOCKED}")
    assert refusal(change_user_pin, token).code == "TOKEN-PIN-LOCKED"
    reset_user_pin(token)
    faulty.err()
    token.login(bytearray(NEW_PIN))
