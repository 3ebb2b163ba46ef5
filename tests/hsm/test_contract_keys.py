"""What holds for keys on every module (rule 1): made on the token, sign-only, every attribute read back; signatures that others verify."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.client import Module, Token
from hsm.facts import GeneratedKey
from hsm.keys import KINDS
from tests.hsm.given import USER_PIN, refusal
from tests.hsm.stands import Stand
from tests.hsm.verifying import scheme, verify


@pytest.fixture
def module(stand: Stand) -> Iterator[Module]:
    with stand.start() as started:
        yield started


@pytest.fixture
def token(stand: Stand, module: Module) -> Token:
    """An empty token, logged in to."""
    token = stand.token(module)
    token.login(bytearray(USER_PIN))
    return token


@pytest.fixture
def quick(token: Token) -> str:
    """The kind of key that this token makes fastest."""
    return next((key for key, why in token.abilities().keys.items() if not why), "") or pytest.skip("it makes no key that we would use")


@pytest.fixture
def made(token: Token, quick: str) -> GeneratedKey:
    return token.generate_key(quick, "root", b"\1")


@pytest.mark.parametrize("key", KINDS)
def test_a_key_of_every_kind_signs_by_every_hash_or_is_refused_as_foretold(token: Token, key: str):
    if token.abilities().keys[key]:
        assert refusal(token.generate_key, key, "root", b"\x01\x02").code == "MECHANISM-MISSING"
        assert token.inventory() == []
        return
    made = token.generate_key(key, "root", b"\x01\x02")
    public = serialization.load_der_public_key(made.public_key_der)
    assert isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    size = key.partition(":")[2]
    assert (public.curve.name if isinstance(public, ec.EllipticCurvePublicKey) else str(public.key_size)) == size
    # DER is unique: what another library encodes must be the same bytes
    assert made.public_key_der == public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for hash_name in ("sha256", "sha384", "sha512"):
        algorithm = f"{scheme(key)}-{hash_name}"
        verify(made.public_key_der, algorithm, token.sign(b"\x01\x02", algorithm, b"to be signed").signature, b"to be signed")


def test_every_attribute_is_as_wanted_or_one_that_the_profile_names(token: Token, made: GeneratedKey):
    values = {name: reading.value for name, reading in made.attributes.items()}
    assert {reading.verdict for reading in made.attributes.values()} <= {"as-wanted", "unknown-by-profile"}
    for name in ("TOKEN", "PRIVATE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "SIGN"):
        assert values[name] is True
    for name in ("EXTRACTABLE", "MODIFIABLE", "DECRYPT", "UNWRAP", "DERIVE", "SIGN_RECOVER", "PUBLIC_KEY.PRIVATE", "PUBLIC_KEY.MODIFIABLE"):
        assert values[name] is False
    assert token.attributes(b"\1") == made.attributes


def test_a_label_or_id_already_there_is_refused(token: Token, quick: str, made: GeneratedKey):
    assert refusal(token.generate_key, quick, "root", b"\2").code == "KEY-EXISTS"
    assert refusal(token.generate_key, quick, "other", b"\1").code == "KEY-EXISTS"
    assert len(token.inventory()) == 2


def test_finding_and_destroying(token: Token, quick: str, made: GeneratedKey):
    algorithm = f"{scheme(quick)}-sha384"
    assert token.find_key(b"\2") is None
    found = token.find_key(b"\1")
    assert found is not None
    assert (found.label, found.has_private, found.has_public, found.public_key_der) == ("root", True, True, made.public_key_der)
    kind = quick.partition(":")[0].upper()
    objects = sorted((item.object_class, item.label, item.key_id, item.key_type) for item in token.inventory())
    assert objects == [("PRIVATE_KEY", "root", "01", kind), ("PUBLIC_KEY", "root", "01", kind)]
    token.sign(b"\1", algorithm, b"x")
    token.destroy(b"\1")
    assert token.find_key(b"\1") is None
    assert token.inventory() == []
    assert refusal(token.destroy, b"\1").code == "KEY-NOT-FOUND"
    assert refusal(token.sign, b"\1", algorithm, b"x").code == "KEY-NOT-FOUND"


def test_the_key_is_there_and_signs_when_the_module_is_started_anew(
    stand: Stand, module: Module, token: Token, made: GeneratedKey, quick: str
):
    names = token.info()
    module.close()
    with stand.start() as again:
        token = again.token(serial=names.serial, label=names.label)
        assert refusal(token.inventory).code == "TOKEN-NOT-LOGGED-IN"
        token.login(bytearray(USER_PIN))
        assert token.attributes(b"\1") == made.attributes
        algorithm = f"{scheme(quick)}-sha512"
        verify(made.public_key_der, algorithm, token.sign(b"\1", algorithm, b"x").signature, b"x")


def test_an_algorithm_of_another_kind_of_key(token: Token, quick: str, made: GeneratedKey):
    other = "ecdsa-sha384" if quick.startswith("rsa:") else "rsa-pkcs1-sha384"
    for algorithm in (other, f"{scheme(quick)}-sha1", scheme(quick), ""):
        error = refusal(token.sign, b"\1", algorithm, b"x")
        assert (error.code, error.state) == ("MECHANISM-MISSING", "Nobody is logged in.")
        assert not token.logged_in
        token.login(bytearray(USER_PIN))


def test_messages_large_and_empty_and_many_in_flight(token: Token, quick: str, made: GeneratedKey):
    algorithm = f"{scheme(quick)}-sha384"
    messages = [b"", bytes(1 << 20), *(f"message {number}".encode() for number in range(20))]
    for message, signed in zip(messages, token.sign_many(b"\1", algorithm, messages), strict=True):
        verify(made.public_key_der, algorithm, signed.signature, message)
