"""One curve: what a thing costs as there are more of them. Flat is what we want, in time for each and in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Point(NamedTuple):
    """At `number` things: microseconds for each by the clock and of processor time; the most memory held at once (MiB; 0: not seen)."""

    number: int
    wall: float
    processor: float
    memory: float


@dataclass(frozen=True)
class Curve:
    """`measure` gives a point for each size, smallest first; `tiny` are sizes that show that it runs at all."""

    name: str
    what: str
    sizes: Sequence[int]
    tiny: Sequence[int]
    measure: Callable[[Sequence[int]], Iterator[Point]]
