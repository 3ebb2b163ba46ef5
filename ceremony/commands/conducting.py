"""Puts a session before people: in the app, in line mode, or unattended."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ceremony.commands.files import say, this_command
from ceremony.engine.facts import people_here
from ceremony.engine.step import Face
from ceremony.errors import CeremonyError
from ceremony.said import digest_lines
from ceremony.session import Outcome, Session
from ceremony.unattended import PASSPHRASE_KEY, SECRET_KEY, Answers, Unattended, read_answers

if TYPE_CHECKING:
    from ceremony.tui.heading import Heading


def read_answers_file(path: Path | None) -> Answers | None:
    """The answers file. Raises CeremonyError ANSWERS-BROKEN, ANSWERS-UNKNOWN, SCRIPT-UNREADABLE."""
    if path is None:
        return None
    try:
        return read_answers(path.read_bytes())
    except OSError as failed:
        raise CeremonyError(
            "ANSWERS-BROKEN", f"The answers file {path} could not be read: {failed.strerror}.", state="Nothing was begun."
        ) from failed


def unattended(session: Session, answers: Answers | None, *, silent: bool = False) -> Unattended:
    """The face that answers by itself, told the kinds of the script's steps; `silent` where an app shows what it says."""
    kinds = [str(step.__struct_config__.tag) for step in session.script.steps]
    face = Unattended(answers, (lambda line: None) if silent else (lambda line: say(str(line))), kinds=kinds)
    for line in session.transcript.lines:
        if line.type in ("confirmed", "ordered"):
            face.passed(line.step or 0, line.data["key"])
        elif line.type == "result" and line.data["verb"] in ("login", "initialise-token"):
            face.passed(line.step or 0, SECRET_KEY)
        elif line.type == "result" and line.data["verb"] == "sign-statement":
            face.passed(line.step or 0, PASSPHRASE_KEY)
        elif line.type == "paused" and line.data["reason"] == "crossing":
            face.passed(line.step or 0, "go-on")
    return face


def held(session: Session, *, plain: bool, answers: Answers | None = None, alone: bool = False) -> int:
    """Conducts the session; `alone`: unattended. Says how it ended and returns the exit code."""
    if alone:
        face = unattended(session, answers)
        with face.signals():
            outcome = session.conduct(face)
        if outcome.reason == "closed":
            face.finish()
    elif plain:
        outcome = in_plain_lines(session)
    else:
        outcome = in_the_app(session)
    return told(outcome)


def in_plain_lines(session: Session) -> Outcome:
    """Line mode, with signals as recorded stops."""
    from ceremony.plain import Plain

    face = Plain(PeopleOf(session))
    with face.signals():
        return session.conduct(face)


def in_the_app(
    session: Session, autoplay: Unattended | None = None, between: Callable[[Face], Face] = lambda face: face
) -> Outcome:
    """The Textual app. The terminal was looked at before anything was begun (see `fit_terminal`).

    `between` gives the face that the session talks to, from the app's own.
    """
    from ceremony.tui.app import run_app

    def ending(outcome: Outcome) -> list[str]:
        return [f"Ended: {outcome.text or outcome.reason}"]

    return run_app(lambda face: session.conduct(between(face)), heading=heading_of(session), autoplay=autoplay, ending=ending)


def heading_of(session: Session) -> "Heading":
    """What the app's screen knows before the first question, from script and record."""
    from ceremony.tui.heading import Heading, StepHeading

    finished = {line.step: line.time for line in session.transcript.lines if line.type == "step-finished"}
    steps = [StepHeading(number, step.title, finished.get(number, "")) for number, step in enumerate(session.script.steps, 1)]
    return Heading(session.script.title, session.rehearsal, steps, PeopleOf(session))


def fit_terminal(plain: bool) -> None:
    """Raises CeremonyError TERMINAL-… when the app can't be shown here; before anything is begun.

    Where it can, the app is loaded beside what comes next: the token's module starts in a process of its own, and is waited for.
    """
    import os
    import threading

    from ceremony.machine.terminal import problem_with_terminal

    if plain:
        return
    if problem := problem_with_terminal(sys.stdin, sys.stderr, os.environ):
        raise problem
    threading.Thread(target=_load_app, name="loading").start()


def _load_app() -> None:
    # What is wrong with it is told where the app is wanted.
    with suppress(Exception):
        importlib.import_module("ceremony.tui.app")


class PeopleOf(Mapping[str, tuple[str, str]]):
    """Name and role by participant's id: of those who answered the last roll-call, else as the script says."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getitem__(self, id: str) -> tuple[str, str]:
        here = people_here(self._session.transcript.lines).get(id)
        if here is not None:
            return here.name, here.role
        participant = next((entry for entry in self._session.script.participants if entry.id == id), None)
        if participant is None:
            raise KeyError(id)
        return participant.name, participant.role

    def __iter__(self) -> Iterator[str]:
        return (participant.id for participant in self._session.script.participants)

    def __len__(self) -> int:
        return len(self._session.script.participants)


def told(outcome: Outcome) -> int:
    """Says on stderr how a session ended and what to do next."""
    say("", f"Ended: {outcome.text or outcome.reason}", f"Folder: {outcome.folder}")
    if outcome.media:
        say("The token is locked, the module's process has ended. Take out and count:", *(f"  {place}" for place in outcome.media))
    if outcome.fingerprint:
        say("Fingerprint (SHA-256) to be on paper:", *digest_lines(outcome.fingerprint))
    if outcome.reason == "closed":
        bundle = max((outcome.folder / "bundles").iterdir(), key=lambda path: int(path.name))
        say("Anyone verifies it by:", f"  {this_command()} verify {bundle} --fingerprint {outcome.fingerprint}")
    elif outcome.reason in ("crossing", "operator", "signal", "error"):
        say("Go on by:", f"  {this_command()} resume --dir {outcome.folder}")
    return outcome.exit_code
