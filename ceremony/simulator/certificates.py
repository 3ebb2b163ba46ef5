"""CA certificates of the service: uploaded, given a code, proved, taken away. Each by etag. Callers hold the state's lock."""

import base64
import binascii
import re
from email.utils import format_datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.simulator.errors import Refused
from ceremony.simulator.state import MOST_CERTIFICATES, DpsState, UploadedCertificate, new_etag, new_verification_code

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_NOT_PROVED = 400053
"""The number that users report for a refused proof of possession."""


def existing(state: DpsState, name: str) -> UploadedCertificate:
    """The certificate of this name. Raises Refused 404."""
    if name not in state.certificates:
        raise Refused(404, 404001, f"Certificate {name} was not found.", "ResourceNotFound")
    return state.certificates[name]


def put(state: DpsState, name: str, body: dict[str, Any], if_match: str | None) -> None:
    """Uploads a certificate, or puts another in its place: the new one is not verified, and a code asked for before is void.

    `isVerified` true in the body takes the operator's word for the proof, as the service does. Raises Refused.
    """
    if not _NAME.fullmatch(name):
        raise Refused(400, 400000, "A certificate's name has 1 to 64 letters, digits, '.', '_' and '-'.")
    asked = body.get("properties")
    if not isinstance(asked, dict) or not isinstance(asked.get("certificate"), str) or not isinstance(asked.get("isVerified", False), bool):
        raise Refused(400, 400004, "properties.certificate is missing, or a member is of the wrong type.")
    certificate = read_certificate(asked["certificate"])
    if not is_ca(certificate):
        raise Refused(400, 400004, "The certificate is not that of a CA: it has no basicConstraints with CA true.")
    certificate_der, now = certificate.public_bytes(Encoding.DER), state.now()
    there = state.certificates.get(name)
    if there is not None:
        _match(there, if_match, "If-Match is required to update a certificate.", missing_status=412)
    elif len(state.certificates) >= MOST_CERTIFICATES:
        raise Refused(400, 400001, f"The service holds {MOST_CERTIFICATES} certificates, and can't take more.")
    if any(other.certificate_der == certificate_der for other in state.certificates.values() if other.name != name):
        raise Refused(409, 409001, "The certificate is there already under another name.")
    created = there.created if there is not None else now
    state.certificates[name] = UploadedCertificate(name, certificate_der, asked.get("isVerified", False), created, now)


def delete(state: DpsState, name: str, if_match: str | None) -> None:
    """Takes a certificate away. Raises Refused; 409 while an enrollment group refers to it."""
    uploaded = existing(state, name)
    _match(uploaded, if_match, "If-Match is required.")
    if any(name in group.ca_references for group in state.groups.values()):
        raise Refused(409, 409002, "An enrollment group refers to the certificate.")
    del state.certificates[name]


def generate_code(state: DpsState, name: str, if_match: str | None) -> None:
    """A new verification code; one that was given before is void. The etag moves on. Raises Refused."""
    uploaded = existing(state, name)
    _match(uploaded, if_match, "If-Match is required.")
    uploaded.verification_code, uploaded.etag, uploaded.updated = new_verification_code(), new_etag(), state.now()


def verify(state: DpsState, name: str, body: dict[str, Any], if_match: str | None) -> None:
    """Takes a proof of possession: a certificate with the code as its only CN, issued by the uploaded one itself, both valid now.

    Raises Refused.
    """
    uploaded = existing(state, name)
    _match(uploaded, if_match, "If-Match is required.")
    if not isinstance(body.get("certificate"), str):
        raise Refused(400, 400004, "certificate is missing.")
    proof, root = read_certificate(body["certificate"]), x509.load_der_x509_certificate(uploaded.certificate_der)
    if uploaded.verification_code is None:
        raise Refused(400, _NOT_PROVED, "Proof-Of-Possession failed. No verification code was generated for the certificate.")
    try:
        proof.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as not_issued:
        missing = f"Issuer certificate '{root.subject.rfc4514_string()}' cannot be found in the certificate chain."
        raise Refused(400, _NOT_PROVED, f"Proof-Of-Possession failed. {missing}") from not_issued
    names = [attribute.value for attribute in proof.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [uploaded.verification_code]:
        raise Refused(400, _NOT_PROVED, "Proof-Of-Possession failed. The subject of the certificate is not the verification code.")
    now = state.now()
    if not all(found.not_valid_before_utc <= now <= found.not_valid_after_utc for found in (proof, root)):
        clock = "when verifying against the current system clock or the timestamp in the signed file"
        raise Refused(400, _NOT_PROVED, f"Proof-Of-Possession failed. A required certificate is not within its validity period {clock}.")
    uploaded.is_verified, uploaded.verification_code = True, None
    uploaded.etag, uploaded.updated = new_etag(), now


def properties(uploaded: UploadedCertificate) -> dict[str, Any]:
    """CertificateProperties: times as RFC 1123 writes them, the thumbprint SHA-1 in upper-case hex, the certificate base64 of its DER."""
    certificate = x509.load_der_x509_certificate(uploaded.certificate_der)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "expiry": format_datetime(certificate.not_valid_after_utc, usegmt=True),
        "thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - the service's form, and no security of ours
        "isVerified": uploaded.is_verified,
        "certificate": base64.b64encode(uploaded.certificate_der).decode(),
        "created": format_datetime(uploaded.created, usegmt=True),
        "updated": format_datetime(uploaded.updated, usegmt=True),
    }


def read_certificate(text: str) -> x509.Certificate:
    """The one certificate in PEM, in base64 of PEM or in base64 of DER. Raises Refused 400."""
    octets = text.encode(errors="replace")
    if not octets.lstrip().startswith(b"-----BEGIN"):
        try:
            octets = base64.b64decode(octets, validate=True)
        except (binascii.Error, ValueError) as broken:
            raise Refused(400, 400004, "The certificate is neither PEM nor base64.") from broken
    try:
        if octets.lstrip().startswith(b"-----BEGIN"):
            found = x509.load_pem_x509_certificates(octets)
        else:
            found = [x509.load_der_x509_certificate(octets)]
        for certificate in found:
            # cryptography reads these only when asked: what can't be read is refused here, once.
            _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key(), certificate.not_valid_after_utc
    except _UNREADABLE as broken:
        raise Refused(400, 400004, "The certificate can't be read.") from broken
    if len(found) != 1:
        raise Refused(400, 400004, f"One certificate is wanted, and {len(found)} were sent.")
    return found[0]


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints says so."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _match(uploaded: UploadedCertificate, if_match: str | None, missing: str, missing_status: int = 400) -> None:
    """The etag with quotes or without: the published examples are bare, the SDK sends quotes."""
    if not if_match:
        raise Refused(missing_status, missing_status * 1000 + 1, missing)
    if if_match.strip('"') not in (uploaded.etag, "*"):
        raise Refused(412, 412001, "Invalid ETag supplied: the certificate was changed since.")
