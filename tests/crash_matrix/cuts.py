"""Holds a shipped script's rehearsal, and at each durable change resumes a copy of the world in a process of its own.

A crash leaves what was made durable so far, and nothing else: each durable change gives one state to resume from.
"""

import os
import shutil
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ceremony.session import Outcome
from tests.crash_matrix.ends import End, assert_right_end, lines_of
from tests.crash_matrix.token_files import in_memory
from tests.crash_matrix.watch import Watch
from tests.room.held import rehearsed, resumed

SECONDS = 120
"""A resumed ceremony that takes longer hangs."""
_MOST_SESSIONS = 4


@dataclass
class Tried:
    """How many points there are, at how many the ceremony was cut, and what came out wrong."""

    points: int = 0
    cut: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Cuts:
    """The cuts of one script, in a folder `base` of their own. `choose` gets the number of points, and gives what chooses among them
    by number and name. At most `processes` are followed at a time."""

    script: Path
    base: Path
    choose: Callable[[int], Callable[[int, str], bool]]
    memory: bool = True
    processes: int = 2
    tried: Tried = field(default_factory=Tried)
    _running: list[tuple[int, int, str, Path]] = field(default_factory=list)
    _end: End | None = None
    _follows: bool = False

    @property
    def whole(self) -> Path:
        """The folder of the ceremony that is cut."""
        return self.base / "whole"

    def held(self) -> Tried:
        """An undisturbed run for its end and the number of points, then the one that is cut."""
        self._takes: Callable[[int, str], bool] = lambda number, what: False
        self._run()
        shutil.rmtree(self.whole)
        self._takes = self.choose(self.tried.points)
        self.tried = Tried()
        self._run()
        while self._running:
            self._wait()
        return self.tried

    def _run(self) -> None:
        watch = Watch(self.whole)
        with in_memory(watch.tell) if self.memory else nullcontext(), watch.watching():
            rehearsed(self.whole, lambda number, when: self._line(watch, number, when), path=self.script)
            watch.heard = None
            self._end = self._end or End.of(self.whole)
            assert_right_end(self.whole, self._end, [])

    def _line(self, watch: Watch, number: int, when: str) -> None:
        if self._follows:
            return
        # From the first line on: what is made ready before it is the rehearsal's own.
        watch.heard = lambda what: self._point(watch, what)
        if when == "before":
            if number > 1 and (intent := lines_of(self.whole)[-1]).type == "intent":
                self._point(watch, f"before the result of {intent.data['verb']}")
            return
        last = lines_of(self.whole)[-1]
        about = f"{last.type} {last.data.get('verb') or last.data.get('key') or ''}"
        self._point(watch, f"line {number}, {about}")
        self._point(watch, f"half of line {number}, {about}", torn=True)

    def _point(self, watch: Watch, what: str, *, torn: bool = False) -> None:
        if what.startswith("about to"):
            return
        self.tried.points += 1
        if not self._takes(self.tried.points, what):
            return
        self.tried.cut += 1
        place = self.base / f"{self.tried.points}"
        heard, watch.heard = watch.heard, None
        copied(self.whole, place)
        if torn:
            record = place / "transcript.jsonl"
            octets = record.read_bytes()
            start = octets.rstrip(b"\n").rfind(b"\n") + 1
            record.write_bytes(octets[: start + (len(octets) - start) // 2])
        while len(self._running) >= self.processes:
            self._wait()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(write, 3)
            # The lock of the folder and the pipes of the module are the parent's.
            os.closerange(4, 1024)
            self._follow(place)
        os.close(write)
        self._running.append((child, read, f"{self.script.stem}, cut {self.tried.points} after {what}", place))
        watch.heard = heard

    def _follow(self, place: Path) -> None:
        """In the child: to the end, and what was wrong into the pipe."""
        assert self._end is not None
        self._follows = True
        try:
            came_to_its_end(place, self.script, self._end)
            said = ""
        except BaseException as failed:  # noqa: BLE001 - whatever it is, it is the finding
            said = "".join(traceback.format_exception(failed, limit=-6))
        os.write(3, said.encode()[-4000:])
        os._exit(0)

    def _wait(self) -> None:
        child, read, what, place = self._running.pop(0)
        end = time.monotonic() + SECONDS
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
            time.sleep(0.005)
        if ended == (0, 0):
            os.kill(child, 9)
            os.waitpid(child, 0)
            self.tried.wrong.append(f"{what}: hangs")
        elif said := os.read(read, 1 << 16).decode():
            self.tried.wrong.append(f"{what}:\n{said}")
        elif ended[1] != 0:
            self.tried.wrong.append(f"{what}: ended with {ended[1]}")
        os.close(read)
        shutil.rmtree(place)


def copied(folder: Path, to: Path) -> Path:
    """What a SIGKILL now would leave, in another place; SoftHSM's configurations name theirs."""
    shutil.copytree(folder, to, symlinks=True)
    for configuration in to.rglob("softhsm2.conf"):
        configuration.write_text(configuration.read_text().replace(str(folder.resolve()), str(to.resolve())))
    return to


def came_to_its_end(folder: Path, script: Path, end: End) -> None:
    """Goes on with the ceremony of this folder until it is closed, and holds it to the right end."""
    cut = lines_of(folder)
    last: Outcome | None = None
    for _ in range(_MOST_SESSIONS):
        if (last_lines := lines_of(folder)) and last_lines[-1].type == "closed":
            break
        last = resumed(folder, path=script)
    else:
        raise AssertionError(f"does not close: {last}")
    assert_right_end(folder, end, cut)


