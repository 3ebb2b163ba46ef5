"""What `verify` asks of media: each bundle left on a fresh one of known serial; what came in was on one mounted read-only."""

from collections.abc import Iterator

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.physical import MediumSeen, MediumTaken
from ceremony.crossing.record import Answered, Deviation, data_as
from ceremony.crossing.subject import Subject
from ceremony.custody import same_fact
from ceremony.transcript import Line


def problems_with_media(subject: Subject) -> Iterator[str]:
    """Out: taken before the seal, once, by the serial that the system knows or two people typed. In: looked at before it was copied.

    What is no medium of its own, or could be written to, two people bore; a rehearsal is not held to that.
    """
    used = {serial.casefold() for serial in _used_before(subject)}
    for line, _ in subject.record.seals:
        taken = [(other, data_as(MediumTaken, other, value)) for other, value in _results(subject, "take-medium", line)]
        if not taken:
            yield f"no medium was taken for the bundle of line {line.seq}"
            continue
        other, medium = taken[-1]
        if not medium.serial or medium.serial.casefold() in used:
            yield f"the medium {medium.serial!r} (line {other.seq}) took a bundle before"
        used.add(medium.serial.casefold())
        yield from _problems_with_look(subject, other, medium.serial)
    for verb in ("import-request", "import-evidence", "import-attestation"):
        for line, _ in subject.record.results(verb):
            yield from _problems_with_look(subject, line, None)


def _problems_with_look(subject: Subject, line: Line, serial: str | None) -> Iterator[str]:
    """The last look at a medium before it is taken (with its `serial`) or copied from (None)."""
    looks = _results(subject, "look-at-medium", line)
    if not looks:
        yield f"nobody looked at the medium before line {line.seq}"
        return
    look, seen = looks[-1][0], data_as(MediumSeen, *looks[-1])
    if subject.record.opened.rehearsal:
        return
    fit = bool(seen.device) and (serial is not None or seen.read_only)
    between = (other for other in subject.record.of_type("deviation") if other.step == line.step and look.seq < other.seq < line.seq)
    if not fit and not any(data_as(Deviation, other).kind == "override" for other in between):
        yield f"the medium of line {line.seq} was not fit (line {look.seq}), and nobody overrode that"
    if serial is not None and serial != seen.serial and (seen.serial or not _typed_by_two(subject, look, line, serial)):
        yield f"the serial of line {line.seq} is neither the one of line {look.seq} nor typed by two people"


def _typed_by_two(subject: Subject, look: Line, line: Line, serial: str) -> bool:
    by: dict[str, set[str]] = {"first": set(), "second": set()}
    for other in subject.record.of_type("confirmed"):
        before, _, which = str(other.data.get("key")).rpartition("/")
        if other.step == line.step and look.seq < other.seq < line.seq and "/serial/" in before and which in by:
            answer = data_as(Answered, other)
            if same_fact(answer.value, serial):
                by[which].add(answer.by)
    return any(first != second for first in by["first"] for second in by["second"])


def _results(subject: Subject, verb: str, before: Line) -> list[tuple[Line, dict[str, object]]]:
    """The results of this verb in the step of a line, before it."""
    return [(line, value) for line, value in subject.record.results(verb) if line.step == before.step and line.seq < before.seq]


def _used_before(subject: Subject) -> set[str]:
    if subject.record.opened.previous is None or LEDGER not in subject.files:
        return set()
    return {serial for ceremony in read_ledger(subject.files[LEDGER]).ceremonies[:-1] for serial in ceremony.media}
