"""A rehearsal of first-ceremony on SoftHSM without people, cut and gone on with. Also a program: it kills itself at a line.

python -m tests.room.held FOLDER LINE before|after     conducts, and dies by SIGKILL with its process group at this line
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from ceremony.crossing.bundle import REPORTS
from ceremony.machine.site import Site
from ceremony.rehearsal import prepared
from ceremony.script import read_script
from ceremony.session import Outcome, begun, gone_on
from ceremony.transcript import Transcript, read_lines
from ceremony.unattended import Unattended, read_answers
from tests.engine.memory_room import NOT_RENDERED

SCRIPT = Path(__file__).parents[2] / "ceremony-scripts" / "first-ceremony.toml"
Hook = Callable[[int, str], None]
"""Called with a line's number, and whether it is about to be written ("before") or on the disk ("after")."""


class Enough(Exception):
    """A partial run has gone as far as it should."""


def unattended(script: Path = SCRIPT) -> Unattended:
    kinds = [str(step.__struct_config__.tag) for step in read_script(script.read_bytes()).steps]
    answers = script.with_suffix("").with_suffix(".answers.toml").read_bytes()
    return Unattended(read_answers(answers), lambda said: None, kinds=kinds)


@contextmanager
def _hooked(hook: Hook) -> Iterator[None]:
    class Hooked(Transcript):
        def append(self, *args: Any, **more: Any) -> Any:
            number = len(self.lines) + 1
            hook(number, "before")
            line = super().append(*args, **more)
            hook(number, "after")
            return line

    with mock.patch("ceremony.session.Transcript", Hooked), _reports_not_rendered():
        yield


@contextmanager
def _reports_not_rendered() -> Iterator[None]:
    """Reports are made in other tests; here, where a ceremony is held some dozen times, they would take the time."""
    reports = dict.fromkeys(REPORTS, NOT_RENDERED)
    with (
        mock.patch("ceremony.room.make_bundle.reports_of", lambda script, lines: reports),
        mock.patch("ceremony.session.reports_of_bundle", lambda bundle: reports),
    ):
        yield


def rehearsed(folder: Path, hook: Hook = lambda number, when: None, path: Path = SCRIPT) -> Outcome:
    """From an empty folder to the end."""
    script = path.read_bytes()
    media: dict[str, Any] = {"inbox": None, "outbox": None, "previous": ()}
    with _reports_not_rendered():
        rehearsal = prepared(script, folder, None, ())
    with _hooked(hook), begun(script, folder, site=Site(), **media, removed=(), rehearsed=rehearsal) as opened:
        return opened.conduct(unattended(path))


def resumed(folder: Path, hook: Hook = lambda number, when: None, path: Path = SCRIPT) -> Outcome:
    """From where the folder's record stands to the end."""
    if not (folder / "transcript.jsonl").exists() or b"\n" not in (folder / "transcript.jsonl").read_bytes():
        return rehearsed(folder, hook, path)
    with _hooked(hook), gone_on(folder, inbox=None, outbox=None, removed=()) as opened:
        return opened.conduct(unattended(path))


def copied(folder: Path, to: Path) -> Path:
    """What a SIGKILL now would leave, in another place: the token's configuration names its place."""
    shutil.copytree(folder, to)
    configuration = to / "work" / "rehearsal" / "token" / "softhsm2.conf"
    configuration.write_text(configuration.read_text().replace(str(folder.resolve()), str(to.resolve())))
    return to


def is_closed(folder: Path) -> bool:
    lines, torn = read_lines((folder / "transcript.jsonl").read_bytes())
    return bool(lines) and lines[-1].type == "closed" and torn is None


def main() -> None:
    folder, line, when = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

    def kill(number: int, moment: str) -> None:
        if (number, moment) == (line, when):
            os.killpg(os.getpgrp(), signal.SIGKILL)

    rehearsed(folder, kill)


if __name__ == "__main__":
    main()
