"""What was measured, kept in docs/performance.json, so that the page can be written anew and a row alone measured again."""

from pathlib import Path

import msgspec

from benchmarks.curve import Point
from benchmarks.row import Took


class Measured(msgspec.Struct, frozen=True):
    """A row: the day, how many things a run made, our rounds, and those of each measure by the name of its goal.

    `load` is that of the machine when it began (as uptime tells it): over the number of processors, others were at work too.
    """

    day: str
    machine: str
    size: int
    ours: list[Took]
    theirs: dict[str, list[Took]]
    load: float | None = None


class Grown(msgspec.Struct, frozen=True):
    """A curve: the day, and its points."""

    day: str
    machine: str
    points: list[Point]


class Results(msgspec.Struct):
    """Rows and curves by their names."""

    rows: dict[str, Measured] = {}
    curves: dict[str, Grown] = {}


def read(path: Path) -> Results:
    """What stands there; nothing when there is no such file yet."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results()


def write(path: Path, results: Results) -> None:
    """Seconds are rounded to a hundredth of a millisecond, rows and curves sorted: a diff shows what was measured anew."""
    rounded = _rounded(msgspec.to_builtins(results))
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rounded, order="sorted"), indent=1) + b"\n")


def _rounded(value: object) -> object:
    match value:
        case float():
            return round(value, 5)
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
    return value
