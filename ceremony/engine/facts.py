"""What the record says has happened, folded from its lines. Facts survive a pause; resources do not and are not here."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from ceremony.engine.answers import problem_with
from ceremony.engine.step import Act, Ask, Known, Person, Request, Write
from ceremony.transcript import Line

_REPLAYED = ("confirmed", "ordered", "signed-off", "sealed", "closed")


def finished_steps(lines: Sequence[Line]) -> int:
    """How many steps are done."""
    return sum(line.type == "step-finished" for line in lines)


class Past:
    """What the lines of a record say, folded as it grows: each line is looked at once, however many steps there are.

    It is asked for one step after the other, from the first.
    """

    def __init__(self, script: Any, lines: Sequence[Line]) -> None:
        self._script, self._lines, self._read = script, lines, 0
        self._not_before: list[Line] = []
        self._products: dict[str, Any] = {}
        self._people: dict[str, Person] = {}
        self._artifacts: list[dict[str, Any]] = []
        self._seals: list[str] = []
        self._deviations = 0

    def before(self, step: int) -> Known:
        """What step number `step` (from 1) may know: what was before it. Nothing of its own lines, so that its replay is the same."""
        waiting, self._not_before = [*self._not_before, *self._lines[self._read :]], []
        self._read = len(self._lines)
        for line in waiting:
            if line.step is None or line.step < step:
                self._fold(line)
            else:
                self._not_before.append(line)
        return Known(
            script=self._script,
            products=dict(self._products),
            opened=self._lines[0].data,
            step=step,
            people=self._people,
            artifacts=tuple(self._artifacts),
            seals=tuple(self._seals),
            deviations=self._deviations,
        )

    def of(self, step: int) -> list[Line]:
        """The lines of the step that was asked for last: there are some when it was begun before, in this session or an earlier one."""
        return [line for line in (*self._not_before, *self._lines[self._read :]) if line.step == step]

    def _fold(self, line: Line) -> None:
        if line.type == "step-finished":
            self._products |= line.data["products"]
            if "people" in line.data["products"]:
                self._people = people_of(line)
        elif line.type == "result" and line.data["verb"] == "write-artifact" and "value" in line.data:
            self._artifacts.append(line.data["value"])
        elif line.type == "sealed":
            self._seals.append(line.sha256)
        self._deviations += line.type == "deviation"


def known(script: Any, lines: Sequence[Line], step: int) -> Known:
    """What step number `step` (from 1) may know, by itself."""
    return Past(script, lines).before(step)


def people_here(lines: Sequence[Line]) -> dict[str, Person]:
    """Who answered the last roll-call, by participant's id; nobody before the first."""
    for line in reversed(lines):
        if line.type == "step-finished" and "people" in line.data["products"]:
            return people_of(line)
    return {}


def people_of(finished: Line) -> dict[str, Person]:
    """Who answered the roll-call that this line ends; nobody where it ends something else."""
    return {id: msgspec.convert(person, Person) for id, person in finished.data["products"].get("people", {}).items()}


def facts_of(lines: Sequence[Line], step: int) -> deque[Line]:
    """The recorded answers to what this step asked for, in order: what a replay of the step is fed."""
    return deque(line for line in lines if line.step == step and _is_fact(line))


def _is_fact(line: Line) -> bool:
    if _is_aside(line):
        return False
    match line.type:
        case "result":
            return "value" in line.data
        case "deviation":
            return bool(line.data["class"] == "override")
        case "paused":
            return bool(line.data["reason"] == "crossing")
        case _:
            return line.type in _REPLAYED


def _is_aside(line: Line) -> bool:
    """A login, or what was done to settle an interruption: the step itself did not ask for it."""
    return bool(line.data.get("resource", False) or line.data.get("recovery", False))


def open_intents(lines: Sequence[Line], step: int) -> dict[str, Line]:
    """The intents of this step whose outcome the record does not hold, by their keys: they may or may not have been done."""
    found: dict[str, Line] = {}
    for line in lines:
        if line.step == step:
            settle(found, line)
    return found


def settle(found: dict[str, Line], line: Line) -> None:
    """Enters what this line intends, or removes what it is the result of."""
    if line.type in ("intent", "result") and not _is_aside(line):
        found.pop(line.data["key"], None)
        if line.type == "intent":
            found[line.data["key"]] = line


def _intent_of(result: Line, lines: Sequence[Line]) -> Line | None:
    """The intent that was open when this result was written."""
    for place in range(result.seq - 1, 0, -1):
        line = lines[place - 1]
        if line.step not in (result.step, None):
            return None
        if line.type in ("intent", "result") and line.data["key"] == result.data["key"] and not _is_aside(line):
            return line if line.type == "intent" else None
    return None


def answers(fact: Line, request: Request, lines: Sequence[Line]) -> bool:
    """Whether this line is the recorded answer to what the step asks for now, and would be taken as one today."""
    match request:
        case Ask():
            same = (fact.type, fact.data.get("key"), fact.data.get("by")) == (
                "ordered" if request.order else "confirmed",
                request.key,
                request.by,
            )
            return same and problem_with(request, str(fact.data["value"])) is None
        case Act():
            if (fact.type, fact.data.get("key"), fact.data.get("verb")) != ("result", request.key, request.verb):
                return False
            intent = _intent_of(fact, lines)
            return intent is not None and intends(intent, request)
        case Write():
            return fact.type == request.type and fact.data == request.data
    return False


def intends(intent: Line, act: Act) -> bool:
    """Whether this intent is for this very act."""
    return (intent.data["key"], intent.data["verb"], intent.data["args"]) == (act.key, act.verb, act.args)


def value_of(fact: Line) -> Any:
    """What the step received for this fact."""
    return fact.data["value"] if fact.type in ("confirmed", "ordered", "result") else fact.sha256
