"""`make secrets`: how far a PIN is gone from memory after its use, and shares typed in a real terminal, in a real rehearsal."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.commands import SCRIPTS
from tests.e2e.person import ALONE, Person
from tests.e2e.secrets_kept import files_with, held_by, made_up_pin, processes_with
from tests.e2e.tmux import terminal
from tests.memory import found_in_memory
from tests.sentinels.cases import ALL, ROOT_GENERATION, Stage, rehearsed

pytestmark = pytest.mark.skipif(not ALL, reason="a part of `make secrets`")
_NUMBERED = re.compile(r"\b([0-9]{1,2})  ([a-z]{4,8})\b")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int], str], list[int]]:
    """How often a secret stands in the memory of each process."""

    def count(processes: list[int], secret: str) -> list[int]:
        masked = bytes(octet ^ 0x55 for octet in secret.encode())
        try:
            return [found_in_memory(process, masked) for process in processes]
        except PermissionError:
            pytest.skip("this user may not read the memory of the program, as PR_SET_DUMPABLE wants it")

    return count


def test_line_mode_keeps_no_pin_in_its_memory(counted: Callable[[list[int], str], list[int]], tmp_path: Path) -> None:
    """While it is typed it is there; at every later question it is in neither process."""
    stage, at = Stage(tmp_path), list[tuple[str, list[int]]]()
    left = rehearsed(stage, look=lambda processes, prompt: at.append((prompt.splitlines()[-1], counted(processes, stage.secret))))
    assert left.code == 0
    assert max(found[0] for _, found in at) == 2, "the search finds what is being typed"
    typing = [place for place, (prompt, _) in enumerate(at) if prompt.endswith(("PIN: ", "again: "))]
    assert all(not any(found) for place, (_, found) in enumerate(at) if place not in typing)
    assert not any(any(found[1:]) for _, found in at), "the module's process"


def test_the_app_keeps_at_most_one_copy_and_the_modules_process_none(
    counted: Callable[[list[int], str], list[int]], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    pin, at = made_up_pin(), list[list[int]]()
    with terminal(tmp_path / "tmux", "rehearse", ROOT_GENERATION, "--dir", tmp_path / "D") as tmux:

        def looked(question: str, screen: str) -> None:
            if "Number on the bag" in question:
                at.append(counted(tmux.pids(), pin))

        Person(tmux, pin, looked=looked).play()
    record_property("figure", f"copies of a PIN in the app and in the module's process after the last login: {at}")
    assert at and all(app <= 1 and child == 0 for app, child in at)


def test_shares_typed_in_a_terminal_are_left_nowhere(tmp_path: Path) -> None:
    """Each new share: shown to its holder, hidden, typed back. Then the program is left."""
    script, folder, shares = SCRIPTS / "quorum-ceremony.toml", tmp_path / "D", list[list[str]]()
    with terminal(tmp_path / "tmux", "rehearse", script, "--dir", folder) as tmux:
        person = Person(tmux, "not used", free="0003")
        while len(shares) < 8:
            person.play(until=ALONE)
            tmux.keys("Enter")
            shown = tmux.until(lambda screen: len(_NUMBERED.findall(screen)) == 20)
            shares.append([word for _, word in sorted(_NUMBERED.findall(shown), key=lambda found: int(found[0]))])
            tmux.keys("Enter")
            tmux.until("Word 1 of 20")
            left = len(tmux.raw.read_bytes())
            for number, word in enumerate(shares[-1], 1):
                tmux.type(word)
                if number < 20:
                    tmux.until(f"Word {number + 1} of 20")
            whole = " ".join(shares[-1])
            tmux.until_gone("of 20>")
            assert processes_with(tmux.pids(), whole) == []
            assert not any(re.search(rf"[0-9]  {word}\b", tmux.history()) for word in shares[-1])
            assert not held_by(tmux.raw.read_bytes()[left:], whole)
        tmux.keys("C-q", "C-q")
        tmux.until("The session has ended")
        tmux.keys("Enter")
        assert tmux.exit_code() == 131 or tmux.exit_code() == 130
        history = tmux.history()
        assert b"\x1b]52" not in tmux.raw.read_bytes()
    papers = {str(path) for path in (folder / "work/rehearsal/paper").iterdir()}
    for share in shares:
        assert not any(re.search(rf"[0-9]  {word}\b", history) for word in share)
        assert set(files_with(folder, " ".join(share))) <= papers
