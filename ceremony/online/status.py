"""Where the service stands: certificates, groups, what ends when, and what is not as it should be."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import msgspec

from ceremony.crossing.duties import Duty, days_text
from ceremony.crossing.verified import DestroyedRoot
from ceremony.online.clocks import difference_text
from ceremony.online.config import OnlineConfig
from ceremony.online.control_plane import MOST_CERTIFICATES, UploadedCertificate
from ceremony.online.data_plane import MOST_GROUPS
from ceremony.online.depends import ends_of, groups_on, open_to
from ceremony.online.destroyed import left_of_destroyed
from ceremony.online.groups import differences, settings_of
from ceremony.online.receipts import Receipt
from ceremony.online.revoked import revoked_groups
from ceremony.online.world import Group, World, time_text
from ceremony.pki.crl import Crl
from ceremony.pki.names import shown_text

SOON_DAYS = 90
"""What ends within so many days is told."""


class CertificateStatus(msgspec.Struct, frozen=True):
    """A CA certificate. Digests in hex; `not_after` RFC 3339 or null; `groups` are the ids of those that stand on it."""

    name: str
    subject: str
    sha256: str | None
    sha1: str
    verified: bool
    not_after: str | None
    days_left: int | None
    groups: tuple[str, ...]


class GroupStatus(msgspec.Struct, frozen=True):
    """An enrollment group; `refers_to` names the CA certificates that it refers to: there should be none."""

    name: str
    enabled: bool
    primary_sha256: str | None
    secondary_sha256: str | None
    refers_to: tuple[str, ...]
    not_after: str | None
    days_left: int | None


class PolicyStatus(msgspec.Struct, frozen=True):
    """A policy of Azure Device Registry that our receipts tell of: its place, what it says of its issuing CA, and when that ends."""

    name: str
    state: str
    thumbprint: str
    not_after: str | None
    days_left: int | None


class Finding(msgspec.Struct, frozen=True):
    """Something to look at. `kind` is `danger` (devices may get in that should not), `drift` (not as set or as left), or `note`."""

    kind: str
    name: str
    text: str


class Status(msgspec.Struct, frozen=True):
    """The service at one moment, by its own clock. All texts may be shown."""

    service: str
    time: str
    id_scope: str
    certificates: tuple[CertificateStatus, ...]
    groups: tuple[GroupStatus, ...]
    findings: tuple[Finding, ...]
    policies: tuple[PolicyStatus, ...] = ()
    duties: tuple[Duty, ...] = ()


def policies_in(receipts: Sequence[Receipt], config: OnlineConfig) -> list[str]:
    """The policies of Azure Device Registry that we activated for this service: status looks at these."""
    places = {str(receipt.data["name"]): None for receipt in _ours(receipts, config) if receipt.kind == "policy-activated"}
    return list(places)


def status_of(
    world: World, config: OnlineConfig, receipts: Sequence[Receipt], crls: Sequence[Crl] = (), duties: tuple[Duty, ...] = (),
    destroyed: Sequence[DestroyedRoot] = (),
) -> Status:
    """What the world is, compared with the settings, with what our receipts say we left, and with the roots' CRLs; and what comes next."""
    findings = [*_of_service(world), *_of_groups(world, config), *_of_certificates(world), *_since_receipts(world, config, receipts)]
    findings += _of_policies(world, _ours(receipts, config))
    for found in revoked_groups(world, crls):
        findings.append(Finding("danger" if found.group.is_enabled else "note", shown_text(found.group.group_id), found.text))
    findings += [Finding(*found) for found in left_of_destroyed(world, destroyed)]
    order = ("danger", "drift", "note")
    return Status(
        service=shown_text(config.shown),
        time=time_text(world.time),
        id_scope=shown_text(world.service.id_scope),
        certificates=tuple(_certificate(world, found) for found in world.certificates),
        groups=tuple(_group(world, found) for found in world.groups),
        findings=tuple(sorted(findings, key=lambda finding: (order.index(finding.kind), finding.name))),
        policies=tuple(
            PolicyStatus(shown_text(found.place), shown_text(found.status), shown_text(found.thumbprint), *_until(world, found.not_after))
            for found in world.policies
        ),
        duties=duties,
    )


