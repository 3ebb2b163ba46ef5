"""A step late in a long transcript against the same step early in a new one: two people agree on the clock, in six lines.

They are flushed as in a ceremony.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

from benchmarks.factories import working_folder
from benchmarks.row import Contest, Goal, Row, Took, clocked
from benchmarks.steps import LINES_OF_A_STEP, Ceremony

_STEPS: Final = 100


@contextmanager
def _contest(size: int) -> Iterator[Contest]:
    with working_folder() as folder:
        late, numbers = Ceremony(folder / "late.jsonl"), count()
        late.steps(size // LINES_OF_A_STEP, flushed=False)

        def early() -> Took:
            new = Ceremony(folder / f"early-{next(numbers)}.jsonl")
            try:
                return clocked(lambda: new.steps(_STEPS))
            finally:
                new.close()

        try:
            yield Contest(lambda: clocked(lambda: late.steps(_STEPS)), {"early": early})
        finally:
            late.close()


LATE_STEP = Row(
    name="late-step",
    what="100 steps after 10,000 lines of a transcript, flushed as in a ceremony",
    goals=(Goal("early", "the same steps at its beginning", 1.2),),
    size=10_000,
    tiny=60,
    open=_contest,
    rounds=9,
)
