"""A whole rehearsal in a real terminal, key by key, with colours and without; each screen is looked at, some are goldens."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceremony.tui.glyphs import BULLET, CONSOLE_SAFE
from ceremony.words import words_of
from tests.e2e.commands import SCRIPTS, done, last_bundle
from tests.e2e.held import lines_of, status
from tests.e2e.person import Person
from tests.e2e.secrets_kept import files_with, made_up_pin, processes_with, terminal_without
from tests.e2e.tmux import COLUMNS, LINES, terminal

GOLDENS = Path(__file__).parent / "goldens"
_WORD = "|".join(sorted({word for byte in range(256) for word in words_of(bytes([byte, byte]))}, key=len, reverse=True))

SETTLING = 1.5

LOOKED_AT = {
    "choice": "Who is here as administrator",
    "free-text": "Nils Berg (crypto-officer): Number on the bag of the token (bag)",
    "read-from-the-thing": "Type it again from the thing itself: Number on the bag",
    "new-pin": "SO PIN Type it twice.",
    "pin": "user PIN Type it. ",
    "order": "This is the order to sign: the first four words of the digest. Type: ",
    "fingerprint": "Compare your paper with the screen: the first four words.",
}
"""Screens kept as goldens, by the question that stands on them; each is kept when it first comes."""

OVER = {"F1": "REHEARSAL: Help", "F2": "REHEARSAL: Record a deviation", "F3": "REHEARSAL: Looking back", "F10": "REHEARSAL: Stop here?"}
"""What lies over the first screen, by the key for it. Their goldens are in tests/faces."""


def normalised(screen: str) -> str:
    """A screen without what differs from run to run and from machine to machine; what stands in a column stays there."""
    text = screen
    text = re.sub(r"\b[0-9a-f]{16,}\b", lambda found: "#" * len(found[0]), text)
    text = re.sub(r"\b[0-9a-f]{4}(?: [0-9a-f]{4})+\b", lambda found: re.sub("[0-9a-f]", "#", found[0]), text)
    text = re.sub(rf"\b(?:{_WORD})(?: (?:{_WORD})){{3}}\b *", "<four words>  ", text)
    text = re.sub(r"\d{4}-\d\d-\d\d", "YYYY-MM-DD", text)
    text = re.sub(r"\d\d:\d\d:\d\d", "HH:MM:SS", text)
    text = re.sub(r"\d\d:\d\d ", "HH:MM ", text)
    text = re.sub(r"\b\d{4} days", "NNNN days", text)
    text = re.sub(r"air gap: .*", "air gap: <state>", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def fits_the_console(screen: str) -> None:
    """80 columns, 24 lines, and no glyph that the bare console lacks."""
    lines = screen.splitlines()
    assert len(lines) <= LINES and max(map(len, lines)) <= COLUMNS, screen
    strange = set(screen) - CONSOLE_SAFE - {BULLET, "\n"}
    assert not strange, f"{strange} in\n{screen}"


def settled(name: str, person: Person) -> str:
    """The screen once it is drawn to the end: as its golden has it, or as it stands after a while."""
    path = GOLDENS / f"{name}.txt"
    writing = os.environ.get("WRITE_GOLDENS") == "1"
    until = time.monotonic() + SETTLING
    while (screen := normalised(person.look())) and time.monotonic() < until:
        if not writing and path.exists() and path.read_text(encoding="utf-8") == screen:
            break
        time.sleep(0.05)
    return screen


def compared_with_goldens(kept: dict[str, str]) -> None:
    """The screens as they were when somebody last looked; WRITE_GOLDENS=1 writes them anew."""
    different = []
    for name, screen in kept.items():
        path = GOLDENS / f"{name}.txt"
        if os.environ.get("WRITE_GOLDENS") == "1":
            path.write_text(screen, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != screen:
            different.append(f"{name}:\n{screen}")
    assert not different, "\n".join(different)


@pytest.fixture
def folder() -> Iterator[Path]:
    """The ceremony's folder, always as long by its name: the screens show places, and what they fill of a line is in the goldens."""
    with tempfile.TemporaryDirectory(prefix="terminal-", dir="/tmp") as place:
        yield Path(place) / "D"


@pytest.mark.parametrize("colours", [{}, {"NO_COLOR": "1"}], ids=["colours", "NO_COLOR"])
def test_a_whole_ceremony_key_by_key(colours: dict[str, str], tmp_path: Path, folder: Path) -> None:
    kept: dict[str, str] = {}
    pin = made_up_pin()
    processes: list[str] = []
    with terminal(tmp_path / "tmux", "rehearse", SCRIPTS / "root-generation.toml", "--dir", folder, environ=colours) as tmux:

        def looked(question: str, screen: str) -> None:
            for name, beginning in LOOKED_AT.items():
                if beginning in question and name not in kept:
                    kept[name] = settled(name, person)
                    if name == "choice":
                        look_over(person)
            if "PIN" in question:
                assert len(tmux.pids()) == 2
                processes.extend(processes_with(tmux.pids(), pin))

        person = Person(tmux, pin, looked=looked)
        assert "Ended: The ceremony is closed." in person.play()
        processes += processes_with(tmux.pids(), pin)
        assert tmux.flags() == "1 0"
        tmux.keys("Enter")
        assert tmux.exit_code() == 0
        assert tmux.flags() == "0 1"
        assert "The ceremony is closed." in tmux.until("Anyone verifies it by:")
        terminal_without(tmux, pin)
        raw = tmux.raw.read_bytes()
    assert processes == []
    assert files_with(tmp_path, pin) == files_with(folder.parent, pin) == []
    assert len(person.seen) > 40
    for screen in person.seen:
        fits_the_console(screen)
        assert "REHEARSAL" in screen or "F10 Pause" not in screen, screen
    # SGR 30 to 37, 40 to 47, 90 to 107: colours of letters and grounds (ECMA-48 section 8.3.117).
    coloured = re.search(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|38|48)[;m]", raw)
    assert not (colours and coloured), coloured
    assert set(kept) == set(LOOKED_AT)
    compared_with_goldens(kept)
    assert lines_of(folder)[-1].type == "closed"
    done("verify", last_bundle(folder), "--fingerprint", status(folder)["fingerprint"])


def look_over(person: Person) -> None:
    """F1, F2, F3 and F10 put something over the screen; Escape takes it away again."""
    for key, title in OVER.items():
        person.terminal.keys(key)
        person.terminal.until(title)
        person.look()
        person.terminal.keys("Escape")
        person.terminal.until_gone(title)


def test_every_golden_belongs_to_a_screen_and_fits_the_console() -> None:
    assert {path.stem for path in GOLDENS.iterdir()} == set(LOOKED_AT)
    for path in GOLDENS.iterdir():
        fits_the_console(path.read_text(encoding="utf-8"))
