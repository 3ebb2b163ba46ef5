"""What holds for the token and its PINs on every module: finding it, making it ours, proving and changing both PINs."""

import pytest

from hsm.client import Module, Token
from hsm.facts import TokenAbilities
from tests.hsm.given import NEW_PIN, SO_PIN, USER_PIN, WRONG_PIN, initialise, refusal
from tests.hsm.stands import Stand


def pin(octets: bytes) -> bytearray:
    return bytearray(octets)


@pytest.fixture
def module(stand: Stand):
    with stand.start() as started:
        yield started


@pytest.fixture
def token(stand: Stand, module: Module) -> Token:
    """Initialised, nobody logged in."""
    return stand.token(module)


@pytest.fixture
def can(token: Token) -> TokenAbilities:
    return token.abilities()


def blank(stand: Stand, module: Module) -> Token:
    if stand.made_ready:
        pytest.skip("its vendor's tool makes it ready")
    return module.token(blank=True)


def test_module_and_token_say_who_they_are_in_plain_values(stand: Stand, module: Module, token: Token):
    assert module.info.path == str(stand.module.resolve())
    info = token.info()
    assert info.software, "a rehearsal must be able to tell"
    assert info.profile != "strict"
    assert (info.initialised, info.user_pin_set, info.pin_tries, info.so_pin_tries) == (True, True, "ok", "ok")
    assert all(isinstance(value, str | int | bool | list | None) for value in (*info.facts().values(), *module.info.facts().values()))
    assert len({token.random(20) for _ in range(5)}) == 5


def test_it_is_found_by_serial_and_label_and_by_no_other(module: Module, token: Token):
    info = token.info()
    for serial, label in ((info.serial, None), (None, info.label), (info.serial, info.label), (None, None)):
        assert module.token(serial=serial, label=label).info() == info
    for serial, label in (("nobody's", None), (None, "other"), (info.serial, "other")):
        assert refusal(module.token, serial=serial, label=label).code == "TOKEN-NOT-FOUND"


def test_a_blank_token_is_made_ours_once(stand: Stand, module: Module):
    token = blank(stand, module)
    assert not token.info().initialised
    assert refusal(token.login, pin(USER_PIN)).code == "TOKEN-BLANK"
    initialise(token, "root token")
    assert token.info().label == "root token"
    assert refusal(initialise, token).code == "TOKEN-NOT-BLANK"
    token.login_so(pin(SO_PIN))
    token.login(pin(USER_PIN))
    assert token.inventory() == []


def test_what_its_vendors_tool_does_is_left_to_it(stand: Stand, module: Module, token: Token, can: TokenAbilities):
    if not can.initialisation:
        pytest.skip("it is made ready by us")
    before = token.info()
    assert refusal(initialise, token, again=True).code == "MECHANISM-MISSING"
    assert token.info() == before
    token.login(pin(USER_PIN))


def test_an_interrupted_initialisation_is_done_again_while_nothing_is_visible(stand: Stand, module: Module):
    token = blank(stand, module)
    initialise(token)
    if token.abilities().second_initialisation:
        assert refusal(initialise, token, "second", again=True).code == "MECHANISM-MISSING"
        token.login_so(pin(SO_PIN))
        return
    initialise(token, "second", again=True)
    assert token.info().label == "second"
    token.login(pin(USER_PIN))
    key = next((name for name, why in token.abilities().keys.items() if not why), None)
    if key:
        token.generate_key(key, "root", b"\1")
        token.logout()
        assert refusal(initialise, token, again=True).code == "TOKEN-NOT-BLANK"
        token.login(pin(USER_PIN))
        assert token.find_key(b"\1") is not None


def test_labels_and_pins_that_do_not_fit_are_refused_before_the_token_is_touched(stand: Stand, module: Module):
    token = blank(stand, module)
    for label in ("", "x" * 33, "ø" * 17):
        assert refusal(initialise, token, label).code == "TOKEN-LABEL"
    info = token.info()
    too_long = b"x" * (info.longest_pin + 1)
    for so_pin, user_pin in ((too_long, USER_PIN), (SO_PIN, too_long)):
        assert refusal(token.initialise, "test", pin(so_pin), pin(user_pin)).code == "TOKEN-PIN-LENGTH"
    assert token.info() == info


