"""What a bundle says must be done next, and by which day: from the ledger alone, so that the same bundle always says the same.

A day is the last whole one (UTC) on which it is still in time.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ceremony.crossing.artifacts import place_of
from ceremony.crossing.bundle import CAPS, LEDGER
from ceremony.crossing.files import read_tree
from ceremony.crossing.ledger import Entry, LedgerOfCeremony, read_ledger, revocations_in
from ceremony.crossing.revocations import IssuedCrl
from ceremony.crossing.roots import last_crls, living_roots, roots_in
from ceremony.crossing.subject import Subject, read_subject
from ceremony.crossing.tokens import spare_tokens
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

LEAD_DAYS = 30
"""So long before something ends the ceremony that replaces it is held: the bundle has to travel, and a medium may fail."""
DEVICE_LIFE_DAYS = 365
"""How long a device's certificate is taken to hold where nobody says."""
MOST_DEVICE_LIFE_DAYS = 36500

_GENERATION = re.compile(r"\.[0-9]+\Z")
DutyKind = Literal["ceremony", "crl", "intermediate", "root", "cross", "azure", "backup"]


class Duty(msgspec.Struct, frozen=True):
    """Something to be done by a day (YYYY-MM-DD, UTC, the last one in time). `text` may be shown.

    `key` is the same in every bundle of a root that tells of this duty. Kinds: `ceremony`, the next one; `crl`, the root's CRL ends;
    `intermediate`, `root` and `cross`, a certificate ends; `azure`, something at Azure does; `backup`, the copy or the twin that the
    script plans.
    """

    kind: DutyKind
    date: str
    name: str
    text: str
    key: str


class Duties(msgspec.Struct, frozen=True):
    """The duties of a chain, the nearest first, as the bundle with this fingerprint tells them. `sealed`: time of its seal, UTC.

    `root_fingerprint` is that of the chain's first root, whichever lives now; `label` that of the root which the bundle is of.

    `seals` counts all seals of the chain up to this one: a later bundle's number is higher.
    """

    fingerprint: str
    root_fingerprint: str
    label: str
    rehearsal: bool
    sealed: str
    seals: int
    duties: tuple[Duty, ...]


def duties_of(bundle: Path, fingerprint: str | None, device_life: int = DEVICE_LIFE_DAYS) -> Duties:
    """The duties that this bundle tells of; it is verified first, and is the one of `fingerprint` (64 lower-case hex digits) if given.

    `device_life` is how many days a device's certificate is to hold. Raises CeremonyError BUNDLE-MISSING, BUNDLE-REFUSED.
    """
    verdict = verify_bundle(bundle, fingerprint=fingerprint)
    if failed := [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]:
        raise _refused(bundle, "; ".join(failed))
    subject = read_subject(read_tree(bundle, CAPS).files)
    if subject.record.fingerprint != verdict.fingerprint:
        raise _refused(bundle, "it changed while it was read")
    ledger = read_ledger(subject.files[LEDGER]).ceremonies
    root = next((ceremony.root for ceremony in reversed(ledger) if ceremony.root), None)
    first = next(iter(roots_in(ledger)), None)
    if root is None or first is None:
        raise _refused(bundle, "it holds no root, and so there is nothing to look after")
    return Duties(
        fingerprint=subject.record.fingerprint,
        root_fingerprint=first.certificate_sha256,
        label=shown_text(root.label),
        rehearsal=subject.record.opened.rehearsal,
        sealed=subject.record.lines[-1].time,
        seals=sum(len(ceremony.seals) + 1 for ceremony in ledger),
        duties=tuple(sorted(_duties(subject, ledger, device_life), key=lambda duty: (duty.date, duty.kind, duty.name))),
    )


def days_text(date: str, today: dt.date) -> str:
    """How far away the day `date` (YYYY-MM-DD) is."""
    days = (dt.date.fromisoformat(date) - today).days
    return "PASSED" if days < 0 else "today" if days == 0 else f"in {days} days"


def _refused(bundle: Path, why: str) -> CeremonyError:
    return CeremonyError("BUNDLE-REFUSED", f"The bundle {shown_text(str(bundle))} is refused: {why}.", state="Nothing was written.")


