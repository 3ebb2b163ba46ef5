"""Cuts each shipped script at each durable change, follows each cut to the end, prints the table; --write: into docs/crash-matrix.md.

python -m tests.crash_matrix [--softhsm] [--minutes N] [--write] [SCRIPT…]

Ends with 1 when a cut did not come to the right end. With --minutes the scripts share that time: one point of each kind, and others evenly.
"""

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.crash_matrix.cuts import Cuts, Tried
from tests.crash_matrix.pace import Pace
from tests.crash_matrix.page import written
from tests.engine.memory_room import fast_folder

_ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (_ROOT / "ceremony-scripts").glob("*.toml") if not path.name.endswith(".answers.toml"))


def main() -> int:
    """Prints the table as Markdown; findings and progress go to standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash_matrix", description=__doc__.splitlines()[0])
    parser.add_argument("--softhsm", action="store_true", help="on SoftHSM instead of tokens in memory")
    parser.add_argument("--minutes", type=float, help="about how long it may take")
    parser.add_argument("--write", action="store_true", help="put the table into docs/crash-matrix.md")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="names of shipped scripts; all without")
    asked = parser.parse_args()
    scripts = [path for path in SCRIPTS if not asked.scripts or path.stem in asked.scripts]
    end = time.monotonic() + (asked.minutes or 0) * 60
    told: dict[str, Tried] = {}
    for left, script in zip(range(len(scripts), 0, -1), scripts, strict=True):
        seconds = max(1.0, (end - time.monotonic()) / left) if asked.minutes else None
        print(f"{script.stem} …", file=sys.stderr, end=" ", flush=True)
        with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="crash-matrix-") as place:
            tried = told[script.stem] = Cuts(script, Path(place), _choose(seconds), memory=not asked.softhsm).held()
        print(f"{tried.cut} of {tried.points} points, {len(tried.wrong)} wrong", file=sys.stderr, flush=True)
        for wrong in tried.wrong:
            print(wrong, file=sys.stderr, flush=True)
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    text = table(told, where)
    print(text)
    if asked.write:
        written("softhsm" if asked.softhsm else "memory", text)
    return int(any(tried.wrong for tried in told.values()))


def _choose(seconds: float | None) -> Callable[[int], Callable[[int, str], bool]]:
    return lambda points: Pace(points, seconds).takes


def table(told: dict[str, Tried], where: str) -> str:
    """A row for each script, and their sum."""
    points, cut = (sum(getattr(tried, name) for tried in told.values()) for name in ("points", "cut"))
    rows = [f"| `{name}` | {tried.points} | {tried.cut} | {len(tried.wrong) or 'none'} |" for name, tried in told.items()]
    rows.append(f"| all | {points} | {cut} | {sum(len(tried.wrong) for tried in told.values()) or 'none'} |")
    limited = "" if cut == points else ", limited by time: one point of each kind, the others evenly"
    head = f"{where}; {cut} of {points} points{limited}.\n"
    return "\n".join([head, "| script | points | cut and followed to the end | wrong |", "|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
