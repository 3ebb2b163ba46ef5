"""A factory's private key in an encrypted file (see pki.key_wrapping), made and read."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ceremony.errors import CeremonyError
from ceremony.pki.key_wrapping import LABEL, KeyWrapping
from ceremony.pki.names import shown_text
from ceremony.pki.profiles import KeyName

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_CURVES: dict[str, ec.EllipticCurve] = {"ec:secp256r1": ec.SECP256R1(), "ec:secp384r1": ec.SECP384R1(), "ec:secp521r1": ec.SECP521R1()}


def new_key(key_type: KeyName) -> PrivateKey:
    """A new private key, made by the library's generator."""
    if key_type in _CURVES:
        return ec.generate_private_key(_CURVES[key_type])
    return rsa.generate_private_key(65537, int(key_type.removeprefix("rsa:")))


def encrypted_pem(key: PrivateKey, passphrase: bytearray) -> bytes:
    """The key as PEM ENCRYPTED PRIVATE KEY."""
    return KeyWrapping(passphrase).pem(key)


def key_of(pem: bytes, passphrase: bytearray) -> PrivateKey:
    """The key of an encrypted PEM file. Raises CeremonyError PASSPHRASE-WRONG, FACTORY-BROKEN for what is no such file."""
    if not pem.startswith(f"-----BEGIN {LABEL}-----\n".encode()):
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
