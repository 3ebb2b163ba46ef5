"""A credential in a file on its owner's medium: an Ed25519 key (RFC 8032), PEM.

First a block PUBLIC KEY, so that the file can be known without its passphrase; then a block ENCRYPTED PRIVATE KEY
(see pki.key_wrapping). While it signs, the key is in the clear in this process, and Python can't wipe it.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_pem_public_key

from ceremony.activation.roster import roster_text
from ceremony.errors import CeremonyError
from ceremony.pki.key_wrapping import LABEL, KeyWrapping, Work

LARGEST_FILE = 8192
"""A credential file has at most 8 KiB."""

_ENCRYPTED = f"-----BEGIN {LABEL}-----".encode()


def new_credential(passphrase: bytearray, work: Work | None = None) -> bytes:
    """The file of a new credential. The caller wipes the passphrase."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public + KeyWrapping(passphrase, work).pem(key)


def credential_in(pem: bytes) -> str:
    """The roster text of the credential in a file. Raises ValueError for what is no credential file, saying why."""
    public, encrypted, _ = pem.partition(_ENCRYPTED)
    if len(pem) > LARGEST_FILE or not encrypted:
        raise ValueError("it holds no block ENCRYPTED PRIVATE KEY")
    try:
        key = load_pem_public_key(public)
    except (ValueError, UnsupportedAlgorithm) as broken:
        raise ValueError("it holds no block PUBLIC KEY") from broken
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise ValueError("its key is not Ed25519")
    return roster_text(key)


def sign_with_file(pem: bytes, passphrase: bytearray, octets: bytes) -> bytes:
    """The Ed25519 signature, 64 bytes, over these bytes by the key in the file.

    Raises CeremonyError CREDENTIAL-PASSPHRASE, or CREDENTIAL-BROKEN when the private key is not that of the public one.
    """
    credential = credential_in(pem)
    try:
        encrypted = pem[pem.index(_ENCRYPTED) :]
        key = load_pem_private_key(encrypted, passphrase)  # type: ignore[arg-type]  # the stub says bytes, the library takes any buffer
    except (ValueError, TypeError, UnsupportedAlgorithm) as failed:
        # The library tells a wrong passphrase and a broken file apart by its words alone, and not in each case.
        raise CeremonyError("CREDENTIAL-PASSPHRASE", f"The passphrase does not open the credential {credential}.") from failed
    if not isinstance(key, ed25519.Ed25519PrivateKey) or roster_text(key.public_key()) != credential:
        raise CeremonyError("CREDENTIAL-BROKEN", f"The file's private key is not that of its public key {credential}.")
    return key.sign(octets)
