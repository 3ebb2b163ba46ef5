"""A line of a transcript as there are more before it: the steps of `steps.Ceremony`, six lines each, written and flushed.

The memory is what these lines took.
"""

from collections.abc import Iterator, Sequence
from os import getpid
from typing import Final

from benchmarks.curve import Curve, Point
from benchmarks.factories import working_folder
from benchmarks.row import clocked, resident_mebibytes
from benchmarks.steps import LINES_OF_A_STEP, Ceremony

_STEPS: Final = 100


def _measure(sizes: Sequence[int]) -> Iterator[Point]:
    with working_folder() as folder:
        # This process holds what rows before it left behind.
        ceremony, lines, before = Ceremony(folder / "transcript.jsonl"), 1, resident_mebibytes(getpid())
        try:
            ceremony.steps(_STEPS, flushed=False)
            lines += _STEPS * LINES_OF_A_STEP
            for size in sizes:
                more = max(0, size - lines) // LINES_OF_A_STEP
                ceremony.steps(more, flushed=False)
                took = clocked(lambda: ceremony.steps(_STEPS))
                lines += (more + _STEPS) * LINES_OF_A_STEP
                each = _STEPS * LINES_OF_A_STEP / 1e6
                yield Point(size, took.wall / each, took.processor / each, resident_mebibytes(getpid()) - before)
        finally:
            ceremony.close()


TRANSCRIPT_LINES = Curve(
    name="transcript-lines",
    what="A line of the transcript, written and flushed, after so many",
    sizes=(1_000, 10_000, 100_000),
    tiny=(1_000,),
    measure=_measure,
)
