"""What `verify` asks of how the key generation was witnessed, by the kind of evidence that the script names."""

from collections.abc import Iterable, Iterator

import msgspec

from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.statements import SignedOff
from ceremony.crossing.subject import Subject
from ceremony.transcript import Line

_WITNESSING = {"witness", "auditor"}


class _Fact(msgspec.Struct, frozen=True):
    what: str


class _Recorded(msgspec.Struct, frozen=True):
    physical: tuple[_Fact, ...] = ()


def problems_with_evidence(subject: Subject) -> Iterable[str]:
    """A witness or an auditor confirmed each key generation; a qualified auditor signed it off; a video has its start and its stop."""
    for made, _ in subject.record.results("generate-key"):
        confirming = _roles_that_confirmed(subject, made)
        match subject.script.evidence:
            case "witness" if confirming.isdisjoint(_WITNESSING):
                yield f"neither a witness nor an auditor confirmed the key generation (line {made.seq})"
            case "qualified-auditor":
                yield from _problems_with_auditor(subject, made, confirming)
            case "video":
                yield from _problems_with_video(subject, made)


def _roles_that_confirmed(subject: Subject, made: Line) -> set[str]:
    """Of those who confirmed in the same step, after the key was there."""
    answers = (line for line in subject.record.of_type("confirmed") if line.step == made.step and line.seq > made.seq)
    return {data_as(Answered, line).role for line in answers}


def _problems_with_auditor(subject: Subject, made: Line, confirming: set[str]) -> Iterator[str]:
    if "auditor" not in confirming:
        yield f"no auditor confirmed the key generation (line {made.seq})"
    seal = next(line for line in subject.record.of_type("sealed") if line.seq > made.seq)
    signed = [data_as(SignedOff, line) for line in subject.record.of_type("signed-off") if made.seq < line.seq < seal.seq]
    if not any(one.role == "auditor" and one.statement != "refused" for one in signed):
        yield f"no auditor signed off between the key generation (line {made.seq}) and the seal in line {seal.seq}"


def _problems_with_video(subject: Subject, made: Line) -> Iterator[str]:
    moments = [*_moments(subject)]
    before = [what for line, what in moments if line.seq < made.seq]
    if not before or before[-1] != "video-start":
        yield f"no camera was recorded as running when the key was made (line {made.seq})"
    if not any(what == "video-stop" for line, what in moments if line.seq > made.seq):
        yield f"no stop of the camera was recorded after the key was made (line {made.seq})"


def _moments(subject: Subject) -> Iterator[tuple[Line, str]]:
    """Each start and stop of a camera, with the line that ends the step which wrote it down; what steps leave adds up."""
    known = 0
    for line in subject.record.of_type("step-finished"):
        physical = data_as(_Recorded, line, line.data.get("products") or {}).physical
        for fact in physical[known:]:
            if fact.what.startswith("video-"):
                yield line, fact.what
        known = max(known, len(physical))