def status_lines(status: Status) -> Iterator[str]:
    """The status as lines; names and tables are at most 80 columns wide, the findings are for the caller to wrap."""
    yield f"Service  {status.service}"
    yield f"Time     {status.time} by the service's clock; id scope {status.id_scope}"
    for title, most, rows in (
        ("Certificates", MOST_CERTIFICATES, [_row(found.name, _verified(found), found) for found in status.certificates]),
        ("Groups", MOST_GROUPS, [_row(found.name, "enabled" if found.enabled else "DISABLED", found) for found in status.groups]),
    ):
        yield ""
        yield f"{title}: {len(rows)} of at most {most}"
        yield from rows
    if status.policies:
        yield from ("", "Issuing CAs of Azure Device Registry (preview)")
        for found in status.policies:
            yield from (f"  {found.name}", f"      {found.state:24} {_end(found)}")
    if status.duties:
        yield from ("", "Next duties, by the bundle (`ceremony duties` says more)")
        today = datetime.fromisoformat(status.time).date()
        yield from (f"  {duty.date}  {days_text(duty.date, today):>12}  {duty.kind}: {duty.name}" for duty in status.duties)
    yield ""
    yield from (f"{finding.kind.upper()}: {finding.name}: {finding.text}" for finding in status.findings)
    wrong = sum(finding.kind != "note" for finding in status.findings)
    yield f"{wrong} not as it should be." if wrong else "Nothing is other than it should be."


def _verified(found: CertificateStatus) -> str:
    return "verified" if found.verified else "NOT VERIFIED"


def _row(name: str, state: str, found: CertificateStatus | GroupStatus) -> str:
    end = _end(found)
    # A long name has a line of its own: cut it would be another name.
    return f"  {name:36} {state:13} {end}" if len(name) <= 36 else f"  {name}\n  {'':36} {state:13} {end}"


def _end(found: CertificateStatus | GroupStatus | PolicyStatus) -> str:
    return f"ends {found.not_after[:10]} ({_days(found.days_left)})" if found.not_after else "its end is not told"


def _days(left: int | None) -> str:
    return "EXPIRED" if left is None or left < 0 else f"{left} days"


def _certificate(world: World, found: UploadedCertificate) -> CertificateStatus:
    groups = tuple(shown_text(group.group_id) for group in groups_on(world, found))
    name, subject, (end, left) = shown_text(found.name), shown_text(found.subject), _until(world, found.not_after)
    return CertificateStatus(name, subject, found.sha256, shown_text(found.sha1), found.is_verified, end, left, groups)


def _group(world: World, found: Group) -> GroupStatus:
    end, left = _until(world, ends_of(world, found))
    return GroupStatus(
        shown_text(found.group_id), found.is_enabled, found.primary_sha256, found.secondary_sha256,
        tuple(map(shown_text, found.ca_references)), end, left,
    )  # fmt: skip


def _until(world: World, end: datetime | None) -> tuple[str | None, int | None]:
    """The time and whole days left; a negative number when it has passed."""
    return (time_text(end), (end - world.time).days) if end is not None else (None, None)


def _of_service(world: World) -> Iterator[Finding]:
    differs = difference_text(world.ahead)
    if differs is not None:
        yield Finding("note", "clocks", f"{differs}.")
    if not world.service.local_auth_disabled:
        yield Finding("note", "access", "shared access keys are taken too (disableLocalAuth is off): whoever has one needs no role.")


