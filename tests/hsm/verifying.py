"""Signatures judged by another library than the token's."""

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HASHES: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def verify(public_key_der: bytes, algorithm: str, signature: bytes, message: bytes) -> None:
    """Raises InvalidSignature."""
    key = serialization.load_der_public_key(public_key_der)
    hash_algorithm = HASHES[algorithm.rpartition("-")[2]]
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(hash_algorithm))
    else:
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(signature, message, padding.PKCS1v15(), hash_algorithm)


def scheme(key: str) -> str:
    """The signature scheme of a kind of key, by its name in a script."""
    return "ecdsa" if key.startswith("ec:") else "rsa-pkcs1"
