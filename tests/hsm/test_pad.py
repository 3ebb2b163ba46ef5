"""PINs typed on the token's own pad (CKF_PROTECTED_AUTHENTICATION_PATH): none comes from here, ever. SoftHSM behind a module with a pad."""

from collections.abc import Callable, Sequence

import pytest

from hsm.client import Module, Token
from tests.hsm.conftest import Faulty
from tests.hsm.given import refusal

SO, USER, NEW = "pad so 22222222", "pad user 11111111", "pad new 33333333"


def token_with_pad(faulty: Faulty, module: Module | None = None) -> Token:
    """Initialised on its pad."""
    faulty.err(SO, USER)
    token = (module or faulty.module).token(blank=True)
    assert token.initialise("test", None, None).protected_path
    return token


def test_a_token_is_initialised_proved_and_used_without_a_pin_from_here(faulty: Faulty):
    token = token_with_pad(faulty)
    token.login_so(None)
    token.login(None)
    assert token.generate_key("ec:secp256r1", "root", b"\1").mechanism
    assert token.sign(b"\1", "ecdsa-sha256", b"x").signature
    faulty.err()
    token.logout()
    token.login(bytearray(b"11111111"))


@pytest.mark.parametrize(("who", "old"), [("user", USER), ("so", SO)])
def test_both_pins_are_changed_on_the_pad(faulty: Faulty, who, old: str):
    token = token_with_pad(faulty)
    faulty.err(old, NEW)
    token.set_pin(who, None, None)
    assert not token.logged_in
    log_in: Callable[..., None] = token.login if who == "user" else token.login_so
    faulty.err(old)
    error = refusal(log_in, None)
    assert (error.code, error.costs_a_try) == ("TOKEN-PIN-WRONG", True)
    faulty.err(f"pad {who} 33333333")
    log_in(None)


def test_the_security_officer_sets_a_new_user_pin_on_the_pad(faulty: Faulty):
    token = token_with_pad(faulty)
    faulty.err(SO, "pad user 33333333")
    token.reset_user_pin(None, None)
    token.login(None)
    faulty.err(SO, USER)
    assert refusal(token.login, None).code == "TOKEN-PIN-WRONG"


CHANGES: list[tuple[str, Callable[[Token], None]]] = [
    ("C_SetPIN", lambda token: token.set_pin("user", None, None)),
    ("C_InitPIN", lambda token: token.reset_user_pin(None, None)),
]


@pytest.mark.parametrize(("function", "change"), CHANGES)
def test_a_person_who_cancels_at_the_pad_changes_nothing(faulty: Faulty, function: str, change: Callable[[Token], None]):
    token = token_with_pad(faulty)
    faulty.err(SO, USER, "C_Login rv 0x50")
    error = refusal(token.login, None)
    assert (error.code, error.costs_a_try) == ("TOKEN-CANCELLED", False)
    faulty.err(SO, USER, f"{function} rv 0x50")
    error = refusal(change, token)
    assert (error.code, error.outcome_unknown) == ("TOKEN-CANCELLED", False)
    assert "The user PIN is as it was" in error.state
    faulty.err(SO, USER)
    token.login(None)


@pytest.mark.parametrize(("function", "calls"), [("C_Login", [1]), ("C_SetPIN", [0]), ("C_InitPIN", [1])])
def test_people_at_the_pad_take_their_time(faulty: Faulty, function: str, calls: Sequence[int]):
    module = faulty.start(answer_seconds=0.3)
    token = token_with_pad(faulty, module)
    faulty.err(SO, USER, f"{function} sleep 700")
    for call in calls:
        CHANGES[call][1](token)
    token.login_so(None)


def test_a_pin_from_here_is_refused_by_a_token_with_a_pad_and_not_tried(faulty: Faulty):
    token = token_with_pad(faulty)
    error = refusal(token.login, bytearray(b"11111111"))
    assert (error.ckr, error.costs_a_try) == ("CKR_ARGUMENTS_BAD", False)
    assert token.info().pin_tries == "ok"


def test_an_initialisation_that_stops_at_the_pad_can_be_done_again(faulty: Faulty):
    faulty.err(SO, USER, "C_InitPIN rv 0x50")
    token = faulty.module.token(blank=True)
    error = refusal(token.initialise, "test", None, None)
    assert error.code == "TOKEN-CANCELLED"
    assert "no user PIN yet" in error.state
    faulty.err(SO, USER)
    token = faulty.start().token(label="test")
    assert refusal(token.set_pin, "user", None, None).code == "TOKEN-NO-PIN"
    token.initialise("test", None, None, again=True)
    token.login(None)