def _of_groups(world: World, config: OnlineConfig) -> Iterator[Finding]:
    settings = settings_of(config.groups)
    for group in world.groups:
        name = shown_text(group.group_id)
        if cas := ", ".join(map(shown_text, open_to(world, group))):
            how = "refers to" if group.ca_references else "holds"
            text = (
                f"the group {how} the CA certificate {cas} itself: whatever that has signed, or will ever sign, lets devices in. "
                f"`ceremony online disable {name}` ends that, `ceremony online retire {name}` takes it away then."
            )
            yield Finding("danger" if group.is_enabled else "drift", name, text if group.is_enabled else f"{how} a CA itself; disabled.")
        if not group.is_x509:
            yield Finding("drift", name, "devices come in by something other than certificates.")
        elif changes := differences(group, settings, None):
            yield Finding("drift", name, f"not as the settings say: {shown_text('; '.join(changes))}.")
        yield from _ending(world, name, ends_of(world, group), retires=True)


def _of_certificates(world: World) -> Iterator[Finding]:
    for found in world.certificates:
        name = shown_text(found.name)
        if not found.is_verified:
            yield Finding("note", name, "not verified: no device of it gets in. It waits for a proof of possession.")
        yield from _ending(world, name, found.not_after, retires=False)


def _ours(receipts: Collection[Receipt], config: OnlineConfig) -> list[Receipt]:
    """Those of this service that name something."""
    here = (receipt for receipt in receipts if str(receipt.data.get("service", "")).lower() == config.service.lower())
    return [receipt for receipt in here if "name" in receipt.data]


def _of_policies(world: World, receipts: Collection[Receipt]) -> Iterator[Finding]:
    activated = {str(receipt.data["name"]).lower(): receipt for receipt in receipts if receipt.kind == "policy-activated"}
    for key, receipt in activated.items():
        name, there = shown_text(str(receipt.data["name"])), world.policy(key)
        if there is None:
            yield Finding("drift", name, f"is gone; receipt {receipt.seq} left it active.")
        elif receipt.data.get("etag_after") != there.state_when_active:
            yield Finding("drift", name, f"has another certificate than receipt {receipt.seq} of {receipt.time} left, or none.")
    for found in world.policies:
        name = shown_text(found.place)
        if found.asks:
            fetch = "`ceremony online request --adr` fetches the CSR to carry to a ceremony"
            yield Finding("note", name, f"{shown_text(found.status)}: waits for a certificate of its issuing CA; {fetch}.")
        yield from _ending(world, name, found.not_after, retires=False)


def _ending(world: World, name: str, end: datetime | None, *, retires: bool) -> Iterator[Finding]:
    if end is None:
        return
    left = (end - world.time).days
    if left < 0:
        yield Finding("note", name, f"has expired; `ceremony online retire {name}` takes it away." if retires else "has expired.")
    elif left < SOON_DAYS:
        yield Finding("note", name, f"ends in {left} days.")


def _since_receipts(world: World, config: OnlineConfig, receipts: Collection[Receipt]) -> Iterator[Finding]:
    """What is not as our last receipt about it left it."""
    # A device may bear the name of a certificate; what it is now only its hub knows.
    ours = [receipt for receipt in _ours(receipts, config) if receipt.kind not in ("device-disabled", "policy-activated")]
    last = {(receipt.kind.startswith("group-"), str(receipt.data["name"]).lower()): receipt for receipt in ours}
    for (is_group, key), receipt in sorted(last.items()):
        name, there = shown_text(str(receipt.data["name"])), world.group(key) if is_group else world.certificate(key)
        if receipt.kind in ("group-deleted", "certificate-deleted"):
            if there is not None:
                yield Finding("drift", name, f"is there again; receipt {receipt.seq} says that it was deleted.")
        elif there is None:
            yield Finding("drift", name, f"is gone; receipt {receipt.seq} left it there.")
        elif receipt.data.get("etag_after") not in (None, there.etag):
            yield Finding("drift", name, f"was changed since receipt {receipt.seq} of {receipt.time}: its etag is another.")
