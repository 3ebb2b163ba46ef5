"""What the transcript says of statements: what people signed with credentials of their own, read as data."""

from typing import Any, Literal

import msgspec

from ceremony.crossing.record import Record, data_as
from ceremony.errors import CeremonyError
from ceremony.transcript import Line


class SignedOff(msgspec.Struct, frozen=True):
    """`signed-off`: a person's statement on the record up to this line."""

    context: str
    ceremony: str
    rehearsal: bool
    participant: str
    name: str
    role: str
    statement: Literal["as-written", "with-deviations", "refused"]
    credential: str
    line: str
    signature: str


class StatementAsked(msgspec.Struct, frozen=True):
    """The arguments of `sign-statement`: who signs, with which credential (roster text), and what."""

    participant: str
    name: str
    credential: str
    statement: dict[str, Any]


class StatementMade(msgspec.Struct, frozen=True):
    """The value of `sign-statement`: the signature in hex, and SHA-256 (hex) of the line before it, which it covers."""

    signature: str
    line: str
    credential: str


class Statement(msgspec.Struct, frozen=True):
    """Something signed with a person's credential; `line` is the result's."""

    line: Line
    asked: StatementAsked
    made: StatementMade

    @property
    def context(self) -> Any:
        """What kind of statement it says it is (see activation.statements)."""
        return self.asked.statement.get("context")


def statements_in(record: Record) -> list[Statement]:
    """What was signed with people's credentials, in order. Raises CeremonyError RECORD-BROKEN."""
    found: list[Statement] = []
    intended: dict[tuple[int | None, str], StatementAsked] = {}
    for line, act in record.acts_of("sign-statement"):
        if line.type == "intent":
            intended[line.step, act.key] = data_as(StatementAsked, line, act.args)
        elif act.value is not None:
            asked = intended.get((line.step, act.key))
            if asked is None:
                what = f"Line {line.seq} of the transcript: the result of a statement that no line intends."
                raise CeremonyError("RECORD-BROKEN", what)
            found.append(Statement(line, asked, data_as(StatementMade, line, act.value)))
    return found
