"""Going on with a record: the fingerprint from paper first, so that it can't be rolled back or cut (design, rule 8)."""

from collections.abc import Sequence
from typing import Any

from ceremony.engine.answers import folded, problem_with
from ceremony.engine.conduct import Stopped
from ceremony.engine.facts import people_here
from ceremony.engine.step import Ask, Face, Interrupt, Notice, Person, Room
from ceremony.errors import CeremonyError, ExitCode
from ceremony.transcript import Line, Transcript
from ceremony.words import fingerprint_typed, grouped

NOTHING_ON_PAPER = "none"
"""The answer of people who have no paper yet, where the record does not know better: a crash came before it was written."""

_TRIES = 3
_RECEIPTS = ("make-bundle", "copy-out")


def resume(script: Any, transcript: Transcript, face: Face, room: Room) -> None:
    """Asks for the last fingerprint on paper, shows what came after it, asks who is here, and writes `resumed`.

    Raises CeremonyError RECORD-ENDED or RECORD-ROLLED-BACK, or Stopped when somebody would rather not go on.
    """
    lines = transcript.lines
    if lines[-1].type in ("aborted", "closed"):
        raise CeremonyError("RECORD-ENDED", f"This ceremony was {lines[-1].type} at {lines[-1].time}.")
    people = people_here(lines) or {person.id: script.person(person.id) for person in script.participants}
    first, second = [id for id, person in people.items() if person.role != "observer"][:2]
    typed = _fingerprint_from_paper(lines, first, face) if last_announced(lines) else None
    after = lines[typed.seq :] if typed else lines
    confirmed = [] if is_receipts_only(after) and not transcript.torn else _confirm_lines(after, transcript, (first, second), people, face)
    if lines[-1].type != "paused" or lines[-1].data["reason"] != "crossing":
        _roll_call(people, face)
    torn = transcript.torn
    described = room.describe()
    transcript.append(
        "resumed",
        {
            "fingerprint_typed": typed.sha256 if typed else None,
            "lines_after": len(after),
            "confirmed_by": confirmed,
            "torn": {"length": torn.length, "sha256": torn.sha256} if torn else None,
            **{name: described[name] for name in ("tool", "module", "machine", "environment_removed")},
        },
        actor=first,
    )


def is_announced(line: Line) -> bool:
    """Whether this line's fingerprint is one that goes onto paper: a seal, or a pause that followed no seal of its own."""
    return line.type == "sealed" or (line.type == "paused" and line.data["reason"] != "crossing")


def last_announced(lines: Sequence[Line]) -> Line | None:
    """The last line whose fingerprint went onto paper; None before the first."""
    return next((line for line in reversed(lines) if is_announced(line)), None)


def is_receipts_only(after: Sequence[Line]) -> bool:
    """Whether the lines after the fingerprint are nothing but the receipts of that export and its pause."""
    return all(
        (line.type == "confirmed" and str(line.data["key"]).startswith("paper/"))
        or (line.type in ("intent", "result") and line.data["verb"] in _RECEIPTS)
        or (line.type == "paused" and line.data["reason"] == "crossing")
        for line in after
    )


def _has_been_on_paper(lines: Sequence[Line]) -> bool:
    """Whether the record itself tells of a fingerprint on paper: somebody typed from it."""
    return any(
        (line.type == "confirmed" and str(line.data["key"]).startswith("paper/"))
        or (line.type == "resumed" and line.data["fingerprint_typed"] is not None)
        for line in lines
    )


def _fingerprint_from_paper(lines: Sequence[Line], by: str, face: Face) -> Line | None:
    """The line whose fingerprint stands on paper; None when there is no paper, and the record does not tell of one."""
    announced = [line for line in lines if is_announced(line)]
    without = () if _has_been_on_paper(lines) else (NOTHING_ON_PAPER,)
    shown = ["Before anything is shown: the fingerprint that was written down last.", "It proves that this record is the one, and whole."]
    if without:
        shown.append(f"If no fingerprint was ever written on paper, answer: {NOTHING_ON_PAPER}")
    text = "The last fingerprint from the paper: 64 hex digits or 32 words."
    ask = Ask(key="resume/fingerprint", text=text, by=by, shown=tuple(shown), accept=announced[-1].sha256, blind=True, choices=without)
    for _ in range(_TRIES):
        reply = _asked_once(face, ask)
        if reply is None:
            continue
        if folded(reply) in without:
            return None
        try:
            typed = fingerprint_typed(reply)
        except ValueError as why:
            face.tell(Notice(kind="error", lines=(f"{why}.",)))
            continue
        for line in announced:
            if line.sha256 == typed:
                return line
        face.tell(Notice(kind="error", lines=("This fingerprint is not in this record. Read the paper again.",)))
    raise CeremonyError("RECORD-ROLLED-BACK", "The fingerprint from paper is not in this transcript.", state="The record was not changed.")


def _confirm_lines(
    after: Sequence[Line], transcript: Transcript, by: tuple[str, str], people: dict[str, Person], face: Face
) -> list[dict[str, str]]:
    shown = [f"{len(after)} lines follow the last fingerprint on paper (or no fingerprint was written yet):", *map(_line_text, after)]
    if transcript.torn:
        shown.append(f"A line of {transcript.torn.length} bytes without its end was set aside: it had never been announced.")
    shown.append(f"The record ends with {grouped(transcript.fingerprint)}")
    for person in by:
        text = "Is this what happened before the interruption?"
        _asked(face, Ask(key=f"resume/lines/{person}", text=text, by=person, shown=tuple(shown), accept="confirmed"))
    return [{"id": person, "name": people[person].name} for person in by]


def _line_text(line: Line) -> str:
    what = line.data.get("title") or line.data.get("verb") or line.data.get("key") or line.data.get("reason") or ""
    return f"  {line.seq:4} {line.time} {line.type} {what}"


def _roll_call(people: dict[str, Person], face: Face) -> None:
    for id, person in people.items():
        text = f"{person.name} ({person.role}): are you here?"
        _asked(face, Ask(key=f"resume/present/{id}", text=text, by=id, accept="present"))


def _asked(face: Face, ask: Ask) -> None:
    while True:
        reply = _asked_once(face, ask)
        if reply is None:
            continue
        problem = problem_with(ask, reply)
        if problem is None:
            return
        face.tell(Notice(kind="error", lines=(problem,)))


def _asked_once(face: Face, ask: Ask) -> str | None:
    """Asks before the record is open for writing: a pause or an abort just leaves, and nothing is written. None for a deviation."""
    reply = face.ask(ask)
    if not isinstance(reply, Interrupt):
        return reply.value
    if reply.kind != "deviation":
        raise Stopped("not-resumed", reply.exit_code or ExitCode.ABORTED, "The record was not changed.")
    face.tell(Notice(kind="error", lines=("Nothing can be recorded before the record is resumed. Note the deviation after it.",)))
    return None
