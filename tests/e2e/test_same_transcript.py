"""The same answers through the app, in lines and unattended: the same transcript, but for times and random values."""

import asyncio
import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from ceremony.commands.conducting import heading_of
from ceremony.engine.step import Interrupt
from ceremony.machine.site import Site
from ceremony.rehearsal import prepared
from ceremony.room.sign_statement import REHEARSAL_PASSPHRASE
from ceremony.session import Outcome, begun
from ceremony.tui.app import CeremonyApp
from tests.e2e.commands import PATIENCE, SCRIPTS, ceremony, command_line, environment
from tests.e2e.normalised import normalised
from tests.e2e.person import ENDED, asks, reaction, signature
from tests.e2e.secrets_kept import files_with, made_up_pin

SCRIPT = SCRIPTS / "root-generation.toml"
BAG = "BAG-0042"
PIN = made_up_pin()


def through_the_app(folder: Path) -> None:
    """The real app over a real session, by its pilot."""
    with begun(
        SCRIPT.read_bytes(),
        folder,
        site=Site(),
        inbox=None,
        outbox=None,
        previous=(),
        removed=(),
        rehearsed=prepared(SCRIPT.read_bytes(), folder, None, ()),
    ) as session:
        app: CeremonyApp[Outcome] = CeremonyApp(session.conduct, heading=heading_of(session))

        async def run() -> None:
            async with app.run_test(size=(80, 24)) as pilot:
                await played(app, pilot)

        try:
            asyncio.run(run())
        finally:
            app.face.close(Interrupt(kind="signal", text="the test is over", exit_code=1))
        assert app.outcome().reason == "closed"
        assert app.clipboard == ""


async def played(app: CeremonyApp[Outcome], pilot: Pilot[None]) -> None:
    """Answers from the screen, by real keys but for the letters of an answer, which are put into the field at once."""
    before = screen = ""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        # Private: Textual has no public way to plain text (its pilot gives SVG alone).
        screen = "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips()) + "\n"
        if ENDED in screen:
            await pilot.press("enter")
            return
        if not asks(screen) or signature(screen) == before:
            await pilot.pause(0.01)
            continue
        before = signature(screen)
        answer = reaction(screen, PIN, BAG)
        if answer == "PgDn":
            await pilot.press("pagedown")
            continue
        if isinstance(app.focused, Input):
            app.focused.insert_text_at_cursor(answer)
        await pilot.press("enter")
    raise AssertionError(f"it did not end; there is\n{screen}")


def in_lines(folder: Path) -> None:
    """Line mode in a pseudo-terminal, each line typed when it is asked for."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command_line("rehearse", SCRIPT, "--dir", folder, "--plain"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(),
        start_new_session=True,
    )
    os.close(theirs)
    said = ""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                said += os.read(ours, 1 << 16).decode().replace("\r\n", "\n")
            except OSError:
                break
        if answer := in_line(said):
            said = ""
            os.write(ours, answer.encode())
    os.close(ours)
    assert process.wait(PATIENCE) == 0, said


def in_line(said: str) -> str:
    """The line that a person types at this prompt; "" where none stands."""
    if said.endswith(("PIN: ", "again: ")):
        return f"{PIN}\n"
    if re.search(r"^passphrase of [^\n]*: $", said, re.MULTILINE):
        return f"{REHEARSAL_PASSPHRASE}\n"
    if not said.endswith("> "):
        return ""
    *_, instruction, _ = said.splitlines()
    kind, _, text = instruction.partition(": ")
    return {"Type": f"{text}\n", "Choose": f"{text.split(', ')[0]}\n"}.get(kind, f"{BAG}\n")


def unattended(folder: Path) -> None:
    """By an answers file that says the same."""
    answers = folder.with_suffix(".answers.toml")
    answers.write_text(f'[answers]\n"record/token-bag/1/first" = "{BAG}"\n"record/token-seal/1/first" = "{BAG}"\n')
    ended = ceremony("rehearse", SCRIPT, "--answers", answers, "--dir", folder)
    assert ended.code == 0, ended


@pytest.fixture(scope="module")
def one_by_unattended(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("unattended") / "D"
    unattended(folder)
    return normalised(folder)


@pytest.mark.parametrize("face", [through_the_app, in_lines], ids=lambda face: face.__name__)
def test_the_same_answers_make_the_same_transcript(face: Callable[[Path], None], one_by_unattended: list[Any], tmp_path: Path) -> None:
    face(tmp_path / "D")
    other = normalised(tmp_path / "D")
    assert len(other) == len(one_by_unattended) > 60
    for number, (line, expected) in enumerate(zip(other, one_by_unattended, strict=True), 1):
        assert line == expected, f"line {number}"
    assert files_with(tmp_path, PIN) == []


def test_what_is_normalised_is_not_everything(one_by_unattended: list[Any]) -> None:
    text = json.dumps(one_by_unattended)
    for kept in (BAG, "Kari Holm", "example-root-g1", "as-written", "ecdsa-sha384", "EXTRACTABLE", "REHEARSAL Example Devices Root CA G1"):
        assert kept in text
