"""Credentials as a script's roster names them: the text of a public key, its words, and whether a signature is of that key.

`ed25519:` and 64 hex digits, the key as RFC 8032 encodes it; or `ec:secp256r1:` and 66 hex digits, the compressed point
(SEC 1 section 2.3.3) of a key on a PKCS#11 token.
"""

import contextlib
import itertools
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ceremony.words import sha256_hex, words_of

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

ED25519 = "ed25519:"
EC_P256 = "ec:secp256r1:"

_SHAPES = (re.compile(r"ed25519:[0-9a-f]{64}"), re.compile(r"ec:secp256r1:0[23][0-9a-f]{64}"))
_EXAMPLES = 64


def roster_text(key: PublicKey) -> str:
    """A public key as the roster names it. Raises ValueError for a key of another kind."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ED25519 + key.public_bytes_raw().hex()
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"a key on the curve {key.curve.name}")
    return EC_P256 + key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex()


def roster_text_of_der(public_key_der: bytes) -> str:
    """The same for a key as SPKI, DER. Raises ValueError for a key that can't be read or is of another kind."""
    key = load_der_public_key(public_key_der)
    if not isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise ValueError("a key of another kind")
    return roster_text(key)


def public_key_of(credential: str) -> PublicKey:
    """The key that a roster text names. Raises ValueError, with a text that may be shown."""
    if not any(shape.fullmatch(credential) for shape in _SHAPES):
        raise ValueError("it must be ed25519: and 64 hex digits, or ec:secp256r1: and 66, as `ceremony credential new` prints them")
    octets = bytes.fromhex(credential.rpartition(":")[2])
    if credential.startswith(ED25519):
        return ed25519.Ed25519PublicKey.from_public_bytes(octets)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets)
    except ValueError as wrong:
        raise ValueError("it is no point of the curve secp256r1") from wrong


def words_of_credential(credential: str) -> list[str]:
    """32 words of the SHA-256 of the roster text: what stands on a person's card, and is compared with the script."""
    return words_of(sha256_hex(credential.encode()))


def signature_holds(credential: str, signed: bytes, signature: bytes) -> bool:
    """Whether it is this credential's signature over these bytes: Ed25519 (RFC 8032), or ECDSA with SHA-256 (DER ECDSA-Sig-Value)."""
    try:
        key = public_key_of(credential)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        else:
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def example_credential(number: int) -> str:
    """The credential of a person in a shipped script: a digest, so that nobody holds its private key. From 1."""
    return ED25519 + sha256_hex(f"root-ceremony example credential {number}".encode())


def example_on_token(number: int) -> str:
    """The same for somebody whose key is on a token: the first point of the curve whose x is such a digest. From 1."""
    for turn in itertools.count(1):
        text = f"{EC_P256}02{sha256_hex(f'root-ceremony example credential {number} on a token, {turn}'.encode())}"
        with contextlib.suppress(ValueError):
            public_key_of(text)
            return text
    raise AssertionError("about every second number is the x of a point")


def is_example(credential: str) -> bool:
    """Whether it is one of the shipped scripts' credentials, with which nobody can sign."""
    make = example_on_token if credential.startswith(EC_P256) else example_credential
    return any(credential == make(number) for number in range(1, _EXAMPLES + 1))
