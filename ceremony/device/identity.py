"""What a device shows and proves: its certificate, the chain that it sends with it, and the key. Files are PEM.

Read before anything is sent, so that what cannot work is told as what it is, and not as a failed handshake.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from ceremony.device.hosts import is_loopback
from ceremony.errors import CeremonyError
from ceremony.pki.names import is_rehearsal_name, name_text, shown_text
from ceremony.words import sha256_hex

LARGEST_FILE = 256 << 10
"""A file of certificates or a key is read up to 256 KiB."""

_UNSENT = "Nothing was sent."
_ENCRYPTED = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
# Microsoft's page "Device Provisioning Service concepts": up to 128 letters, digits and - . _ : ending in a letter, a digit or -.
_REGISTRATION_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]")


@dataclass(frozen=True)
class Identity:
    """A device's certificates as they stand in its file, which is how they are sent: its own first. The key fits the first."""

    chain_file: Path
    key_file: Path
    certificates: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The device's own certificate."""
        return self.certificates[0]

    @property
    def leaf_sha256(self) -> str:
        """SHA-256 (hex) of its DER."""
        return sha256_hex(self.leaf.public_bytes(Encoding.DER))

    @property
    def common_names(self) -> list[str]:
        """Each CN of the leaf; there should be one."""
        return [str(attribute.value) for attribute in self.leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]

    @property
    def is_rehearsal(self) -> bool:
        """Whether any name in the chain says REHEARSAL (design, rule 14)."""
        return any(is_rehearsal_name(name) for found in self.certificates for name in (found.subject, found.issuer))


def read_identity(chain_file: Path, key_file: Path, key_pem: bytes, passphrase: bytearray | None) -> Identity:
    """The identity that two files make; `key_pem` is what `read_key_file` gave, `passphrase` what opens it, if anything must.

    Raises CeremonyError DEVICE-FILE, DEVICE-CERTIFICATE-BROKEN, DEVICE-KEY-BROKEN, DEVICE-KEY-DIFFERS, PASSPHRASE-WRONG.
    """
    certificates = read_certificates(chain_file)
    key = _key(key_file, key_pem, passphrase)
    public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _refuse_other_key(chain_file, key_file, [_public_key(found) == public_key for found in certificates])
    return Identity(chain_file, key_file, certificates)


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, in its order, each read to its last extension.

    Raises CeremonyError DEVICE-FILE, DEVICE-CERTIFICATE-BROKEN.
    """
    octets = _read(path)
    try:
        found = x509.load_pem_x509_certificates(octets)
        for certificate in found:
            # cryptography reads these only when asked: what can't be read is told here, once.
            _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.not_valid_after_utc, _public_key(certificate)
    except _UNREADABLE as broken:
        why = "it is DER; PEM is wanted" if octets[:1] == b"\x30" else "it holds no certificate in PEM that can be read"
        what = f"{shown_text(str(path))} is no file of certificates: {why}."
        raise CeremonyError("DEVICE-CERTIFICATE-BROKEN", what, state=_UNSENT) from broken
    return tuple(found)


def read_key_file(path: Path) -> bytes:
    """The bytes of a key file. Raises CeremonyError DEVICE-FILE."""
    return _read(path)


def needs_passphrase(key_pem: bytes) -> bool:
    """Whether this key in PEM is encrypted (PKCS#8, RFC 7468 section 11, or the older form, RFC 1421 section 4.6.1.1)."""
    return any(mark in key_pem for mark in _ENCRYPTED)


def registration_id_of(identity: Identity, given: str | None) -> str:
    """The registration id: the one that is given, else the leaf's CN. Raises CeremonyError DEVICE-ID."""
    names = identity.common_names
    if given is None and len(names) != 1:
        what = f"The device's certificate has {len(names)} CNs, and one is wanted: it is the registration id."
        raise CeremonyError("DEVICE-ID", what, state=_UNSENT)
    wanted = names[0] if given is None else given
    if not _REGISTRATION_ID.fullmatch(wanted):
        raise CeremonyError("DEVICE-ID", f"'{shown_text(wanted)}' is no registration id.", state=_UNSENT)
    return wanted


def is_registration_id(text: str) -> bool:
    """Whether the service could take it: of a device id, which a group makes of it, the same holds."""
    return _REGISTRATION_ID.fullmatch(text) is not None


def refuse_rehearsal_elsewhere(identity: Identity, host: str) -> None:
    """Raises CeremonyError DEVICE-REHEARSAL for what a rehearsal made, unless `host` is this machine (design, rule 14)."""
    if identity.is_rehearsal and not is_loopback(host):
        what = f"A name in {shown_text(str(identity.chain_file))} says REHEARSAL, and {shown_text(host)} is not this machine."
        raise CeremonyError("DEVICE-REHEARSAL", what, state=_UNSENT)


def certificate_name(certificate: x509.Certificate) -> str:
    """Its subject, as it may be shown."""
    return shown_text(name_text(certificate.subject)) or "a certificate without a name"


def _public_key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key(path: Path, key_pem: bytes, passphrase: bytearray | None) -> PrivateKeyTypes:
    encrypted = needs_passphrase(key_pem)
    try:
        return load_pem_private_key(key_pem, passphrase if encrypted else None)  # type: ignore[arg-type]  # it takes a bytearray too
    except (ValueError, TypeError, UnsupportedAlgorithm) as broken:
        name = shown_text(str(path))
        if encrypted:
            raise CeremonyError("PASSPHRASE-WRONG", f"The passphrase does not open {name}.", state=_UNSENT) from broken
        why = "it is DER; PEM is wanted" if key_pem[:1] == b"\x30" else "it holds no private key in PEM that can be read"
        raise CeremonyError("DEVICE-KEY-BROKEN", f"{name} is no key file: {why}.", state=_UNSENT) from broken


def _refuse_other_key(chain_file: Path, key_file: Path, fits: Sequence[bool]) -> None:
    if fits[0]:
        return
    what = f"The key in {shown_text(str(key_file))} is not that of the first certificate in {shown_text(str(chain_file))}"
    if True in fits:
        where = f"it is that of number {fits.index(True) + 1}"
        do_now = "Put the device's own certificate first in the file, then each one's issuer."
        raise CeremonyError("DEVICE-KEY-DIFFERS", f"{what}; {where}.", state=_UNSENT, do_now=do_now)
    raise CeremonyError("DEVICE-KEY-DIFFERS", f"{what}, nor of any other there.", state=_UNSENT)


def _read(path: Path) -> bytes:
    name = shown_text(str(path))
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_FILE + 1)
    except OSError as failed:
        raise CeremonyError("DEVICE-FILE", f"{name} could not be read: {failed.strerror}.", state=_UNSENT) from failed
    if len(octets) > LARGEST_FILE:
        raise CeremonyError("DEVICE-FILE", f"{name} is over {LARGEST_FILE >> 10} KiB.", state=_UNSENT)
    return octets