def test_a_wrong_pin_costs_a_try_and_one_that_cannot_be_right_costs_none(token: Token):
    impossible = b"x" * (token.info().longest_pin + 1)
    error = refusal(token.login, pin(impossible))
    assert (error.code, error.costs_a_try, token.info().pin_tries) == ("TOKEN-PIN-LENGTH", False, "ok")
    error = refusal(token.login, pin(WRONG_PIN))
    assert (error.code, error.costs_a_try) == ("TOKEN-PIN-WRONG", True)
    assert not token.logged_in
    token.login(pin(USER_PIN))
    token.login(pin(USER_PIN))
    assert token.info().pin_tries == "ok"


def test_it_locks_when_its_profile_says_and_the_so_pin_opens_it(token: Token):
    tries = token.info().locks_after
    if tries is None:
        pytest.skip("it does not lock, or is not known to")
    for number in range(tries):
        assert token.info().pin_tries != "locked"
        assert refusal(token.login, pin(WRONG_PIN), last_try_too=number + 1 == tries).code in ("TOKEN-PIN-WRONG", "TOKEN-PIN-LOCKED")
    assert token.info().pin_tries == "locked"
    assert refusal(token.login, pin(USER_PIN)).code == "TOKEN-PIN-LOCKED"
    token.reset_user_pin(pin(SO_PIN), pin(NEW_PIN))
    token.login(pin(NEW_PIN))


def test_what_needs_a_login_says_so(token: Token):
    for call in (
        token.inventory,
        lambda: token.find_key(b"\1"),
        lambda: token.attributes(b"\1"),
        lambda: token.sign(b"\1", "ecdsa-sha384", b""),
        lambda: token.generate_key("ec:secp256r1", "root", b"\1"),
        lambda: token.destroy(b"\1"),
    ):
        assert refusal(call).code == "TOKEN-NOT-LOGGED-IN"


def test_a_user_changes_the_pin_by_the_old_one(token: Token, can: TokenAbilities):
    assert can.pin_change == ""
    error = refusal(token.set_pin, "user", pin(WRONG_PIN), pin(NEW_PIN))
    assert (error.code, error.costs_a_try, error.outcome_unknown) == ("TOKEN-PIN-WRONG", True, False)
    token.set_pin("user", pin(USER_PIN), pin(NEW_PIN))
    assert not token.logged_in
    assert refusal(token.login, pin(USER_PIN)).code == "TOKEN-PIN-WRONG"
    token.login(pin(NEW_PIN))


# No more than two wrong tries in one test: a TPM counts those of both PINs together, and none of them is forgiven.


def test_the_security_officer_has_a_pin_of_their_own(token: Token, can: TokenAbilities):
    calls = (
        lambda so: token.login_so(pin(so)),
        lambda so: token.set_pin("so", pin(so), pin(NEW_PIN)),
        lambda so: token.reset_user_pin(pin(so), pin(NEW_PIN)),
    )
    if can.so_pin:
        assert {refusal(call, SO_PIN).code for call in calls} == {"MECHANISM-MISSING"}
        token.login(pin(USER_PIN))
        return
    token.login_so(pin(SO_PIN))
    assert not token.logged_in
    error = refusal(token.login_so, pin(WRONG_PIN))
    assert (error.code, error.costs_a_try, error.outcome_unknown) == ("TOKEN-PIN-WRONG", True, False)
    token.login(pin(USER_PIN))
    token.set_pin("so", pin(SO_PIN), pin(NEW_PIN))
    assert refusal(token.login_so, pin(SO_PIN)).code == "TOKEN-PIN-WRONG"
    token.login_so(pin(NEW_PIN))


def test_the_security_officer_sets_the_users_pin(token: Token, can: TokenAbilities):
    if can.so_pin:
        pytest.skip(can.so_pin)
    assert refusal(token.reset_user_pin, pin(WRONG_PIN), pin(NEW_PIN)).code == "TOKEN-PIN-WRONG"
    token.reset_user_pin(pin(SO_PIN), pin(NEW_PIN))
    assert not token.logged_in
    assert refusal(token.login, pin(USER_PIN)).code == "TOKEN-PIN-WRONG"
    token.login(pin(NEW_PIN))
