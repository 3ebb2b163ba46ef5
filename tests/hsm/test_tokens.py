"""Finding, initialising and logging in to a token: the contract, on SoftHSM."""

import time
from pathlib import Path

import pytest

from hsm.client import Module, Token
from tests.hsm.given import SO_PIN, USER_PIN, initialise, refusal


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


def test_facts_are_plain_json_values(token: Token):
    assert all(isinstance(value, str | int | bool | list | None) for value in token.info().facts().values())


def test_no_token_of_this_name(module: Module, token: Token):
    assert refusal(module.token, serial="0000").code == "TOKEN-NOT-FOUND"
    assert refusal(module.token, label="other").code == "TOKEN-NOT-FOUND"
    assert refusal(module.token, serial=token.info().serial, label="other").code == "TOKEN-NOT-FOUND"


def test_two_tokens_of_one_label_are_ambiguous(module: Module, token: Token):
    initialise(module.token(blank=True), "test")
    assert refusal(module.token, label="test").code == "TOKEN-AMBIGUOUS"
    assert refusal(module.token).code == "TOKEN-AMBIGUOUS"


def test_a_token_that_is_initialised_is_not_initialised_again(token: Token):
    serial = token.info().serial
    assert refusal(initialise, token).code == "TOKEN-NOT-BLANK"
    assert token.info().serial == serial
    assert token.logged_in


def test_an_interrupted_initialisation_can_be_done_again(module: Module, token: Token):
    token.logout()
    initialise(token, "second", again=True)
    assert token.info().label == "second"
    token.login(bytearray(USER_PIN))


def test_again_is_refused_when_an_object_is_visible(token: Token):
    token.generate_key("ec:secp256r1", "root", b"\1")
    token.logout()
    assert refusal(initialise, token, again=True).code == "TOKEN-NOT-BLANK"
    token.login(bytearray(USER_PIN))
    assert token.find_key(b"\1") is not None


@pytest.mark.parametrize("label", ["", "x" * 33, "ø" * 17])
def test_labels_that_do_not_fit(module: Module, label: str):
    assert refusal(initialise, module.token(blank=True), label).code == "TOKEN-LABEL"
    assert not module.tokens()[0].initialised


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


def test_a_pin_of_impossible_length_costs_no_try(token: Token):
    token.logout()
    error = refusal(token.login, bytearray(b"1"))
    assert (error.code, error.costs_a_try) == ("TOKEN-PIN-LENGTH", False)
    assert token.info().pin_tries == "ok"


def test_no_pin_and_no_pad(token: Token):
    assert refusal(token.login, None).code == "TOKEN-PIN-LENGTH"


def test_a_blank_token_has_no_login(module: Module):
    error = refusal(module.token(blank=True).login, bytearray(USER_PIN))
    assert (error.code, error.costs_a_try) == ("TOKEN-BLANK", False)


def test_logging_in_twice_is_no_error(token: Token):
    token.login(bytearray(USER_PIN))
    assert token.logged_in


def test_the_secrets_handed_over_stay_as_they_were(token: Token):
    pin = bytearray(USER_PIN)
    token.login(pin)
    assert pin == USER_PIN, "it is the caller's to wipe"


def test_what_needs_a_login_says_so(token: Token):
    token.logout()
    for call in (
        token.inventory,
        lambda: token.find_key(b"\1"),
        lambda: token.attributes(b"\1"),
        lambda: token.sign(b"\1", "ecdsa-sha384", b""),
        lambda: token.generate_key("ec:secp256r1", "root", b"\1"),
        lambda: token.destroy(b"\1"),
    ):
        assert refusal(call).code == "TOKEN-NOT-LOGGED-IN"
    assert len(token.random(20)) == 20


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


def test_random_bytes_differ(token: Token):
    assert len({token.random(20) for _ in range(5)}) == 5
    assert token.random(1) != b""


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
