"""Which enrollment groups stand on which CA certificate, as far as the service shows it. In doubt a group stands on it."""

import re
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from ceremony.online.control_plane import UploadedCertificate
from ceremony.online.world import Group, World

_PLACES = ("primary", "secondary")
# Commas and pluses that no backslash precedes stand between the parts of a name (RFC 4514 section 2).
_BETWEEN = re.compile(r"(?<!\\)[,+]")


def groups_on(world: World, certificate: UploadedCertificate) -> list[Group]:
    """The groups that let devices in by way of this certificate: they refer to it, or hold what a CA of its name issued.

    A group whose issuer the service does not tell, or whose issuer is none of the certificates there, counts too.
    """
    return [group for group in world.groups if _stands_on(world, group, certificate)]


def ends_of(world: World, group: Group) -> datetime | None:
    """When the last certificate by which the group lets devices in ends; None when the service does not tell it of each."""
    held = [place for place in _PLACES if getattr(group, f"{place}_sha256") is not None]
    referred = [world.certificate(name) for name in group.ca_references]
    ends = [*(group.not_after(place) for place in held), *(found.not_after if found else None for found in referred)]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _stands_on(world: World, group: Group, certificate: UploadedCertificate) -> bool:
    if not group.is_x509:
        return False
    if group.ca_references:
        return certificate.name.lower() in {name.lower() for name in group.ca_references}
    there = {_parts(found.subject) for found in world.certificates}
    issuers = [_parts(issuer) for issuer in _issuers(group)]
    return not issuers or any(issuer == _parts(certificate.subject) or issuer not in there for issuer in issuers)


def _issuers(group: Group) -> Iterator[str]:
    """The issuer's name of each certificate of the group; "" where it is not told."""
    signing = group.record.get("attestation", {}).get("x509", {}).get("signingCertificates") or {}
    for place in _PLACES:
        held = signing.get(place) or {}
        pem, info = held.get("certificate"), held.get("info") or {}
        if pem:
            try:
                yield x509.load_pem_x509_certificate(pem.encode()).issuer.rfc4514_string()
            except ValueError:
                yield ""
        elif held:
            yield str(info.get("issuerName", ""))


def _parts(name: str) -> frozenset[str]:
    """A name's parts without regard to their order and the space between: two writers of one name differ in these."""
    return frozenset(part.strip() for part in _BETWEEN.split(name))
