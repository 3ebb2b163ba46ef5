"""The certificate of a device: what is signed, and the certificate around it, ten thousand times the same way.

It is of a fixed profile: not a CA, digitalSignature, clientAuth, CN = registration id (Azure, "X.509 certificate attestation").
What no two devices share is put in its place here, because the library's builder makes all of it anew each time;
`problems_with` compares the result with what the library makes of the same profile.
"""

import datetime as dt
import hashlib
import os
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ceremony.errors import CeremonyError
from ceremony.pki.certificates import problems_with_certificate
from ceremony.pki.profiles import CertificateProfile
from ceremony.pki.signatures import algorithm_for, is_signed_by, issuer_key
from hsm.der import element, integer

DEVICE_KEYS = ("ec:secp256r1", "ec:secp384r1", "rsa:2048")
"""Keys of devices that are taken; RSA from that size up. The service's TLS knows no P-521 and no Ed25519 (Azure, "TLS support")."""

_SEQUENCE, _SET, _BIT_STRING, _OCTET_STRING, _UTF8_STRING, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x31, 0x03, 0x04, 0x0C, 0x17, 0x18
_SERIAL_OCTETS: Final = 20
_NO_UNUSED_BITS = b"\0"

# RFC 5758 section 3.2 and RFC 4055 section 5, each a whole AlgorithmIdentifier.
_ALGORITHMS: Final = {
    "ecdsa-sha256": bytes.fromhex("300a06082a8648ce3d040302"),
    "ecdsa-sha384": bytes.fromhex("300a06082a8648ce3d040303"),
    "ecdsa-sha512": bytes.fromhex("300a06082a8648ce3d040304"),
    "rsa-pkcs1-sha384": bytes.fromhex("300d06092a864886f70d01010c0500"),
}
# RFC 5280 sections 4.2.1.9, 4.2.1.3, 4.2.1.12, each a whole Extension: not a CA and digitalSignature, critical; clientAuth.
_FIXED_EXTENSIONS: Final = b"".join(
    map(bytes.fromhex, ("300c0603551d130101ff04023000", "300e0603551d0f0101ff040403020780", "30130603551d25040c300a06082b06010505070302"))
)
_SUBJECT_KEY_IDENTIFIER, _AUTHORITY_KEY_IDENTIFIER = bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23")
_COMMON_NAME, _UNIT = bytes.fromhex("0603550403"), bytes.fromhex("060355040b")
_REHEARSAL: Final = "REHEARSAL"


class DeviceDraft(NamedTuple):
    """The bytes that are to be signed (DER TBSCertificate), and what they were made of. The key is SPKI, DER."""

    registration_id: str
    serial: int
    public_key_der: bytes
    to_be_signed: bytes


class DeviceCertificate(NamedTuple):
    """A finished certificate: its DER, and the same parsed."""

    der: bytes
    parsed: x509.Certificate


def new_serial() -> int:
    """A serial of 20 octets, positive, from the system's generator (RFC 5280 section 4.1.2.2): 158 bits of chance."""
    octets = os.urandom(_SERIAL_OCTETS)
    return int.from_bytes(bytes([octets[0] & 0x3F | 0x40]) + octets[1:])


