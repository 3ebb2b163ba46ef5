"""Whether an intermediate may issue: what is asked of its certificate before it is taken over, and before it is used."""

import datetime as dt
from collections.abc import Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.crossing.artifacts import public_key_der
from ceremony.pki.profiles import utc_text

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def problems_with_issuer(certificate: x509.Certificate, root: x509.Certificate, at: dt.datetime) -> list[str]:
    """Why this certificate may not issue device certificates at this time (UTC), in words; nothing when it may.

    It is not the root, is one of this root, is valid now as its root is, is a CA, may sign certificates, and allows clientAuth
    (RFC 5280 sections 4.1.2.5, 4.2.1.3, 4.2.1.9, 4.2.1.12). A certificate that is not valid yet is refused too.
    """
    return list(_problems(certificate, root, at))


def is_issued_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    """Whether the root's key signed this certificate, and its issuer is the root's subject."""
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _problems(certificate: x509.Certificate, root: x509.Certificate, at: dt.datetime) -> Iterator[str]:
    if public_key_der(certificate) == public_key_der(root):
        yield "it holds the root's own key, and a root issues no device certificates"
        return
    if not is_issued_by(certificate, root):
        yield "it is not signed by the root"
    for found, what in ((certificate, "it"), (root, "its root")):
        if at < found.not_valid_before_utc:
            yield f"{what} is not valid before {utc_text(found.not_valid_before_utc)}, and it is {utc_text(at)} here"
        if at > found.not_valid_after_utc:
            yield f"{what} ended at {utc_text(found.not_valid_after_utc)}, and it is {utc_text(at)} here"
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        yield "it is not a CA's certificate (basicConstraints)"
    above = _extension(root, x509.BasicConstraints)
    if above is None or above.path_length == 0:
        yield "its root allows no CA below itself (basicConstraints)"
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        yield "its key may not sign certificates (keyUsage)"
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        yield "it does not allow clientAuth, which a device needs (extendedKeyUsage)"


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    for extension in certificate.extensions:
        if isinstance(extension.value, kind):
            return extension.value
    return None
