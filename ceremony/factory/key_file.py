"""A private key in an encrypted file: PKCS#8 (RFC 5958) under PBES2 (RFC 8018) with scrypt (RFC 7914) and AES-256-CBC.

The library's own encryption takes no work factor for PKCS#8 and stretches with 2048 rounds of PBKDF2, which is little; so the
key is wrapped here, and read by the library as by any `openssl pkcs8`.
"""

import base64
import os
import textwrap

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.pki.profiles import KeyName
from hsm import der

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 14, 8, 10
"""openssl refuses scrypt over 32 MiB of memory, so N stays at 16 MiB and p makes the work: twice what OWASP's Password Storage
Cheat Sheet asks for at this N."""

_CURVES: dict[str, ec.EllipticCurve] = {"ec:secp256r1": ec.SECP256R1(), "ec:secp384r1": ec.SECP384R1(), "ec:secp521r1": ec.SECP521R1()}
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_SEQUENCE, _OCTET_STRING = 0x30, 0x04
_LABEL = "ENCRYPTED PRIVATE KEY"
"""Of the PEM file (RFC 7468 section 11)."""


def new_key(key_type: KeyName) -> PrivateKey:
    """A new private key, made by the library's generator."""
    if key_type in _CURVES:
        return ec.generate_private_key(_CURVES[key_type])
    return rsa.generate_private_key(65537, int(key_type.removeprefix("rsa:")))


def encrypted_pem(key: PrivateKey, passphrase: bytearray) -> bytes:
    """The key as PEM ENCRYPTED PRIVATE KEY. What Python must hold in the clear while it does so can't be wiped."""
    return KeyWrapping(passphrase).pem(key)


class KeyWrapping:
    """Encrypts keys under one passphrase, stretched once, for many keys in little time.

    They share a salt and have a start (IV) of their own each. Whoever guesses the passphrase of one has them all anyway.
    """

    def __init__(self, passphrase: bytearray) -> None:
        salt = os.urandom(16)
        self._stretched = Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase)
        work = [der.element(_OCTET_STRING, salt), *(der.integer(number) for number in (SCRYPT_N, SCRYPT_R, SCRYPT_P))]
        self._stretching = der.element(_SEQUENCE, _SCRYPT, der.element(_SEQUENCE, *work))

    def pem(self, key: PrivateKey) -> bytes:
        """The key as PEM ENCRYPTED PRIVATE KEY."""
        start = os.urandom(16)
        padder, cipher = PKCS7(128).padder(), Cipher(algorithms.AES(self._stretched), modes.CBC(start)).encryptor()
        clear = padder.update(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())) + padder.finalize()
        encryption = der.element(_SEQUENCE, _AES_256_CBC, der.element(_OCTET_STRING, start))
        algorithm = der.element(_SEQUENCE, _PBES2, der.element(_SEQUENCE, self._stretching, encryption))
        whole = der.element(_SEQUENCE, algorithm, der.element(_OCTET_STRING, cipher.update(clear), cipher.finalize()))
        body = "\n".join(textwrap.wrap(base64.b64encode(whole).decode(), 64))
        return f"-----BEGIN {_LABEL}-----\n{body}\n-----END {_LABEL}-----\n".encode()


def key_of(pem: bytes, passphrase: bytearray) -> PrivateKey:
    """The key of an encrypted PEM file. Raises CeremonyError PASSPHRASE-WRONG, FACTORY-BROKEN for what is no such file."""
    if not pem.startswith(f"-----BEGIN {_LABEL}-----\n".encode()):
        raise CeremonyError("FACTORY-BROKEN", "The key's file is not PEM of one ENCRYPTED PRIVATE KEY.", state="Nothing was changed.")
    try:
        key = load_pem_private_key(pem, passphrase)  # type: ignore[arg-type]  # the stub says bytes, the library takes any buffer
    except (ValueError, TypeError, UnsupportedAlgorithm) as failed:
        # The library tells a wrong passphrase and a broken file apart by its words alone, and not in each case.
        what = f"The key's file can't be opened with this passphrase: {shown_text(str(failed))}."
        raise CeremonyError("PASSPHRASE-WRONG", what, state="Nothing was changed.") from failed
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CeremonyError("FACTORY-BROKEN", "The key's file holds a key of a kind that we do not make.", state="Nothing was changed.")
    return key
