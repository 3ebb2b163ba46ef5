"""Keys (rule 1): made on the token, sign-only, every attribute read back; signatures that others verify. On SoftHSM."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hsm.client import Module, Token
from hsm.softhsm import loader_environment
from tests.hsm.given import USER_PIN, refusal, token_logged_in_to

HASHES: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def verify(public_key_der: bytes, algorithm: str, signature: bytes, message: bytes) -> None:
    key = serialization.load_der_public_key(public_key_der)
    hash_algorithm = HASHES[algorithm.rpartition("-")[2]]
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(hash_algorithm))
    else:
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(signature, message, padding.PKCS1v15(), hash_algorithm)


@pytest.mark.parametrize("key", ["ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "rsa:3072", "rsa:4096"])
def test_a_key_of_every_kind_signs_by_every_hash(token: Token, key: str):
    made = token.generate_key(key, "root", b"\x01\x02")
    public = serialization.load_der_public_key(made.public_key_der)
    assert isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    kind, _, size = key.partition(":")
    assert (public.curve.name if isinstance(public, ec.EllipticCurvePublicKey) else str(public.key_size)) == size
    # DER is unique: what another library encodes must be the same bytes
    assert made.public_key_der == public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    scheme = "ecdsa" if kind == "ec" else "rsa-pkcs1"
    for hash_name, octets in (("sha256", "SHA256"), ("sha384", "SHA384"), ("sha512", "SHA512")):
        signed = token.sign(b"\x01\x02", f"{scheme}-{hash_name}", b"to be signed")
        verify(made.public_key_der, f"{scheme}-{hash_name}", signed.signature, b"to be signed")
        assert signed.mechanism == ("CKM_ECDSA" if kind == "ec" else f"CKM_{octets}_RSA_PKCS")


def test_every_attribute_is_read_back_as_wanted(token: Token):
    made = token.generate_key("ec:secp384r1", "root", b"\1")
    values = {name: reading.value for name, reading in made.attributes.items()}
    assert {reading.verdict for reading in made.attributes.values()} == {"as-wanted"}
    for name in ("TOKEN", "PRIVATE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "SIGN"):
        assert values[name] is True
    for name in ("EXTRACTABLE", "MODIFIABLE", "DECRYPT", "UNWRAP", "DERIVE", "SIGN_RECOVER", "PUBLIC_KEY.PRIVATE", "PUBLIC_KEY.MODIFIABLE"):
        assert values[name] is False
    assert values["KEY_GEN_MECHANISM"] == made.mechanism == "CKM_EC_KEY_PAIR_GEN"
    assert made.profile == "softhsm"
    assert token.attributes(b"\1") == made.attributes


def test_facts_of_a_key_are_plain_json_values(token: Token):
    facts = token.generate_key("ec:secp256r1", "root", b"\1").facts()
    assert facts["attributes"]["SIGN"] == {"value": True, "wanted": True, "verdict": "as-wanted"}
    assert facts["key_id"] == "01"


def test_a_label_or_id_already_there_is_refused(token: Token):
    token.generate_key("ec:secp256r1", "root", b"\1")
    assert refusal(token.generate_key, "ec:secp256r1", "root", b"\2").code == "KEY-EXISTS"
    assert refusal(token.generate_key, "ec:secp256r1", "other", b"\1").code == "KEY-EXISTS"
    assert len(token.inventory()) == 2
    token.generate_key("ec:secp256r1", "other", b"\2")


def test_kinds_that_we_do_not_make(token: Token):
    for key in ("rsa:1024", "rsa:2048", "ec:secp224r1", "ed25519", ""):
        assert refusal(token.generate_key, key, "root", b"\1").code == "KEY-UNKNOWN"
    assert token.inventory() == []


def test_finding_and_destroying(token: Token):
    assert token.find_key(b"\1") is None
    made = token.generate_key("ec:secp384r1", "root", b"\1")
    found = token.find_key(b"\1")
    assert found is not None
    assert (found.label, found.has_private, found.has_public, found.public_key_der) == ("root", True, True, made.public_key_der)
    assert [(item.object_class, item.label, item.key_id, item.key_type) for item in token.inventory()] == [
        ("PUBLIC_KEY", "root", "01", "EC"),
        ("PRIVATE_KEY", "root", "01", "EC"),
    ]
    token.sign(b"\1", "ecdsa-sha384", b"x")
    token.destroy(b"\1")
    assert token.find_key(b"\1") is None
    assert token.inventory() == []
    assert refusal(token.destroy, b"\1").code == "KEY-NOT-FOUND"
    assert refusal(token.sign, b"\1", "ecdsa-sha384", b"x").code == "KEY-NOT-FOUND"


WITHOUT_PRIVATE_HALF = """
import sys, pkcs11
with pkcs11.lib(sys.argv[1]).get_token(token_label="test").open(rw=True, user_pin=sys.argv[2]) as session:
    session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=b"\\1").destroy()
"""


def test_half_a_key_as_a_crash_leaves_it_is_found_and_destroyed(softhsm: Path, store: dict[str, str]):
    with Module.start(softhsm, store) as module:
        made = token_logged_in_to(module).generate_key("ec:secp384r1", "root", b"\1")
    command = [sys.executable, "-c", WITHOUT_PRIVATE_HALF, str(softhsm), USER_PIN.decode()]
    subprocess.run(command, env={**store, **loader_environment(softhsm)}, check=True)
    with Module.start(softhsm, store) as module:
        token = module.token(label="test")
        token.login(bytearray(USER_PIN))
        found = token.find_key(b"\1")
        assert found is not None
        assert (found.has_private, found.has_public, found.public_key_der) == (False, True, made.public_key_der)
        assert refusal(token.sign, b"\1", "ecdsa-sha384", b"x").code == "KEY-NOT-FOUND"
        assert refusal(token.attributes, b"\1").code == "KEY-NOT-FOUND"
        assert refusal(token.generate_key, "ec:secp384r1", "root", b"\1").code == "KEY-EXISTS"
        token.destroy(b"\1")
        assert token.inventory() == []


def test_an_algorithm_of_another_kind_of_key(token: Token):
    token.generate_key("ec:secp384r1", "root", b"\1")
    for algorithm in ("rsa-pkcs1-sha384", "ecdsa-sha1", "ecdsa", ""):
        error = refusal(token.sign, b"\1", algorithm, b"x")
        assert (error.code, error.state) == ("MECHANISM-MISSING", "Nobody is logged in.")
        assert not token.logged_in
        token.login(bytearray(USER_PIN))


def test_a_large_message_and_an_empty_one(token: Token):
    made = token.generate_key("ec:secp384r1", "root", b"\1")
    for message in (b"", bytes(1 << 20)):
        verify(made.public_key_der, "ecdsa-sha384", token.sign(b"\1", "ecdsa-sha384", message).signature, message)
