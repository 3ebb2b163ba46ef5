"""The service as its operator sees it, and what of it keeps a device out: whoever asks the service fills this in.

Going up from the leaf, the first certificate with an enrollment group decides; the chain must lead to a verified certificate of the
service (Microsoft's page "X.509 certificate attestation").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.device.causes import Cause
from ceremony.device.identity import certificate_name
from ceremony.pki.names import name_parts, name_text, shown_text
from ceremony.words import sha256_hex


@dataclass(frozen=True)
class KnownCertificate:
    """A CA certificate at the service. `subject` is the service's text of its name, `sha256` (hex, of the DER) None if it isn't told."""

    name: str
    subject: str
    sha256: str | None
    is_verified: bool


@dataclass(frozen=True)
class KnownGroup:
    """An enrollment group: SHA-256 (hex, of the DER) of its certificates, names of the service's certificates that it refers to."""

    group_id: str
    is_enabled: bool
    certificates_sha256: tuple[str, ...]
    ca_references: tuple[str, ...]


@dataclass(frozen=True)
class ServiceView:
    """One service at one moment."""

    id_scope: str
    certificates: tuple[KnownCertificate, ...]
    groups: tuple[KnownGroup, ...]


def causes_at_service(view: ServiceView, sent: Sequence[x509.Certificate], id_scope: str) -> list[Cause]:
    """What at the service keeps this chain (leaf first) out; nothing when all is as it should be there."""
    if view.id_scope != id_scope:
        what = f"The service's id scope is {shown_text(view.id_scope)}, and asked was {shown_text(id_scope)}."
        return [Cause("DEVICE-ID-SCOPE", what)]
    return [*_roots(view, sent), *_group(view, sent)]


def issuer_is_at_service(view: ServiceView, sent: Sequence[x509.Certificate]) -> bool:
    """Whether the last certificate that was sent is the service's own, or was issued by one: then none is missing."""
    return bool(_roots_above(view, sent))


def _roots_above(view: ServiceView, sent: Sequence[x509.Certificate]) -> list[KnownCertificate]:
    """The service's certificates to which the chain leads, by what the service shows: one that was sent, or the last one's issuer."""
    digests = {_sha256(certificate) for certificate in sent}
    return [known for known in view.certificates if known.sha256 in digests or _is_name(known.subject, sent[-1].issuer)]


def _is_name(told: str, name: x509.Name) -> bool:
    """Whether the service's text is of this name: its parts in any order, or the CN alone, with or without `CN=`."""
    common_names = [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return name_parts(told) == name_parts(name_text(name)) or told.removeprefix("CN=") in common_names


def _roots(view: ServiceView, sent: Sequence[x509.Certificate]) -> Iterator[Cause]:
    above = _roots_above(view, sent)
    if not above:
        issuer = shown_text(name_text(sent[-1].issuer))
        yield Cause("DEVICE-ROOT-NOT-UPLOADED", f"The chain ends below '{issuer}', and the service holds no such certificate.")
    elif not any(known.is_verified for known in above):
        names = ", ".join(shown_text(known.name) for known in above)
        yield Cause("DEVICE-ROOT-NOT-VERIFIED", f"The chain leads to the service's certificate {names}, which is not verified.")


def _group(view: ServiceView, sent: Sequence[x509.Certificate]) -> Iterator[Cause]:
    for certificate in sent[1:]:
        digest = _sha256(certificate)
        held = {known.name.lower() for known in view.certificates if known.sha256 == digest}
        for group in view.groups:
            if digest in group.certificates_sha256 or held & {name.lower() for name in group.ca_references}:
                if not group.is_enabled:
                    what = f"The enrollment group {shown_text(group.group_id)}, of '{certificate_name(certificate)}', is disabled."
                    yield Cause("DEVICE-GROUP-DISABLED", what)
                return
    referred = {name.lower() for group in view.groups for name in group.ca_references}
    by_root = {known.name.lower() for known in _roots_above(view, sent)} & referred
    if by_root:
        groups = [group for group in view.groups if by_root & {name.lower() for name in group.ca_references}]
        if not any(group.is_enabled for group in groups):
            yield Cause("DEVICE-GROUP-DISABLED", f"The enrollment group {shown_text(groups[0].group_id)}, of the root, is disabled.")
        return
    yield Cause("DEVICE-GROUP-MISSING", "No certificate that was sent has an enrollment group at the service.")


def _sha256(certificate: x509.Certificate) -> str:
    return sha256_hex(certificate.public_bytes(Encoding.DER))
