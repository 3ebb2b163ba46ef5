"""Commands in processes of their own, timed from their start to their end, with byte code that is kept apart from everybody else's."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.row import Took, clocked

CEREMONY: Final = str(Path(sys.executable).parent / "ceremony")


def compiled(folder: Path) -> dict[str, str]:
    """The environment of a run that finds its byte code in this folder, which the first run fills."""
    return {**_without_python(), "PYTHONPYCACHEPREFIX": str(folder / "byte-code")}


def uncompiled(folder: Path) -> dict[str, str]:
    """The environment of a run that finds no byte code and keeps none, as on a read-only medium that was not compiled."""
    return {**_without_python(), "PYTHONPYCACHEPREFIX": str(folder / "nothing"), "PYTHONDONTWRITEBYTECODE": "1"}


def _without_python() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(command: Sequence[str | Path], environment: Mapping[str, str]) -> Took:
    """Runs it to its end, which must be a good one."""

    def once() -> None:
        ended = subprocess.run(
            [*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, env=dict(environment), check=False
        )
        if ended.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: {ended.stderr.decode()}")

    return clocked(once)
