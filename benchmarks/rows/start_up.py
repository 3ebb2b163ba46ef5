"""`--help` and `status`, from the start of the process to its end, against a Python that does nothing.

Both sides find their byte code; `status` reads the record of a ceremony with ten certificates.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.factories import working_folder
from benchmarks.held import bundle_of
from benchmarks.row import Contest, Goal, Row
from benchmarks.starting import CEREMONY, compiled, run


def _help(folder: Path) -> list[str]:
    return ["--help"]


def _status(folder: Path) -> list[str]:
    bundle, _ = bundle_of(folder, 10)
    return ["status", "--json", "--dir", str(bundle / "record")]


def _contest(arguments: Callable[[Path], list[str]]) -> Callable[[int], AbstractContextManager[Contest]]:
    @contextmanager
    def opened(size: int) -> Iterator[Contest]:
        with working_folder() as folder:
            command, environment = [CEREMONY, *arguments(folder)], compiled(folder)
            yield Contest(lambda: run(command, environment), {"python": lambda: run([sys.executable, "-c", "pass"], environment)})

    return opened


def _row(name: str, what: str, most: float, arguments: Callable[[Path], list[str]]) -> Row:
    goals = (Goal("python", "a bare `python -c pass`", most),)
    return Row(name=name, what=what, goals=goals, size=1, tiny=1, open=_contest(arguments), rounds=25)


START_UP: Final = (
    _row("help", "`ceremony --help`", 4, _help),
    _row("status", "`ceremony status` of a closed ceremony with ten certificates", 5, _status),
)
