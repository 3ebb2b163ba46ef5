"""One row of the table: a contest of what we do with what it is measured against, in rounds that take turns.

The figure is a ratio within one round, so that a slow machine says the same as a fast one; the row tells the median of
its rounds and the least and the most.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple


class Took(NamedTuple):
    """What one run took: seconds by the clock, and seconds of processor time in all processes together."""

    wall: float
    processor: float


Run = Callable[[], Took]


@dataclass(frozen=True)
class Goal:
    """Something that we are measured against: its name, in words what it is, and the most that we may score; None: it stands beside."""

    against: str
    words: str
    most: float | None


@dataclass(frozen=True)
class Contest:
    """Ready to run: what we do, and by the name of its goal each thing that it is measured against.

    A name that is missing is not on this machine (a tool that is not installed); the row then says so.
    """

    ours: Run
    measures: Mapping[str, Run]


@dataclass(frozen=True)
class Row:
    """One row: `open` prepares a contest of a size, untimed, and tidies up after it.

    `size` is how many things one run makes, `tiny` the least that shows that the row runs at all. The score of a round is
    `ratio`, our seconds by theirs, or `milliseconds over`: what each thing costs us more than them.
    """

    name: str
    what: str
    goals: Sequence[Goal]
    size: int
    tiny: int
    open: Callable[[int], AbstractContextManager[Contest]]
    score: Literal["ratio", "milliseconds over"] = "ratio"
    rounds: int = 5


@dataclass(frozen=True)
class Scored:
    """A row against one goal: the median of its rounds, the least and the most, and the medians of both sides."""

    median: float
    least: float
    most: float
    ours: Took
    theirs: Took


def contested(row: Row, size: int, rounds: int) -> tuple[list[Took], dict[str, list[Took]]]:
    """Runs all rounds: ours and each measure in turn, every other round the other way round. One round more goes before, uncounted."""
    ours: list[Took] = []
    theirs: dict[str, list[Took]] = {}
    with row.open(size) as contest:
        runs = [(None, contest.ours), *contest.measures.items()]
        for number in range(rounds + 1):
            for name, run in runs if number % 2 else reversed(runs):
                took = run()
                if number:
                    (ours if name is None else theirs.setdefault(name, [])).append(took)
    return ours, theirs


def scored(row: Row, size: int, ours: Sequence[Took], theirs: Sequence[Took]) -> Scored:
    """What the rounds come to."""
    if row.score == "ratio":
        rounds = [mine.wall / other.wall for mine, other in zip(ours, theirs, strict=True)]
    else:
        rounds = [(mine.wall - other.wall) / size * 1000 for mine, other in zip(ours, theirs, strict=True)]
    return Scored(statistics.median(rounds), min(rounds), max(rounds), median(ours), median(theirs))


def median(rounds: Sequence[Took]) -> Took:
    """The median of each."""
    return Took(statistics.median(took.wall for took in rounds), statistics.median(took.processor for took in rounds))


def clocked(run: Callable[[], object]) -> Took:
    """Runs it once, and says what it took with all processes below this one, those that stay alive too."""
    processor, wall = processor_seconds(), time.perf_counter()
    run()
    return Took(time.perf_counter() - wall, processor_seconds() - processor)


def processor_seconds() -> float:
    """Of this process, of its children that ended, and of all that live below it (those in steps of a hundredth)."""
    ended = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return ended + sum(map(_ticks, below(os.getpid()))) / os.sysconf("SC_CLK_TCK")


def below(process: int) -> Iterator[int]:
    """The processes below one, by their ids."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield child
        yield from below(child)


def _ticks(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def resident_mebibytes(process: int) -> float:
    """Memory that a process and all below it hold now, in MiB."""
    pages = 0
    for one in (process, *below(process)):
        try:
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return pages * resource.getpagesize() / 2**20
