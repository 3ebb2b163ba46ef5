"""Runs the product's commands as people do: each in a process of its own, without a terminal unless one is given."""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.e2e.forked import Forks

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "ceremony-scripts"
PATIENCE = 120.0


class Ended(NamedTuple):
    """How a command ended: its exit code, its data (stdout), its talk (stderr)."""

    code: int
    out: str
    err: str


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment of the test's own choosing."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "linux", **(more or {})}


def command_line(*arguments: str | Path, module: str = "ceremony") -> list[str]:
    """`ceremony ARGUMENTS` by the Python that runs the tests; `module` may be one that spoils it first."""
    return [sys.executable, "-m", module, *map(str, arguments)]


@cache
def _forks() -> Forks:
    return Forks(environment(), ROOT)


def ceremony(*arguments: str | Path, typed: str | None = None, cwd: Path = ROOT, environ: Mapping[str, str] | None = None) -> Ended:
    """Runs `ceremony ARGUMENTS` to its end; `typed` goes through a pipe, else standard input is /dev/null."""
    return Ended(*_forks().run(list(map(str, arguments)), typed=typed, cwd=cwd, environ=environment(environ), seconds=PATIENCE))


def started(*arguments: str | Path, typed: str | None = None, cwd: Path = ROOT, environ: Mapping[str, str] | None = None) -> Ended:
    """The same by a Python that is started for it and loads the product itself."""
    line, given = command_line(*arguments), environment(environ)
    nothing = subprocess.DEVNULL if typed is None else None
    ended = subprocess.run(
        line, input=typed, stdin=nothing, capture_output=True, text=True, cwd=cwd, env=given, timeout=PATIENCE, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def done(*arguments: str | Path, typed: str | None = None) -> Ended:
    """The same, for a command that must end well."""
    ended = ceremony(*arguments, typed=typed)
    assert ended.code == 0, ended
    return ended


def refused(ended: Ended, exit_code: int, code: str) -> str:
    """Asserts an error in four parts under this code, and nothing else; returns what happened."""
    assert ended.code == exit_code, ended
    assert "Traceback" not in ended.err, ended
    assert ended.out == "", ended
    parts = four_parts(ended.err)
    assert parts.get("Code") == code, ended
    return parts["What happened"]


def four_parts(talk: str) -> dict[str, str]:
    """The last error of this talk, part by part; each of the four must be there and say something."""
    lines = talk.splitlines()
    start = max(number for number, line in enumerate(lines) if "What happened: " in line)
    parts: dict[str, str] = {}
    for line in lines[start:]:
        name, colon, text = line.removeprefix("ERROR ").partition(": ")
        if colon and name in ("What happened", "State", "Do now", "Code"):
            parts[name] = text
        elif parts and "Code" not in parts:
            parts[list(parts)[-1]] += " " + line.strip()
    assert {"What happened", "State", "Do now", "Code"} <= parts.keys() and all(parts.values()), talk
    return parts


def rehearsed(name: str, folder: Path, *more: str | Path) -> Ended:
    """An unattended rehearsal of a shipped script, by the command; not yet asserted to have gone well."""
    script = SCRIPTS / f"{name}.toml"
    return ceremony("rehearse", script, "--answers", script.with_suffix(".answers.toml"), "--dir", folder, *more)


def last_bundle(folder: Path) -> Path:
    """The newest bundle of a ceremony's folder."""
    return max((folder / "bundles").iterdir(), key=lambda bundle: int(bundle.name))
