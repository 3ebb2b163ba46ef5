"""A ceremony of as many steps as one wants: two people agree on the clock, over and over, in a record on a disk."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from ceremony.engine.conduct import Session
from ceremony.engine.step import Act, Answer, Ask, AskSecret, Notice, Person, PinInForce, Secret
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.script import Window
from ceremony.steps.check_clock import CheckClock
from ceremony.transcript import Transcript

LINES_OF_A_STEP: Final = 6


class Agreeing:
    """A face whose people agree to everything."""

    def ask(self, ask: Ask) -> Answer:
        """The first choice."""
        return Answer(ask.choices[0], ask.by)

    def tell(self, notice: Notice) -> None:
        """Nothing."""

    def secret(self, secret: Secret) -> bytearray:
        """No step here asks for one."""
        raise AssertionError("a step asked for a secret")


class Nowhere:
    """A room with a clock and nothing else."""

    unlocked = False

    def describe(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def do(self, act: Act, secret: AskSecret, insist: bool) -> dict[str, Any]:
        """Reads the clock."""
        return {"utc": "2026-11-24T09:00:00Z", "problems": []}

    def do_all(self, acts: Sequence[Act], secret: AskSecret) -> tuple[list[dict[str, Any]], CeremonyError | None]:
        """No step here has acts that go together."""
        raise AssertionError("a step has acts that go together")

    def look_for(self, act: Act) -> None:
        """Nothing is interrupted here."""

    def left_by(self, act: Act) -> None:
        """Nothing is interrupted here."""

    def undo(self, act: Act, secret: AskSecret) -> None:
        """Nothing is interrupted here."""

    def unlock(self, secret: AskSecret, insist: bool, pin: PinInForce, givers: tuple[str, ...]) -> dict[str, Any]:
        """There is no token."""
        raise AssertionError("a step unlocked a token")

    def lock(self) -> None:
        """There is no token."""


@dataclass(frozen=True)
class ManySteps:
    """As much of a script as these steps ask for."""

    steps: tuple[CheckClock, ...]
    window: Window = Window(first=date(2026, 11, 24), last=date(2026, 11, 28))

    def person(self, id: str) -> Person:
        """Everybody is a witness."""
        return Person(id, "witness")


class Ceremony:
    """One that is being held; `steps` are done one after the other, each line flushed to the disk."""

    def __init__(self, record: Path) -> None:
        self._step = CheckClock(title="Agree on the clock", actor="admin", confirm=("witness-1",))
        self._transcript = Transcript(record, now)
        self._transcript.append("opened", {"rehearsal": True}, prev="0" * 64)
        self._session = Session(ManySteps((self._step,)), self._transcript, Agreeing(), Nowhere())
        self._number = 0

    def steps(self, count: int, *, flushed: bool = True) -> None:
        """Holds so many steps more; not `flushed`: to have a long record soon."""
        with nullcontext() if flushed else patch.object(os, "fsync"):
            for _ in range(count):
                self._number += 1
                self._session.conduct_step(self._number, self._step)

    def close(self) -> None:
        """Gives the record back."""
        self._transcript.close()
