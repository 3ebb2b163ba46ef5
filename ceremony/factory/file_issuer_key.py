"""The intermediate's private key in memory: out of its file, or come through a pipe to a process that makes certificates."""

from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_private_key

from ceremony.factory.key_file import PrivateKey
from ceremony.pki.signatures import algorithm_for, hash_of


class FileIssuerKey:
    """An `issuer_key.IssuerKey` in this process's memory."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.public_key_der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._algorithm = algorithm_for(self.public_key_der)

    def sign(self, to_be_signed: bytes, algorithm: str) -> bytes:
        """Signs. Raises ValueError for an algorithm that is not this key's."""
        if algorithm != self._algorithm:
            raise ValueError(f"this key does not sign by {algorithm}")
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(to_be_signed, ec.ECDSA(hash_of(algorithm)))
        return self._key.sign(to_be_signed, padding.PKCS1v15(), hash_of(algorithm))

    def pkcs8(self) -> bytearray:
        """The key in the clear (PKCS#8, DER): for the pipe to a worker process and nothing else. The caller wipes it."""
        return bytearray(self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    @classmethod
    def from_pkcs8(cls, pkcs8: bytearray) -> Self:
        """The key that `pkcs8` gave."""
        key = load_der_private_key(pkcs8, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)  # noqa: S101  # it came from such a key
        return cls(key)
