"""Which algorithm a key signs with, and whether a signature holds. Names are those of the record: `ecdsa-sha384`, `rsa-pkcs1-sha384`."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

IssuerPublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
IssuerHash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

_HASHES: dict[str, type[IssuerHash]] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
_OF_CURVE = {"secp256r1": "ecdsa-sha256", "secp384r1": "ecdsa-sha384", "secp521r1": "ecdsa-sha512"}
_OF_RSA = "rsa-pkcs1-sha384"


def issuer_key(public_key_der: bytes) -> IssuerPublicKey:
    """A public key (SPKI, DER) that may sign certificates. Raises ValueError for any other."""
    return _issuer_key(public_key_der)


# Of a thousand certificates each is held against the same issuer's key, and its own is asked for several times.
@lru_cache(maxsize=64)
def _issuer_key(public_key_der: bytes) -> IssuerPublicKey:
    try:
        key = load_der_public_key(public_key_der)
    except UnsupportedAlgorithm as unknown:
        raise ValueError(str(unknown)) from unknown
    if isinstance(key, rsa.RSAPublicKey) or (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _OF_CURVE):
        return key
    raise ValueError("a key of this kind signs no certificates here")


def algorithm_for(public_key_der: bytes) -> str:
    """The algorithm this key (SPKI, DER) signs with; the hash is as strong as the curve (RFC 5480 section 4). Raises ValueError."""
    return _algorithm_of(issuer_key(public_key_der))


def _algorithm_of(key: IssuerPublicKey) -> str:
    return _OF_RSA if isinstance(key, rsa.RSAPublicKey) else _OF_CURVE[key.curve.name]


def algorithm_of(key_name: str) -> str:
    """The same for a kind of key as the script names it: `ec:secp384r1`, `rsa:4096`."""
    kind, _, curve = key_name.partition(":")
    return _OF_RSA if kind == "rsa" else _OF_CURVE[curve]


def hash_of(algorithm: str) -> IssuerHash:
    """The hash of an algorithm's name."""
    return _HASHES[algorithm.rpartition("-")[2]]()


def signature_holds(public_key_der: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (DER ECDSA-Sig-Value, or the RSA block) is this key's (SPKI, DER) over `message`, by `algorithm_for` it.

    Raises ValueError for a key that signs no certificates.
    """
    return is_signed_by(issuer_key(public_key_der), message, signature)


def is_signed_by(key: IssuerPublicKey, message: bytes, signature: bytes) -> bool:
    """The same for a key that was read before."""
    hashed = hash_of(_algorithm_of(key))
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashed)
        else:
            key.verify(signature, message, ec.ECDSA(hashed))
    except InvalidSignature:
        return False
    return True
