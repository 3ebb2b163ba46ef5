"""Which points are tried: all, or, where time is short, one of each kind and others evenly as time allows."""

import re
import time
from collections.abc import Callable


def kind_of(what: str) -> str:
    """A point without its numbers and what is made up by chance: what happened there, wherever it was."""
    return re.sub(r"/.*|[0-9]+", "", what)


class Pace:
    """Chooses among points as they come. Without `seconds` it takes all; else it keeps the points behind it in step with the time gone."""

    def __init__(self, points: int, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`points`: how many are to come."""
        self._points, self._seconds, self._clock = points, seconds, clock
        self._begun = clock()
        self._kinds: set[str] = set()

    def takes(self, number: int, what: str) -> bool:
        """Whether point `number`, from 1, is tried."""
        kind = kind_of(what)
        is_new = kind not in self._kinds
        self._kinds.add(kind)
        return self._seconds is None or is_new or (self._clock() - self._begun) / self._seconds < number / self._points
