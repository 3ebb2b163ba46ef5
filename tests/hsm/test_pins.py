"""PINs on SoftHSM, beside what test_contract_tokens.py says of every token: what may cost a try, and what must not."""

import pytest

from hsm.client import Module, Token
from tests.hsm.given import NEW_PIN, SO_PIN, USER_PIN, initialise, refusal


def pin(octets: bytes) -> bytearray:
    return bytearray(octets)


def test_a_wrong_so_pin_costs_a_try_of_its_own(token: Token):
    error = refusal(token.login_so, pin(USER_PIN))
    assert (error.code, error.costs_a_try, error.outcome_unknown) == ("TOKEN-PIN-WRONG", True, False)
    assert "SO PIN: at least one wrong PIN" in error.state
    assert (token.info().so_pin_tries, token.info().pin_tries) == ("low", "ok")


@pytest.mark.parametrize("who", ["user", "so"])
def test_a_wrong_old_pin_changes_nothing(token: Token, who):
    error = refusal(token.set_pin, who, pin(b"wrongpin"), pin(NEW_PIN))
    assert (error.code, error.costs_a_try, error.outcome_unknown) == ("TOKEN-PIN-WRONG", True, False)
    assert not token.logged_in
    token.login(pin(USER_PIN))
    token.login_so(pin(SO_PIN))


def test_the_security_officer_sets_the_user_pin_and_the_keys_stay(token: Token):
    made = token.generate_key("ec:secp256r1", "root", b"\1")
    token.reset_user_pin(pin(SO_PIN), pin(NEW_PIN))
    assert not token.logged_in
    assert refusal(token.login, pin(USER_PIN)).code == "TOKEN-PIN-WRONG"
    token.login(pin(NEW_PIN))
    found = token.find_key(b"\1")
    assert found is not None
    assert found.public_key_der == made.public_key_der
    assert token.sign(b"\1", "ecdsa-sha256", b"x").signature


def test_a_new_pin_that_does_not_fit_costs_no_try(token: Token):
    for call in (
        lambda: token.set_pin("user", pin(b"wrongpin"), pin(b"123")),
        lambda: token.set_pin("so", pin(b"wrongpin"), pin(b"x" * 256)),
        lambda: token.reset_user_pin(pin(b"wrongpin"), pin(b"")),
        lambda: token.login_so(pin(b"1")),
    ):
        error = refusal(call)
        assert (error.code, error.costs_a_try) == ("TOKEN-PIN-LENGTH", False)
    assert (token.info().pin_tries, token.info().so_pin_tries) == ("ok", "ok")


def test_a_blank_token_and_one_without_a_pad(module: Module):
    blank = module.token(blank=True)
    for call in (
        lambda: blank.login_so(pin(SO_PIN)),
        lambda: blank.set_pin("so", pin(SO_PIN), pin(NEW_PIN)),
        lambda: blank.reset_user_pin(pin(SO_PIN), pin(NEW_PIN)),
    ):
        assert refusal(call).code == "TOKEN-BLANK"
    assert refusal(blank.initialise, "test", None, None).code == "TOKEN-PIN-LENGTH"
    assert not module.tokens()[0].initialised
    initialise(blank)
    for call in (lambda: blank.login_so(None), lambda: blank.set_pin("user", None, None), lambda: blank.reset_user_pin(None, None)):
        assert refusal(call).code == "TOKEN-PIN-LENGTH"


def test_pins_are_typed_all_here_or_all_on_the_pad(token: Token):
    for call in (lambda: token.set_pin("user", pin(USER_PIN), None), lambda: token.reset_user_pin(None, pin(NEW_PIN))):
        with pytest.raises(ValueError, match="on the token's pad"):
            call()
    token.login(pin(USER_PIN))


def test_the_profile_says_what_pins_a_token_takes(token: Token):
    assert (token.info().pin_alphabet, token.info().locks_after) == ("printable", None)
