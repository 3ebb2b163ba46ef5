"""A private key encrypted under a passphrase: PKCS#8 (RFC 5958) under PBES2 (RFC 8018) with scrypt (RFC 7914) and AES-256-CBC.

The library's own encryption takes no work factor for PKCS#8 and stretches with 2048 rounds of PBKDF2, which is little; so the
key is wrapped here, and read by the library as by any `openssl pkcs8`.
"""

import base64
import os
import textwrap
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ceremony.pki import der

WrappedKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

LABEL = "ENCRYPTED PRIVATE KEY"
"""Of the PEM block (RFC 7468 section 11)."""


class Work(NamedTuple):
    """What scrypt costs (RFC 7914 section 2): memory 128 * n * r bytes, and that p times over."""

    n: int
    r: int
    p: int


USUAL_WORK = Work(1 << 14, 8, 10)
"""openssl refuses scrypt over 32 MiB of memory, so n stays at 16 MiB and p makes the work: twice what OWASP's Password Storage
Cheat Sheet asks for at this n."""

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_SEQUENCE, _OCTET_STRING = 0x30, 0x04


class KeyWrapping:
    """Encrypts keys under one passphrase, stretched once, for many keys in little time.

    They share a salt and have a start (IV) of their own each. Whoever guesses the passphrase of one has them all anyway.
    """

    def __init__(self, passphrase: bytearray, work: Work | None = None) -> None:
        work = work or USUAL_WORK
        salt = os.urandom(16)
        self._stretched = Scrypt(salt=salt, length=32, n=work.n, r=work.r, p=work.p).derive(passphrase)
        parameters = [der.element(_OCTET_STRING, salt), *map(der.integer, work)]
        self._stretching = der.element(_SEQUENCE, _SCRYPT, der.element(_SEQUENCE, *parameters))

    def pem(self, key: WrappedKey) -> bytes:
        """The key as PEM ENCRYPTED PRIVATE KEY. What Python must hold in the clear while it does so can't be wiped."""
        start = os.urandom(16)
        padder, cipher = PKCS7(128).padder(), Cipher(algorithms.AES(self._stretched), modes.CBC(start)).encryptor()
        clear = padder.update(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())) + padder.finalize()
        encryption = der.element(_SEQUENCE, _AES_256_CBC, der.element(_OCTET_STRING, start))
        algorithm = der.element(_SEQUENCE, _PBES2, der.element(_SEQUENCE, self._stretching, encryption))
        whole = der.element(_SEQUENCE, algorithm, der.element(_OCTET_STRING, cipher.update(clear), cipher.finalize()))
        body = "\n".join(textwrap.wrap(base64.b64encode(whole).decode(), 64))
        return f"-----BEGIN {LABEL}-----\n{body}\n-----END {LABEL}-----\n".encode()
