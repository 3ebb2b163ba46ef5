"""A module that errs, hangs, dies or lies, on demand."""

import pytest

from tests.hsm.conftest import Faulty
from tests.hsm.given import USER_PIN, initialise, is_running, refusal, token_logged_in_to

FINAL_TRY, LOCKED = 0x20000, 0x40000
PROTECTED_PATH = 0x100
EXTRACTABLE, LOCAL, NEVER_EXTRACTABLE, PUBLIC_PRIVATE, ALWAYS_AUTHENTICATE = 0x162, 0x163, 0x164, 0x2, 0x202
EC_PARAMS, EC_POINT = 0x180, 0x181
ECDSA, SHA384_RSA_PKCS = 0x1041, 0x41


@pytest.mark.parametrize(
    ("value", "code", "outcome_unknown"),
    [
        (0x30, "TOKEN-FAILED", True),
        (0x32, "TOKEN-REMOVED", True),
        (0x05, "TOKEN-FAILED", True),
        (0x06, "TOKEN-FAILED", False),
        (0x50, "TOKEN-CANCELLED", False),
        (0x80000001, "TOKEN-FAILED", False),
    ],
)
def test_a_failed_signing_call_ends_the_login(faulty: Faulty, value: int, code: str, outcome_unknown: bool):
    token = token_logged_in_to(faulty.module)
    token.generate_key("ec:secp256r1", "root", b"\1")
    faulty.err(f"C_Sign rv {value}")
    error = refusal(token.sign, b"\1", "ecdsa-sha256", b"x")
    assert (error.code, error.outcome_unknown) == (code, outcome_unknown)
    assert "Nobody is logged in" in error.state
    faulty.err()
    assert not token.logged_in
    assert refusal(token.sign, b"\1", "ecdsa-sha256", b"x").code == "TOKEN-NOT-LOGGED-IN"
    token.login(bytearray(USER_PIN))
    assert token.sign(b"\1", "ecdsa-sha256", b"x").signature


def test_a_signature_cut_short_is_refused(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    token.generate_key("ec:secp256r1", "root", b"\1")
    faulty.err("C_Sign short 2")
    assert refusal(token.sign, b"\1", "ecdsa-sha256", b"x").code == "SIGNATURE-MALFORMED"


def test_a_hanging_signature_is_an_unknown_outcome_and_ends_the_child(faulty: Faulty):
    module = faulty.start(answer_seconds=0.5)
    token = token_logged_in_to(module)
    token.generate_key("ec:secp256r1", "root", b"\1")
    faulty.err("C_Sign sleep 60000")
    error = refusal(token.sign, b"\1", "ecdsa-sha256", b"x")
    assert (error.code, error.outcome_unknown) == ("MODULE-HANGS", True)
    assert not is_running(module.process_id)
    assert not token.logged_in
    assert refusal(token.info).code == "MODULE-DIED"


def test_looking_that_hangs_is_no_unknown_outcome(faulty: Faulty):
    module = faulty.start(answer_seconds=0.3)
    token = token_logged_in_to(module)
    faulty.err("C_FindObjectsInit sleep 60000")
    error = refusal(token.inventory)
    assert (error.code, error.outcome_unknown) == ("MODULE-HANGS", False)


@pytest.mark.parametrize("function", ["C_Login", "C_GenerateKeyPair", "C_InitToken"])
def test_login_initialisation_and_key_generation_take_their_time(faulty: Faulty, function: str):
    module = faulty.start(answer_seconds=0.3)
    faulty.err(f"{function} sleep 700")
    token = token_logged_in_to(module)
    assert token.generate_key("ec:secp256r1", "root", b"\1").mechanism


@pytest.mark.parametrize("function", ["C_Sign", "C_GenerateKeyPair", "C_DestroyObject"])
def test_a_module_that_dies_is_told_by_its_signal(faulty: Faulty, function: str):
    token = token_logged_in_to(faulty.module)
    token.generate_key("ec:secp256r1", "root", b"\1")
    faulty.err(f"{function} crash 0")
    calls = {
        "C_Sign": lambda: token.sign(b"\1", "ecdsa-sha256", b"x"),
        "C_GenerateKeyPair": lambda: token.generate_key("ec:secp256r1", "other", b"\2"),
        "C_DestroyObject": lambda: token.destroy(b"\1"),
    }
    error = refusal(calls[function])
    assert (error.code, error.outcome_unknown) == ("MODULE-DIED", True)
    assert "SIGSEGV" in error.what
    faulty.err()
    again = faulty.start().token(label="test")
    again.login(bytearray(USER_PIN))
    found = again.find_key(b"\1")
    assert found is not None
    assert found.has_private


def test_a_module_that_dies_at_its_start(faulty: Faulty):
    faulty.err("C_Initialize crash 0")
    error = refusal(faulty.start)
    assert (error.code, error.outcome_unknown) == ("MODULE-DIED", False)
    faulty.err("C_Initialize rv 0x5")
    error = refusal(faulty.start)
    assert (error.code, error.ckr) == ("MODULE-NOT-STARTED", "CKR_GENERAL_ERROR")


def test_what_a_module_writes_or_reads_does_not_reach_the_pipe(faulty: Faulty):
    token = token_logged_in_to(faulty.start(answer_seconds=5))
    faulty.err("C_GenerateRandom noise 0")
    assert len(token.random(20)) == 20


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (f"true {EXTRACTABLE}", "EXTRACTABLE is True"),
        (f"false {LOCAL}", "LOCAL is False"),
        (f"false {NEVER_EXTRACTABLE}", "NEVER_EXTRACTABLE is False"),
        (f"true {PUBLIC_PRIVATE}", "PUBLIC_KEY.PRIVATE is True"),
        (f"true {ALWAYS_AUTHENTICATE}", "ALWAYS_AUTHENTICATE is True"),
    ],
)
def test_a_key_that_is_not_as_wanted_is_refused_and_destroyed(faulty: Faulty, lie: str, said: str):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GetAttributeValue {lie}")
    error = refusal(token.generate_key, "ec:secp256r1", "root", b"\1")
    assert error.code == "KEY-ATTRIBUTE"
    assert said in error.what
    assert error.state == "The key was destroyed again."
    faulty.err()
    assert token.inventory() == []


