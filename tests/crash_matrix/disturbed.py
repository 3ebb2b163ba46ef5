"""Holds rehearsals of a script with one thing going wrong at one point, each to its end, and prints the table; --write: into the page.

python -m tests.crash_matrix.disturbed [--minutes N] [--write] [SCRIPT…]

What went wrong lasts until somebody is asked what now, mends it and says "again"; or else until the session has ended, and the ceremony is
resumed. Ends with 1 when one did not come to the right end.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from ceremony.engine.step import Answer, Ask, Interrupt
from ceremony.errors import CeremonyError
from ceremony.session import Outcome
from ceremony.unattended import Unattended
from tests.crash_matrix.__main__ import SCRIPTS
from tests.crash_matrix.cuts import SECONDS, Tried, came_to_its_end
from tests.crash_matrix.disturbances import DISTURBANCES, Defect, Disturbance, clock_behind
from tests.crash_matrix.ends import End, lines_of
from tests.crash_matrix.pace import Pace
from tests.crash_matrix.page import written
from tests.crash_matrix.token_files import in_memory
from tests.engine.memory_room import fast_folder
from tests.room.held import rehearsed

USUAL = ("root-generation", "first-ceremony", "backup-token")
AT_A_LINE, BETWEEN = "the clock is set back", "the clock is set back before it is resumed"
_LONGEST = 1 << 20


@dataclass
class Disturbed:
    """The disturbances of one kind in one script, in a folder `base` of their own; `choose` as in `cuts`."""

    script: Path
    kind: str
    base: Path
    choose: Callable[[int], Callable[[int, str], bool]]
    processes: int = 2
    tried: Tried = field(default_factory=Tried)
    _running: list[tuple[int, int, str, Path]] = field(default_factory=list)

    def held(self) -> Tried:
        """Counts the points of an undisturbed run, then strikes at each that is chosen: in turn with "again" and with a resumption."""
        self._start(self.base / "0", "undisturbed", self._counted)
        points: list[str] = json.loads(self._wait(found=True))
        self.tried.points, takes = len(points), self.choose(len(points))
        for number, what in enumerate(points, 1):
            if takes(number, what):
                self.tried.cut += 1
                how = number % 2 == 0 and self.kind != BETWEEN
                name = f"{self.script.stem}, {self.kind}, point {number}, {what}, {'again' if how else 'resumed'}"
                self._start(self.base / f"{number}", name, partial(self._struck, number=number, again=how))
        while self._running:
            self._wait()
        return self.tried

    def _counted(self, folder: Path) -> str:
        disturbance = Disturbance(folder.resolve())
        with in_memory(lambda what: None):
            self._held(folder, disturbance)
            end = End.of(folder)
            shutil.rmtree(folder)
        (self.base / "end").write_text(json.dumps([end.bundles, end.objects, end.media]))
        return json.dumps(disturbance.points)

    def _struck(self, folder: Path, number: int, *, again: bool) -> str:
        bundles, objects, media = json.loads((self.base / "end").read_text())
        disturbance = Disturbance(folder.resolve(), number)
        with in_memory(lambda what: None):
            told = ""
            try:
                with mended(disturbance) if again else nullcontext():
                    outcome = self._held(folder, disturbance)
                told = outcome.text
            except CeremonyError as failed:
                told = failed.what
                assert failed.code != "INTERNAL" and failed.what and failed.do_now, failed.lines()
            except Defect:
                pass
            assert len(disturbance.points) >= number, f"there was no point {number}: {told}"
            disturbance.lift()
            try:
                disturbance.struck = self.kind == BETWEEN
                with clock_behind(lambda: disturbance.struck), mended(disturbance) if self.kind == BETWEEN else nullcontext():
                    came_to_its_end(folder, self.script, End(bundles, objects, media))
                if self.kind in (AT_A_LINE, BETWEEN):
                    assert_told_of_the_clock(folder)
            except BaseException as failed:
                failed.add_note(f"the disturbed session said {told!r}")
                raise
        return ""

    def _held(self, folder: Path, disturbance: Disturbance) -> Outcome:
        def line(number: int, when: str) -> None:
            # From the first line on: what is made ready before it is the rehearsal's own.
            if when == "after" and number == 1:
                disturbance.hears = True
            if when == "before" and self.kind == AT_A_LINE:
                disturbance.strikes(f"line {number}")

        with DISTURBANCES[self.kind](disturbance):
            outcome = rehearsed(folder, line, self.script)
        disturbance.hears = False
        return outcome

    def _start(self, folder: Path, name: str, do: Callable[[Path], str]) -> None:
        while len(self._running) >= self.processes:
            self._wait()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            _done_here(do, folder, write)
        os.close(write)
        self._running.append((child, read, name, folder))

    def _wait(self, *, found: bool = False) -> str:
        """What the oldest says: nothing, where all is well; else it is a finding, unless it is what was asked for."""
        child, read, name, folder = self._running.pop(0)
        said = b""
        while octets := os.read(read, _LONGEST):
            said += octets
        os.close(read)
        status = os.waitpid(child, 0)[1]
        shutil.rmtree(folder, ignore_errors=True)
        if not found and (said or status):
            self.tried.wrong.append(f"{name}:\n{said.decode(errors='replace') or f'ended with {status}, or hangs'}")
        return said.decode()


def _done_here(do: Callable[[Path], str], folder: Path, write: int) -> NoReturn:
    """In the child, which is ended when it hangs."""
    signal.alarm(SECONDS)
    try:
        folder.mkdir()
        said = do(folder / "D")
    except BaseException as failed:  # noqa: BLE001 - whatever it is, it is the finding
        said = "".join(traceback.format_exception(failed, limit=-6))[-4000:]
    octets = said.encode()
    while octets:
        octets = octets[os.write(write, octets) :]
    os._exit(0)


@contextmanager
def mended(disturbance: Disturbance) -> Iterator[None]:
    """While open, whoever is asked what now mends what was wrong, and says "again"; who must say that the clock differs sets it right."""
    ask = Unattended.ask

    def asked(people: Unattended, question: Ask) -> Answer | Interrupt:
        if question.choices == ("differs",) and question.accept is None:
            # The clock is set right, and read again.
            disturbance.lift()
        if question.key != "after-error":
            return ask(people, question)
        disturbance.lift()
        return Answer(value=question.choices[1], by=question.by)

    with mock.patch.object(Unattended, "ask", asked):
        yield


def assert_told_of_the_clock(folder: Path) -> None:
    """Each machine check that was begun after the clock was set back, and before it was set right, says so."""
    lines = lines_of(folder)
    back = next((line.seq for line, after in zip(lines, lines[1:], strict=False) if after.time < line.time), len(lines))
    behind = [line for line in lines[back + 1 :] if line.time < lines[back - 1].time]
    checks = [line for line in behind if line.type == "result" and line.data["verb"] == "check-machine"]
    told = [any("was set back" in finding["detail"] for finding in line.data["value"]["findings"]) for line in checks]
    assert all(told), f"of {len(told)} machine checks after line {back} {told.count(False)} say nothing of the clock"


def main() -> int:
    """Prints the table as Markdown; findings and progress go to standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash_matrix.disturbed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, help="about how long it may take")
    parser.add_argument("--write", action="store_true", help="put the table into docs/crash-matrix.md")
    parser.add_argument("--kind", action="append", choices=DISTURBANCES, help="this kind alone")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=f"names of shipped scripts; {', '.join(USUAL)} without")
    asked = parser.parse_args()
    scripts = [path for path in SCRIPTS if path.stem in (asked.scripts or USUAL)]
    runs = [(kind, script) for kind in asked.kind or DISTURBANCES for script in scripts]
    end = time.monotonic() + (asked.minutes or 0) * 60
    told: dict[tuple[str, str], Tried] = {}
    for left, (kind, script) in zip(range(len(runs), 0, -1), runs, strict=True):
        seconds = max(0.5, (end - time.monotonic()) / left) if asked.minutes else None
        with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="disturbed-") as place:
            choose: Any = lambda points, seconds=seconds: Pace(points, seconds).takes  # noqa: E731
            tried = told[kind, script.stem] = Disturbed(script, kind, Path(place), choose).held()
        print(f"{kind}, {script.stem}: {tried.cut} of {tried.points}, {len(tried.wrong)} wrong", file=sys.stderr, flush=True)
        for wrong in tried.wrong:
            print(wrong, file=sys.stderr, flush=True)
    text = table(told, [script.stem for script in scripts])
    print(text)
    if asked.write:
        written("disturbed", text)
    return int(any(tried.wrong for tried in told.values()))


def table(told: dict[tuple[str, str], Tried], scripts: list[str]) -> str:
    """A row for each kind: of each script how many points were tried of how many, and what came out wrong."""
    rows = []
    for kind in dict.fromkeys(kind for kind, _ in told):
        tried = [told[kind, script] for script in scripts]
        cells = " | ".join(f"{one.cut} of {one.points}" if one.cut < one.points else f"{one.points}" for one in tried)
        rows.append(f"| {kind} | {cells} | {sum(len(one.wrong) for one in tried) or 'none'} |")
    points, struck = (sum(getattr(one, name) for one in told.values()) for name in ("points", "cut"))
    when = f"{platform.python_version()}, {platform.system()} {platform.machine()}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    head = f"Python {when}; {struck} of {points} points.\n"
    columns = f"| what goes wrong | {' | '.join(f'`{script}`' for script in scripts)} | wrong |"
    return "\n".join([head, columns, "|---" * (len(scripts) + 2) + "|", *rows]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
