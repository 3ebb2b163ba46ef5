"""What `verify` asks of a roll-over: the two cross-certificates, both roots behind them, and that no intermediate was forgotten."""

import datetime as dt
from collections.abc import Iterator

from ceremony.crossing.artifacts import place_of
from ceremony.crossing.checks_of_certificates import is_carried_on
from ceremony.crossing.ledger import certified_in
from ceremony.crossing.roots import living_roots
from ceremony.crossing.subject import CertificateFile, Subject
from ceremony.errors import CeremonyError
from ceremony.pki.certificates import problems_with_certificate
from ceremony.pki.roll_over import RollOverTable, cross_path, cross_profile, holes, refuse_other_root
from ceremony.words import sha256_hex


def problems_with_cross_certificates(subject: Subject) -> Iterator[str]:
    """Each holds one root's key and is signed by the other; made here by [roll_over], or carried over; none that still matters is lost."""
    table = subject.script.roll_over
    made: set[str] = set()
    for cross in subject.of_kind("cross-certificate"):
        path, place = cross.artifact.path, place_of(cross.artifact.path)
        roots = [subject.roots.get(label) for label in place[1].split("/")] if place else []
        of, by = roots if len(roots) == 2 else (None, None)
        if of is None or by is None or of is by:
            yield f"{path}: the two roots that it names are not here"
            continue
        if cross.public_key_der != of.public_key_der:
            yield f"{path} holds another key than that of the root that it names"
        if not cross.is_signed_by(by.public_key_der):
            yield f"{path} was not signed by the root that it names"
        if is_carried_on(subject, cross):
            continue
        made.add(path)
        if table is None or path not in _paths(subject, table):
            yield f"{path}: the script has no roll-over between these roots"
            continue
        yield from _problems_with_profile(subject, table, cross, of, by)
    yield from _lost(subject)
    if table is not None:
        yield from _problems_with_roll_over(subject, table, made)


def _paths(subject: Subject, table: RollOverTable) -> set[str]:
    new = subject.script.root.label
    return {cross_path(new, table.label), cross_path(table.label, new)}


def _problems_with_profile(
    subject: Subject, table: RollOverTable, cross: CertificateFile, of: CertificateFile, by: CertificateFile
) -> Iterator[str]:
    try:
        profile = cross_profile(of.der, by.der, _day(subject, cross), table.overlap_until)
    except CeremonyError as refused:
        yield f"{cross.artifact.path}: {refused.code}: {refused.what}"
        return
    yield from (f"{cross.artifact.path}: {problem}" for problem in problems_with_certificate(cross.der, profile))


def _lost(subject: Subject) -> Iterator[str]:
    """Cross-certificates of earlier ceremonies between roots that live go on in every bundle."""
    lives = {root.label for root in living_roots(subject.earlier)} | {subject.script.root.label}
    for entry in (entry for ceremony in subject.earlier for entry in ceremony.entries if entry.purpose == "cross" and entry.path):
        place = place_of(str(entry.path))
        if place and lives.issuperset(place[1].split("/")) and entry.path not in subject.files:
            yield f"{entry.path}, which an earlier ceremony made, is not here"


def _problems_with_roll_over(subject: Subject, table: RollOverTable, made: set[str]) -> Iterator[str]:
    """The old root is as the approved script says; nothing of it is stranded; when its step is done, both certificates are here."""
    old, rehearsal = subject.roots.get(table.label), subject.record.opened.rehearsal
    if old is None:
        yield f"the old root, {table.label}, is not here"
        return
    try:
        refuse_other_root(table, old.der, rehearsal=rehearsal)
    except CeremonyError as refused:
        yield f"{refused.code}: {refused.what}"
    days = [line for line in subject.record.of_type("step-finished") if (line.data.get("products") or {}).get("ceremony_day")]
    if days:
        day = dt.date.fromisoformat(str(days[0].data["products"]["ceremony_day"]))
        certified = certified_in(subject.earlier)
        found = holes(table, subject.script.intermediates, certified, sha256_hex(old.der), day, rehearsal=rehearsal)
        yield from (f"ROLL-OVER-HOLE: {hole}" for hole in found)
    finished = {line.step for line in subject.record.of_type("step-finished")}
    done = any(step.kind == "cross-certify" and number in finished for number, step in enumerate(subject.script.steps, 1))
    if done:
        yield from (f"{path}, which the step cross-certify makes, is not here" for path in sorted(_paths(subject, table) - made))


def _day(subject: Subject, cross: CertificateFile) -> dt.date:
    products = subject.record.products(subject.record.steps_of_artifacts.get(cross.artifact.path))
    try:
        return dt.date.fromisoformat(products.ceremony_day or "")
    except ValueError as broken:
        raise CeremonyError("RECORD-BROKEN", "Nobody agreed on the day before the signature.") from broken
