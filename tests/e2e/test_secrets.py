"""A made-up PIN stands in no file, process, terminal or log, also when the program fails or is stopped with the PIN half typed."""

import base64
import re
import time
from pathlib import Path

import pytest

from ceremony.room.sign_statement import REHEARSAL_PASSPHRASE
from tests.e2e.commands import PATIENCE, ROOT, SCRIPTS
from tests.e2e.held import lines_of, nothing_half_written
from tests.e2e.person import Person
from tests.e2e.secrets_kept import files_with, forms, held_by, made_up_pin, processes_with, terminal_without
from tests.e2e.tmux import Tmux, terminal

SCRIPT = SCRIPTS / "root-generation.toml"
NEW_PIN, UNLOCK = "SO PIN Type it twice.", "user PIN Type it. "


def stands_nowhere(pin: str, folder: Path, tmux: Tmux) -> None:
    """Files below the test's folder (the record, the token store, tmux's log of the terminal), terminal, processes, Textual's logs."""
    terminal_without(tmux, pin)
    assert files_with(folder, pin) == []
    assert processes_with(tmux.pids(), pin) == []
    assert not (folder / "textual.log").exists()
    assert not (ROOT / "keys.log").exists()


def up_to(question: str, tmux: Tmux, pin: str) -> Person:
    person = Person(tmux, pin)
    person.play(until=question)
    return person


@pytest.mark.parametrize(
    ("bug", "question"),
    [
        ("handler", NEW_PIN),
        ("handler-message", NEW_PIN),
        ("loop", UNLOCK),
    ],
)
def test_a_crash_shows_no_pin(bug: str, question: str, tmp_path: Path) -> None:
    pin = made_up_pin()
    with terminal(
        tmp_path / "tmux", "rehearse", SCRIPT, "--dir", tmp_path / "D", module="tests.e2e.spoilt", environ={"SPOILT": bug}
    ) as tmux:
        up_to(question, tmux, pin)
        tmux.type(pin)
        assert tmux.exit_code() == 1
        assert tmux.flags() == "0 1"
        assert "Code: INTERNAL" in tmux.history()
        stands_nowhere(pin, tmp_path, tmux)
    last = lines_of(tmp_path / "D")[-1]
    assert last.type in ("intent", "paused"), last
    nothing_half_written(tmp_path / "D")


def test_ctrl_c_in_the_field_copies_nothing_and_stops(tmp_path: Path) -> None:
    pin = made_up_pin()
    # Each would make Textual write what is typed to a file.
    logs = {"TEXTUAL_LOG": str(tmp_path / "textual.log"), "TEXTUAL_DEBUG": "1"}
    with terminal(tmp_path / "tmux", "rehearse", SCRIPT, "--dir", tmp_path / "D", environ=logs) as tmux:
        up_to(NEW_PIN, tmux, pin)
        tmux.keys(*pin)
        # Textual's own: Home, select to the end, copy, cut.
        for key in ("Home", "S-End", "C-c"):
            tmux.keys(key)
        tmux.until("Stop here?")
        tmux.keys("Escape")
        tmux.until_gone("Stop here?")
        tmux.keys("C-x")
        stands_nowhere(pin, tmp_path, tmux)
        tmux.keys("C-c", "C-c")
        tmux.until("The session has ended")
        tmux.keys("Enter")
        assert tmux.exit_code() == 130
        assert tmux.flags() == "0 1"
        stands_nowhere(pin, tmp_path, tmux)
    assert lines_of(tmp_path / "D")[-1].data["reason"] == "signal"


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["app", "lines"])
def test_sigterm_with_the_pin_half_typed(options: list[str], tmp_path: Path) -> None:
    pin = made_up_pin()
    with terminal(tmp_path / "tmux", "rehearse", SCRIPT, "--dir", tmp_path / "D", *options) as tmux:
        if options:
            plain_up_to_the_pin(tmux)
        else:
            up_to(NEW_PIN, tmux, pin)
        tmux.keys(*pin)
        tmux.signal("TERM")
        assert tmux.exit_code() == 143
        assert tmux.flags() == "0 1"
        stands_nowhere(pin, tmp_path, tmux)
    assert lines_of(tmp_path / "D")[-1].data["reason"] == "signal"


def plain_up_to_the_pin(tmux: Tmux) -> None:
    """Line mode as far as the first PIN, read from the terminal's own log."""
    answered = 0
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        said = tmux.raw.read_text().replace("\r\n", "\n")
        if said.endswith("SO PIN: "):
            return
        prompts = re.findall(r"^(?:> |passphrase of .*: )", said, re.MULTILINE)
        if not prompts or not said.endswith(prompts[-1]) or len(prompts) == answered:
            time.sleep(0.03)
            continue
        answered = len(prompts)
        if prompts[-1] != "> ":
            tmux.type(REHEARSAL_PASSPHRASE)
            continue
        kind, _, text = said.splitlines()[-2].partition(": ")
        tmux.type({"Type": text, "Choose": text.split(", ")[0]}.get(kind, "BAG-0042"))
    raise AssertionError(f"no PIN was asked for; there is\n{tmux.screen()}")


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    pin = made_up_pin()
    (tmp_path / "log").write_bytes(b"\x1b]52;c;" + base64.b64encode(f"the PIN is {pin}.".encode()) + b"\x07")
    (tmp_path / f"{pin}.txt").touch()
    assert len(files_with(tmp_path, pin)) == 2
    assert all(held_by(b"..." + form + b"...", pin) for form in forms(pin))
    with terminal(tmp_path / "tmux", "demo", "--out", tmp_path / "demo" / pin) as tmux:
        tmux.until("PLAYING BY ITSELF")
        assert processes_with(tmux.pids(), pin)
