"""Which enrollment groups stand on which CA certificate, as far as the service shows it. In doubt a group stands on it."""

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ceremony.online.control_plane import UploadedCertificate
from ceremony.online.world import Group, World, held, table
from ceremony.pki.names import name_parts


def groups_on(world: World, certificate: UploadedCertificate) -> list[Group]:
    """The groups that let devices in by way of this certificate: they refer to it, or hold what a CA of its name issued.

    A group whose issuer the service does not tell, or whose issuer is none of the certificates there, counts too. Of several
    certificates of one name it stands on the one that signed, where the service shows that, else on each.
    """
    return [group for group in world.groups if _stands_on(world, group, certificate)]


def ends_of(world: World, group: Group) -> datetime | None:
    """When the last certificate by which the group lets devices in ends; None when the service does not tell it of each."""
    referred = [world.certificate(name) for name in group.ca_references]
    ends = [*(group.not_after(place) for place in _held_at(group)), *(found.not_after if found else None for found in referred)]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def open_to(world: World, group: Group) -> tuple[str, ...]:
    """The CA certificates of which a group lets in whatever they signed, or will ever sign; there should be none (design, rule 16).

    Those that it refers to, and roots that it holds. A root goes by its name at the service, else by its subject.
    """
    names = {uploaded.sha256: uploaded.name for uploaded in world.certificates if uploaded.sha256 is not None}
    digests = {"primary": group.primary_sha256, "secondary": group.secondary_sha256}
    found = list(group.ca_references)
    for place in _held_at(group):
        subject, issuer = _names(group, place)
        if _is_root(subject, issuer):
            found.append(names.get(digests[place] or "", subject))
    return tuple(found)


def next_in_line(world: World, group: Group) -> list[Group]:
    """The enabled groups that could decide about a group's devices, were it gone, and let them in.

    The first entry from the leaf upwards decides (Microsoft's page "X.509 attestation"). Above a CA certificate that names itself as
    its issuer there is nothing; above another one, or one that the service does not show, every other group may stand.
    """
    referred = [world.certificate(name) for name in group.ca_references]
    at_the_top = [found is not None and found.is_self_issued for found in referred]
    at_the_top += [_is_root(*_names(group, place)) for place in _held_at(group)]
    if at_the_top and all(at_the_top):
        return []
    return [other for other in world.groups if other.is_enabled and other.is_x509 and other.group_id != group.group_id]


def _stands_on(world: World, group: Group, certificate: UploadedCertificate) -> bool:
    if not group.is_x509:
        return False
    if group.ca_references:
        return certificate.name.lower() in {name.lower() for name in group.ca_references}
    places = _held_at(group)
    return not places or any(_may_be_issued_by(world, group, place, certificate) for place in places)


def _may_be_issued_by(world: World, group: Group, place: str, certificate: UploadedCertificate) -> bool:
    issuer = name_parts(_names(group, place)[1])
    named = [found for found in world.certificates if name_parts(found.subject) == issuer]
    if certificate not in named:
        return not named
    # After a roll-over two roots bear one name: which of them signed tells the signature, where the service shows what it needs.
    below = _certificate(group, place)
    signers = [found for found in named if below is not None and found.shown is not None and _is_signed_by(below, found.shown)]
    return certificate in signers if signers else True


def _is_signed_by(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _held_at(group: Group) -> list[str]:
    return [place for place in ("primary", "secondary") if held(group.record, place)]


def _names(group: Group, place: str) -> tuple[str, str]:
    """Subject and issuer of a certificate that the group holds: its own where the service shows it, else those of its `info`, or ""."""
    there = held(group.record, place)
    pem, info = there.get("certificate"), table(there, "info")
    if isinstance(pem, str) and pem:
        found = _certificate(group, place)
        return (found.subject.rfc4514_string(), found.issuer.rfc4514_string()) if found else ("", "")
    return str(info.get("subjectName") or ""), str(info.get("issuerName") or "")


def _certificate(group: Group, place: str) -> x509.Certificate | None:
    """The certificate that the group holds there; None where the service does not show it, or it can't be read."""
    pem = held(group.record, place).get("certificate")
    try:
        return x509.load_pem_x509_certificate(pem.encode()) if isinstance(pem, str) and pem else None
    except ValueError:
        return None


def _is_root(subject: str, issuer: str) -> bool:
    return bool(subject) and name_parts(subject) == name_parts(issuer)
