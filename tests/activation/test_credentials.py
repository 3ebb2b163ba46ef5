"""Credentials: their text and words, their files, signatures that openssl takes, and what is no credential."""

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.activation import roster
from ceremony.activation.credential_file import LARGEST_FILE, credential_in, new_credential, sign_with_file
from ceremony.activation.statements import SIGN_OFF, signed_octets
from ceremony.errors import CeremonyError
from ceremony.pki.key_wrapping import Work
from ceremony.words import words_of
from tests.credentials import PASSPHRASE, credential, file_of, private_key

LITTLE = Work(16, 8, 1)


def openssl(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)


def test_the_words_are_those_of_the_digest_of_the_text() -> None:
    text = credential("Eva Lund")
    assert roster.words_of_credential(text) == words_of(sha256(text.encode()).hexdigest())


def test_a_new_file_is_known_by_its_key_and_opens_with_its_passphrase_alone() -> None:
    pem = new_credential(bytearray("æ passphrase".encode()), LITTLE)
    text = credential_in(pem)
    assert text.startswith("ed25519:") and text != credential_in(new_credential(bytearray("æ passphrase".encode()), LITTLE))
    signature = sign_with_file(pem, bytearray("æ passphrase".encode()), b"said")
    assert roster.signature_holds(text, b"said", signature)
    for wrong in ("a passphrase", "", "æ passphrase\n"):
        with pytest.raises(CeremonyError) as refused:
            sign_with_file(pem, bytearray(wrong.encode()), b"said")
        assert refused.value.code == "CREDENTIAL-PASSPHRASE"


def test_openssl_reads_the_file_and_verifies_the_signature(tmp_path: Path) -> None:
    pem = new_credential(bytearray(PASSPHRASE.encode()))
    (tmp_path / "credential.pem").write_bytes(pem)
    octets = signed_octets({"context": SIGN_OFF, "statement": "as-written"}, "0" * 64)
    (tmp_path / "statement").write_bytes(octets)
    (tmp_path / "signature").write_bytes(sign_with_file(pem, bytearray(PASSPHRASE.encode()), octets))
    shown = openssl("pkey", "-in", tmp_path / "credential.pem", "-passin", f"pass:{PASSPHRASE}", "-text", "-noout")
    assert shown.returncode == 0 and b"ED25519" in shown.stdout.upper()
    verify = ("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", tmp_path / "credential.pem", "-sigfile", tmp_path / "signature")
    assert openssl(*verify, "-in", tmp_path / "statement").returncode == 0
    (tmp_path / "statement").write_bytes(octets + b" ")
    assert openssl(*verify, "-in", tmp_path / "statement").returncode != 0


def test_a_credential_on_a_token_signs_with_ecdsa() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    text = roster.roster_text_of_der(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    assert text.startswith("ec:secp256r1:0") and len(text) == len("ec:secp256r1:") + 66
    signature = key.sign(b"said", ec.ECDSA(hashes.SHA256()))
    assert roster.signature_holds(text, b"said", signature)
    assert not roster.signature_holds(text, b"Said", signature)
    assert not roster.signature_holds(text, b"said", key.sign(b"said", ec.ECDSA(hashes.SHA384())))


def test_a_signature_of_another_or_of_something_else_does_not_hold() -> None:
    signature = private_key("Eva Lund").sign(b"said")
    assert roster.signature_holds(credential("Eva Lund"), b"said", signature)
    assert not roster.signature_holds(credential("Ida Moe"), b"said", signature)
    assert not roster.signature_holds(credential("Eva Lund"), b"said", signature[:-1])
    assert not roster.signature_holds(credential("Eva Lund"), b"said", b"")
    assert not roster.signature_holds("ed25519:short", b"said", signature)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ed25519:",
        "ed25519:" + "0" * 63,
        "ed25519:" + "A" * 64,
        "ed25519:" + "0" * 64 + "\n",
        "ec:secp256r1:04" + "0" * 64,
        "ec:secp256r1:02" + "f" * 64,
        "ec:secp384r1:02" + "0" * 64,
        "rsa:" + "0" * 64,
    ],
)
def test_what_is_no_credential_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        roster.public_key_of(text)


def test_a_key_of_another_kind_is_no_credential() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        with pytest.raises(ValueError):
            roster.roster_text_of_der(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\n",
        file_of("Eva Lund").partition(b"-----BEGIN ENCRYPTED")[0],
        b"-----BEGIN ENCRYPTED" + file_of("Eva Lund").partition(b"-----BEGIN ENCRYPTED")[2],
        file_of("Eva Lund") + b" " * LARGEST_FILE,
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        + file_of("Eva Lund"),
    ],
)
def test_what_is_no_credential_file_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError):
        credential_in(pem)


def test_the_examples_are_known_and_nobody_s() -> None:
    on_token = roster.example_on_token(2)
    assert roster.is_example(on_token) and roster.roster_text(roster.public_key_of(on_token)) == on_token
    assert roster.is_example(roster.example_credential(1)) and not roster.is_example(credential("Eva Lund"))