class DeviceProfile:
    """What all device certificates of one order share. Times are UTC in whole seconds.

    A rehearsal's certificates say REHEARSAL in an OU; their CN is still the registration id, which the service goes by.
    """

    def __init__(self, issuer: x509.Certificate, not_before: dt.datetime, not_after: dt.datetime, *, rehearsal: bool) -> None:
        """Raises ValueError for an issuer's key that signs no certificates."""
        self._issuer, self._not_before, self._not_after = issuer, not_before, not_after
        self._rehearsal = rehearsal
        self._mark = _relative_name(_UNIT, _REHEARSAL) if rehearsal else b""
        self._issuer_public_key_der = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._issuer_key = issuer_key(self._issuer_public_key_der)
        self.algorithm = algorithm_for(self._issuer_public_key_der)
        """What the issuer's key signs by, such as `ecdsa-sha384`."""
        self._algorithm_der = _ALGORITHMS[self.algorithm]
        self._version = element(0xA0, integer(2))
        validity = element(_SEQUENCE, _time(not_before), _time(not_after))
        self._between_serial_and_subject = self._algorithm_der + issuer.subject.public_bytes() + validity
        self._issuer_identifier = _identifier_of(issuer)
        self._authority = _extension(_AUTHORITY_KEY_IDENTIFIER, element(_SEQUENCE, element(0x80, self._issuer_identifier)))

    def draft(self, registration_id: str, public_key_der: bytes, serial: int) -> DeviceDraft:
        """The bytes to be signed for this id and key (SPKI, DER). The serial has 20 octets, as `new_serial` makes it."""
        subject_key = _extension(_SUBJECT_KEY_IDENTIFIER, element(_OCTET_STRING, _key_identifier(public_key_der)))
        to_be_signed = element(
            _SEQUENCE,
            self._version,
            integer(serial),
            self._between_serial_and_subject,
            element(_SEQUENCE, self._mark, _relative_name(_COMMON_NAME, registration_id)),
            public_key_der,
            element(0xA3, element(_SEQUENCE, _FIXED_EXTENSIONS, subject_key, self._authority)),
        )
        return DeviceDraft(registration_id, serial, public_key_der, to_be_signed)

    def signed(self, draft: DeviceDraft, signature: bytes) -> DeviceCertificate:
        """The certificate around the drafted bytes. The signature is a DER ECDSA-Sig-Value, or the RSA block.

        Raises CeremonyError DRAFT-SIGNATURE-BAD when the issuer's key did not make it over these bytes, DRAFT-BYTES-DIFFER
        when the certificate holds others all the same: a fault of the machine.
        """
        octets = element(_SEQUENCE, draft.to_be_signed, self._algorithm_der, element(_BIT_STRING, _NO_UNUSED_BITS, signature))
        certificate = x509.load_der_x509_certificate(octets)
        if certificate.tbs_certificate_bytes != draft.to_be_signed:
            raise _wrong("DRAFT-BYTES-DIFFER", draft, "does not hold the bytes that were drafted")
        if not is_signed_by(self._issuer_key, draft.to_be_signed, signature):
            raise _wrong("DRAFT-SIGNATURE-BAD", draft, "is not signed by the intermediate's key")
        return DeviceCertificate(octets, certificate)

    def problems_with(self, certificate_der: bytes, registration_id: str) -> list[str]:
        """How a certificate differs from this profile for this id, down to the bytes that the library makes of it; [] when in nothing."""
        common_name = x509.NameAttribute(NameOID.COMMON_NAME, registration_id)
        marks = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, _REHEARSAL)] if self._rehearsal else []
        profile = CertificateProfile(
            purpose="device",
            subject=x509.Name([*marks, common_name]),
            issuer=self._issuer.subject,
            not_before=self._not_before,
            not_after=self._not_after,
            path_length=None,
            key_usage=("digitalSignature",),
            extended_key_usage=("clientAuth",),
            keys=DEVICE_KEYS,
            issuer_public_key_der=self._issuer_public_key_der,
            issuer_key_identifier=self._issuer_identifier,
        )
        return problems_with_certificate(certificate_der, profile)


def _identifier_of(issuer: x509.Certificate) -> bytes:
    """The issuer's own subjectKeyIdentifier, which may be made by another method than ours (RFC 5280 section 4.2.1.1)."""
    for extension in issuer.extensions:
        if isinstance(extension.value, x509.SubjectKeyIdentifier):
            return extension.value.digest
    return x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest


def _key_identifier(public_key_der: bytes) -> bytes:
    """SHA-1 of the key's BIT STRING without its first octet (RFC 5280 section 4.2.1.2 (1)), which names the key and secures nothing."""
    after_algorithm = _end(public_key_der, _content(public_key_der, 0)[0])
    begin, length = _content(public_key_der, after_algorithm)
    return hashlib.sha1(public_key_der[begin + 1 : begin + length], usedforsecurity=False).digest()


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at this place begins, and its length (X.690 section 8.1.3)."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, first
    begin = at + 2 + (first & 0x7F)
    return begin, int.from_bytes(der[at + 2 : begin])


def _end(der: bytes, at: int) -> int:
    return sum(_content(der, at))


def _relative_name(oid: bytes, text: str) -> bytes:
    return element(_SET, element(_SEQUENCE, oid, element(_UTF8_STRING, text.encode())))


def _extension(oid: bytes, value: bytes) -> bytes:
    return element(_SEQUENCE, oid, element(_OCTET_STRING, value))


def _time(moment: dt.datetime) -> bytes:
    """RFC 5280 section 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on."""
    text = f"{moment:%Y%m%d%H%M%S}Z".encode()
    return element(_UTC_TIME, text[2:]) if moment.year < 2050 else element(_GENERALIZED_TIME, text)


def _wrong(code: str, draft: DeviceDraft, why: str) -> CeremonyError:
    return CeremonyError(
        code,
        f"The certificate of {draft.registration_id} {why}.",
        state="It was thrown away with its key.",
        do_now="Look at the token, or at this machine's memory; then give the same command again: it goes on where it stopped.",
    )
