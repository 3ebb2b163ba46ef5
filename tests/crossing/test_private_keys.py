"""A private key in any encoding, wrapped in any of the ways in which our files hold data, is found; nothing else is taken for one."""

import base64
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st

from ceremony.canonical import canonical_json
from ceremony.crossing import private_keys
from ceremony.crossing.private_keys import private_key_in, private_keys_in
from tests.crossing.held_ceremony import new_csr, whole_ceremony

KEYS: dict[str, Any] = {
    "rsa-1024": rsa.generate_private_key(65537, 1024),
    "rsa-3072": rsa.generate_private_key(65537, 3072),
    "p-256": ec.generate_private_key(ec.SECP256R1()),
    "p-384": ec.generate_private_key(ec.SECP384R1()),
    "p-521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ed448": ed448.Ed448PrivateKey.generate(),
    "x25519": x25519.X25519PrivateKey.generate(),
    "dsa": dsa.generate_private_key(2048),
}
SECRET = BestAvailableEncryption(b"secret")


def _encodings(name: str) -> dict[str, bytes]:
    key = KEYS[name]
    forms: dict[str, tuple[Encoding, PrivateFormat, KeySerializationEncryption]] = {
        "pkcs8": (Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "encrypted-pkcs8": (Encoding.DER, PrivateFormat.PKCS8, SECRET),
    }
    if not name.startswith(("ed", "x")):
        forms["traditional"] = (Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    if name not in ("ed448", "x25519", "dsa"):
        forms["openssh"] = (Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    encoded = {form: key.private_bytes(*how) for form, how in forms.items()}
    if name.startswith(("rsa", "p-")):
        encoded["pkcs12"] = pkcs12.serialize_key_and_certificates(b"key", key, None, None, SECRET)
    return encoded


ENCODED = {f"{name}-{form}": octets for name in KEYS for form, octets in _encodings(name).items()}
NOISE = secrets.token_bytes(3000)


@pytest.mark.parametrize("which", ENCODED)
def test_a_private_key_is_found_however_it_is_wrapped(which: str) -> None:
    octets = ENCODED[which]
    text = base64.b64encode(octets).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    wrapped = {
        "raw": octets,
        "in noise": NOISE + octets + NOISE,
        "base64": text.encode(),
        "base64 in lines": lines.encode(),
        "base64 in CRLF lines": lines.replace("\n", "\r\n").encode(),
        "base64 for addresses": base64.urlsafe_b64encode(octets),
        "base64 in JSON": json.dumps({"data": lines}).encode(),
        "base64 shifted": b"key=x" + text.encode(),
        "hex": octets.hex().encode(),
        "hex in capitals": b"f" + octets.hex().upper().encode(),
        "hex in JSON": canonical_json({"value": {"hex": octets.hex()}}),
    }
    assert [how for how, found in wrapped.items() if private_key_in(found) is None] == []


@pytest.mark.parametrize(
    "octets",
    [
        KEYS["p-256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().encode("utf-16"),
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
        b"PuTTY-User-Key-File-3: ssh-ed25519",
        b"AGE-SECRET-KEY-1QQQQ",
        b'{"kty":"EC","crv":"P-256","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}',
        canonical_json({"note": json.dumps({"kty": "OKP", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})}),
    ],
)
def test_a_private_key_is_found_by_its_marks(octets: bytes) -> None:
    assert private_key_in(octets)


def test_of_many_files_those_with_a_key_are_named() -> None:
    key = KEYS["p-256"].private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = {f"{number}.csr.pem": new_csr("CN=a", KEYS["p-256"]) for number in range(3)}
    large = b"." * (1 << 16)
    assert private_keys_in(public | {"large": large}) == {}
    hidden = {"in.txt": base64.b64encode(key), "wide.txt": key.hex().encode("utf-16"), "large.txt": large + key}
    assert private_keys_in(public | hidden) == dict.fromkeys(hidden, "a PKCS#8 private key")


def test_keys_made_by_openssl_are_found(tmp_path: Path) -> None:
    commands = (
        ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-outform", "DER"),
        ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER"),
        ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER", "-param_enc", "explicit"),
        ("genpkey", "-algorithm", "RSA"),
        ("genpkey", "-algorithm", "ED25519", "-outform", "DER"),
    )
    for number, command in enumerate(commands):
        path = tmp_path / str(number)
        subprocess.run(["openssl", *command, "-out", str(path)], check=True, capture_output=True)
        assert private_key_in(path.read_bytes()), command


def test_public_files_hold_none(tmp_path: Path) -> None:
    files = whole_ceremony(tmp_path).bundle_files()
    for path, octets in files.items():
        assert private_key_in(octets) is None, path
    for pem in [octets for path, octets in files.items() if path.endswith(".cert.pem")]:
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        assert private_key_in(der) is private_key_in(der.hex().encode()) is None


@pytest.mark.parametrize("name", ["rsa-1024", "rsa-3072", "p-256", "p-384", "p-521"])
def test_requests_and_public_keys_hold_none(name: str) -> None:
    assert private_key_in(new_csr("CN=a", KEYS[name])) is None
    csr = x509.load_pem_x509_csr(new_csr("CN=a", KEYS[name]))
    assert private_key_in(csr.public_bytes(Encoding.DER)) is None


def test_noise_and_prose_hold_none() -> None:
    assert private_key_in(NOISE * 30) is None
    assert private_key_in(base64.b64encode(NOISE)) is None
    assert private_key_in(NOISE.hex().encode()) is None
    assert private_key_in(b"A private key never leaves the token. " * 1000) is None
    assert private_key_in(b"") is None


PIECES = st.lists(
    st.builds(
        lambda text, times: text * times,
        st.sampled_from([b"a", b"n", b"-", b"4", b"\n", b"\\n", b"\\", b" ", b"\0", b"g"]),
        st.integers(1, 60),
    )
)


@given(PIECES.map(b"".join))
def test_to_look_for_runs_first_finds_what_the_patterns_find(octets: bytes) -> None:
    for pattern, letters, least in (
        (private_keys._HEX, private_keys._HEX_LETTERS, 48),
        (private_keys._BASE64, private_keys._BASE64_LETTERS, 16),
    ):
        assert list(private_keys._runs(pattern, octets, letters, least)) == pattern.findall(octets)