def test_a_key_that_cannot_be_read_back_is_refused_and_destroyed(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    for attribute in (EC_POINT, EC_PARAMS, EXTRACTABLE):
        faulty.err(f"C_GetAttributeValue fail {attribute}")
        error = refusal(token.generate_key, "ec:secp256r1", "root", b"\1")
        assert (error.code, error.state) == ("KEY-ATTRIBUTE", "The key was destroyed again.")
        faulty.err()
        assert token.inventory() == []


def test_a_key_that_is_not_as_wanted_and_cannot_be_destroyed_is_told(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GetAttributeValue true {EXTRACTABLE}", "C_DestroyObject rv 0x1b")
    error = refusal(token.generate_key, "ec:secp256r1", "root", b"\1")
    assert error.code == "KEY-ATTRIBUTE"
    assert "still on the token" in error.state


def test_a_key_found_later_says_where_it_differs(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    token.generate_key("ec:secp256r1", "root", b"\1")
    faulty.err(f"C_GetAttributeValue true {EXTRACTABLE}")
    reading = token.attributes(b"\1")["EXTRACTABLE"]
    assert (reading.value, reading.wanted, reading.verdict) == (True, False, "differs")


@pytest.mark.parametrize(
    ("value", "code"), [(0x31, "TOKEN-FULL"), (0x6, "TOKEN-FAILED"), (0x140, "MECHANISM-MISSING"), (0x13, "KEY-ATTRIBUTE")]
)
def test_key_generation_that_fails_leaves_nothing_and_can_be_done_again(faulty: Faulty, value: int, code: str):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GenerateKeyPair rv {value}")
    assert refusal(token.generate_key, "ec:secp256r1", "root", b"\1").code == code
    faulty.err()
    assert token.inventory() == []
    assert token.generate_key("ec:secp256r1", "root", b"\1").label == "root"


def test_mechanisms_that_are_missing(faulty: Faulty):
    faulty.err(f"C_GetMechanismList without {ECDSA}")
    token = token_logged_in_to(faulty.module)
    token.generate_key("ec:secp256r1", "root", b"\1")
    assert refusal(token.sign, b"\1", "ecdsa-sha256", b"x").code == "MECHANISM-MISSING"
    faulty.err("C_GetMechanismList without 0x1040")
    token.login(bytearray(USER_PIN))
    assert refusal(token.generate_key, "ec:secp256r1", "other", b"\2").code == "MECHANISM-MISSING"


def test_rsa_falls_back_to_the_raw_mechanism(faulty: Faulty):
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    faulty.err(f"C_GetMechanismList without {SHA384_RSA_PKCS}")
    token = token_logged_in_to(faulty.module)
    public = serialization.load_der_public_key(token.generate_key("rsa:3072", "root", b"\1").public_key_der)
    assert isinstance(public, rsa.RSAPublicKey)
    signed = token.sign(b"\1", "rsa-pkcs1-sha384", b"to be signed")
    assert signed.mechanism == "CKM_RSA_PKCS"
    public.verify(signed.signature, b"to be signed", padding.PKCS1v15(), hashes.SHA384())


def test_two_tokens_of_one_serial_are_ambiguous(faulty: Faulty):
    initialise(faulty.module.token(blank=True), "one")
    initialise(faulty.module.token(blank=True), "two")
    faulty.err("C_GetTokenInfo serial 7")
    error = refusal(faulty.module.token, serial="7" * 16)
    assert error.code == "TOKEN-AMBIGUOUS"
    assert "2 tokens" in error.what, "the blank one has the serial too, and is not asked for"
    assert faulty.module.token(serial="7" * 16, label="two").info().label == "two"


def test_the_last_try_is_not_used_unless_told_to(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    token.logout()
    faulty.err(f"C_GetTokenInfo flags {FINAL_TRY}")
    assert token.info().pin_tries == "final"
    error = refusal(token.login, bytearray(USER_PIN))
    assert (error.code, error.costs_a_try) == ("TOKEN-PIN-LAST-TRY", False)
    token.login(bytearray(USER_PIN), last_try_too=True)
    assert token.logged_in


def test_a_locked_pin_is_not_tried(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    token.logout()
    faulty.err(f"C_GetTokenInfo flags {LOCKED}", "C_Login crash 0")
    error = refusal(token.login, bytearray(USER_PIN), last_try_too=True)
    assert (error.code, error.costs_a_try) == ("TOKEN-PIN-LOCKED", False)


def test_a_security_officer_without_a_try_to_spare(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err(f"C_GetTokenInfo flags {LOCKED << 4}", "C_InitToken crash 0")
    assert refusal(initialise, token, again=True).code == "TOKEN-PIN-LOCKED"
    faulty.err(f"C_GetTokenInfo flags {FINAL_TRY << 4}", "C_InitToken crash 0")
    assert refusal(initialise, token, again=True).code == "TOKEN-PIN-LAST-TRY"


def test_a_pin_pad_gets_no_pin(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    token.logout()
    faulty.err(f"C_GetTokenInfo flags {PROTECTED_PATH}")
    assert token.info().protected_path
    # SoftHSM has no pad and refuses the missing PIN: that it came through as missing is what counts
    assert refusal(token.login, None).ckr == "CKR_ARGUMENTS_BAD"


def test_an_initialisation_that_stops_half_way_says_so_and_can_be_done_again(faulty: Faulty):
    token = faulty.module.token(blank=True)
    faulty.err("C_InitPIN rv 0x30")
    error = refusal(initialise, token)
    assert (error.code, error.outcome_unknown) == ("TOKEN-FAILED", True)
    assert "no user PIN yet" in error.state
    faulty.err()
    token = faulty.start().token(label="test")
    assert refusal(token.login, bytearray(USER_PIN)).code == "TOKEN-NO-PIN"
    assert refusal(initialise, token).code == "TOKEN-NOT-BLANK"
    initialise(token, again=True)
    token.login(bytearray(USER_PIN))


def test_a_broken_session_is_dropped_and_a_new_login_helps(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err("C_FindObjectsInit rv 0xb3")
    error = refusal(token.inventory)
    assert error.code == "TOKEN-REMOVED", error.what
    faulty.err()
    assert not token.logged_in
    token.login(bytearray(USER_PIN))
    assert token.inventory() == []