def _duties(subject: Subject, ledger: Sequence[LedgerOfCeremony], device_life: int) -> Iterator[Duty]:
    sealed = dt.datetime.fromisoformat(subject.record.lines[-1].time)
    revoked = {revocation.serial for revocation in revocations_in(ledger)}
    entries = [entry for ceremony in ledger for entry in ceremony.entries]
    alive = [entry for entry in entries if entry.state == "issued" and entry.serial not in revoked and _end(entry) > sealed]
    roots, intermediates, proofs = ([entry for entry in alive if entry.purpose == p] for p in ("root", "intermediate", "proof"))
    policies = {entry.name: entry.device_registry for entry in subject.script.intermediates if entry.device_registry}
    crls = last_crls(ledger)
    for crl in crls:
        text = f"CRL {crl.number} of {crl.label} ends; whoever asks for one refuses everything under this root without a newer."
        yield Duty("crl", _last_day(dt.datetime.fromisoformat(crl.next_update)), crl.label, text, f"crl {crl.label}")
    for entry in roots:
        text = "The root certificate ends, and with it all under it; at Azure too no device gets in from then on."
        yield Duty("root", _last_day(_end(entry)), _name(entry), text, f"root {entry.serial}")
    for entry in intermediates:
        name, at_azure = _name(entry), policies.get(_name(entry))
        if at_azure:
            text = f"Azure's issuing CA for {at_azure} ends: `ceremony online request --adr` fetches a CSR for a new one."
        else:
            text = "The intermediate ends: no certificate under it lets a device in any longer; its enrollment group can be retired."
        yield Duty("azure" if at_azure else "intermediate", _last_day(_end(entry)), name, shown_text(text), f"intermediate {entry.serial}")
    for entry in (entry for entry in alive if entry.purpose == "cross"):
        text = "The overlap of a roll-over ends: whoever trusts one root alone no longer reaches the other by this certificate."
        yield Duty("cross", _last_day(_end(entry)), _name(entry), text, f"cross {entry.serial}")
    for entry in proofs:
        name = _name(entry).split("/")[0]
        text = "The proof of possession ends: `ceremony online apply` takes it to the service before, unless the root is verified already."
        yield Duty("azure", _last_day(_end(entry)), name, text, f"proof {entry.serial}")
    yield from _backup_duty(subject, ledger)
    waiting = sum(entry.state == "possibly-signed" and entry.serial not in revoked for entry in entries)
    lives = {root.label for root in living_roots(ledger)}
    reasons = [*_crl_reasons(crl for crl in crls if crl.label in lives)]
    reasons += _reasons(roots, intermediates, device_life, _longest(entries, device_life))
    # What a destroyed key leaves behind ends by itself: no ceremony can replace it under this root.
    if reasons and lives:
        yield _next_ceremony(reasons, sealed.date(), waiting)


def _backup_duty(subject: Subject, ledger: Sequence[LedgerOfCeremony]) -> Iterator[Duty]:
    """The backup that the last script plans, until the ledger tells that it is proved; none for a key that is destroyed."""
    planned = subject.script.backup
    root = next((ceremony.root for ceremony in reversed(ledger) if ceremony.root), None)
    gone = {key.public_key_sha256 for ceremony in ledger for key in ceremony.destroyed}
    if planned is None or planned.by is None or root is None or root.public_key_sha256 in gone:
        return
    if planned.kind == "vendor-clone" and not spare_tokens(ledger, root.public_key_sha256):
        text = f"No other token is proved to hold the key of {root.label}: until then the root stands on one token (`backup-token`)."
        yield Duty("backup", planned.by.isoformat(), root.label, shown_text(text), f"backup {root.label}")
    if planned.kind == "twin-root" and not _is_proved(planned.label, ledger):
        text = f"The twin root {planned.label} is not made and proved to the service yet: until then {root.label} stands on one token."
        yield Duty("backup", planned.by.isoformat(), planned.label, shown_text(text), f"backup {planned.label}")


def _is_proved(label: str, ledger: Sequence[LedgerOfCeremony]) -> bool:
    """Whether the root with this label lives, and was proved to a service."""
    proved = {place[1] for ceremony in ledger for entry in ceremony.entries if entry.path and (place := place_of(entry.path))}
    return label in {root.label for root in living_roots(ledger)} and any(name.endswith(f"/{label}") for name in proved)


def _crl_reasons(crls: Iterable[IssuedCrl]) -> Iterator[tuple[str, str]]:
    for crl in crls:
        yield _before(dt.datetime.fromisoformat(crl.next_update), 0), f"a new CRL of {crl.label}"


def _longest(entries: Sequence[Entry], device_life: int) -> int:
    """How many days the longest of all intermediates was made for, whatever became of it; the devices' where there was none."""
    made = [entry for entry in entries if entry.purpose == "intermediate"]
    return max(((_end(entry) - dt.datetime.fromisoformat(entry.not_before)).days for entry in made), default=device_life)


def _reasons(roots: Sequence[Entry], intermediates: Sequence[Entry], device_life: int, span: int) -> Iterator[tuple[str, str]]:
    """Days by which something must be replaced, and what. An intermediate NAME.2 has replaced NAME.1, as has a newer one of its name."""
    newest: dict[str, Entry] = {}
    for entry in intermediates:
        family = _GENERATION.sub("", _name(entry))
        if family not in newest or _end(entry) >= _end(newest[family]):
            newest[family] = entry
    for entry in newest.values():
        yield _before(_end(entry), device_life), f"a successor of {_name(entry)}, under which a device still gets {device_life} days"
    for entry in roots[-1:]:
        yield _before(_end(entry), span), f"a new root after {_name(entry)}: an intermediate of {span} days fits under it no longer"


def _next_ceremony(reasons: Sequence[tuple[str, str]], sealed: dt.date, waiting: int) -> Duty:
    told = "; ".join(f"by {day} {what}" for day, what in sorted(reasons))
    text = f"The last sensible day for the next ceremony, with {LEAD_DAYS} days to spare: {told}."
    if waiting:
        text += f" {waiting} serial number{'s' * (waiting != 1)} that may have been signed wait{'s' * (waiting == 1)} for the next CRL."
    return Duty("ceremony", max(min(reasons)[0], sealed.isoformat()), "next ceremony", shown_text(text), "ceremony")


def _before(end: dt.datetime, days: int) -> str:
    return _last_day(end - dt.timedelta(days=days + LEAD_DAYS))


def _last_day(end: dt.datetime) -> str:
    """The last day of which a part is before `end`."""
    return (end - dt.timedelta(seconds=1)).date().isoformat()


def _end(entry: Entry) -> dt.datetime:
    return dt.datetime.fromisoformat(entry.not_after)


def _name(entry: Entry) -> str:
    place = place_of(entry.path) if entry.path else None
    return place[1] if place else entry.serial
