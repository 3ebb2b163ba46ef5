"""Many signatures with requests in flight: in order, and nothing ambiguous after a failure or when nobody takes the rest."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hsm.client import Token
from hsm.errors import TokenError
from tests.hsm.conftest import Faulty
from tests.hsm.given import USER_PIN, token_logged_in_to

KEY, ALGORITHM = b"\1", "ecdsa-sha256"
MESSAGES = [f"message {number}".encode() for number in range(40)]


def verifier(token: Token) -> Callable[[bytes, bytes], None]:
    """Makes a key; what it gives raises for a signature that is not that of the message."""
    public = load_der_public_key(token.generate_key("ec:secp256r1", "key", KEY).public_key_der)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return lambda message, signature: public.verify(signature, message, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("window", [1, 8, 100])
def test_each_message_gets_its_own_signature(token: Token, window: int) -> None:
    verify = verifier(token)
    made = list(token.sign_many(KEY, ALGORITHM, iter(MESSAGES), window=window))
    assert len(made) == len(MESSAGES)
    for message, signature in zip(MESSAGES, made, strict=True):
        verify(message, signature.signature)
    assert list(token.sign_many(KEY, ALGORITHM, [])) == []


def test_no_more_than_the_window_is_taken_ahead(token: Token) -> None:
    verifier(token)
    taken = 0

    def messages() -> Iterator[bytes]:
        nonlocal taken
        for message in MESSAGES:
            taken += 1
            yield message

    made = token.sign_many(KEY, ALGORITHM, messages(), window=5)
    for number, _ in enumerate(made, 1):
        assert taken <= number + 4


def test_what_nobody_takes_is_not_taken_for_the_next_answer(token: Token) -> None:
    verify = verifier(token)
    assert len(list(islice(token.sign_many(KEY, ALGORITHM, MESSAGES), 3))) == 3
    verify(b"another", token.sign(KEY, ALGORITHM, b"another").signature)
    for message, signature in zip(MESSAGES, token.sign_many(KEY, ALGORITHM, MESSAGES), strict=True):
        verify(message, signature.signature)


def test_the_first_failure_ends_it_and_a_new_login_goes_on(faulty: Faulty) -> None:
    token = token_logged_in_to(faulty.module)
    verify = verifier(token)
    made = token.sign_many(KEY, ALGORITHM, MESSAGES)
    for message, signature in zip(MESSAGES[:10], made, strict=False):
        verify(message, signature.signature)
    faulty.err("C_Sign rv 0x30")
    with pytest.raises(TokenError) as failed:
        list(made)
    assert failed.value.code == "TOKEN-FAILED"
    faulty.err()
    with pytest.raises(TokenError) as failed:
        list(token.sign_many(KEY, ALGORITHM, MESSAGES))
    assert failed.value.code == "TOKEN-NOT-LOGGED-IN"
    token.login(bytearray(USER_PIN))
    for message, signature in zip(MESSAGES, token.sign_many(KEY, ALGORITHM, MESSAGES), strict=True):
        verify(message, signature.signature)


def test_a_module_that_dies_says_that_the_outcome_is_unknown(faulty: Faulty) -> None:
    token = token_logged_in_to(faulty.module)
    verifier(token)
    faulty.err("C_Sign crash 0")
    with pytest.raises(TokenError) as failed:
        list(token.sign_many(KEY, ALGORITHM, MESSAGES))
    assert failed.value.code == "MODULE-DIED" and failed.value.outcome_unknown
    with pytest.raises(TokenError):
        next(token.sign_many(KEY, ALGORITHM, MESSAGES))
