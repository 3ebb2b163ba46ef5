"""Is all of it fit for a ceremony: program, terminal, site, module, machine? One list of findings, each with what to do."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ceremony.built import Build, build
from ceremony.errors import CODES, CeremonyError
from ceremony.machine.checks import Finding, check_machine
from ceremony.machine.image import problem_with_image
from ceremony.machine.site import Site
from ceremony.machine.terminal import problem_with_terminal

_OLDEST_PYTHON = (3, 11)


def examine(
    site: Site,
    module_facts: Callable[[], Sequence[str]],
    *,
    root: Path = Path("/"),
    stdin: TextIO | None = None,
    screen: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
    python: tuple[int, int] | None = None,
) -> list[Finding]:
    """All findings: python, program, terminal, media of the site file, module, then the machine check.

    `module_facts` loads the module and gives a line for each thing it says of itself and its tokens; it raises CeremonyError, with
    what to do, where there is no module or it is unfit. The rest stands in for this process in tests.
    """
    problem = problem_with_terminal(stdin or sys.stdin, screen or sys.stderr, os.environ if environ is None else environ)
    return [
        _python(python or sys.version_info[:2]),
        program(build()),
        _of_error("terminal", problem) if problem else Finding("terminal", "ok", "Fit for the app."),
        *(_medium(name, path) for name, path in (("inbox", site.inbox), ("outbox", site.outbox)) if path),
        _module(module_facts),
        *check_machine(root),
    ]


def _python(version: tuple[int, int]) -> Finding:
    told = ".".join(map(str, version))
    if version < _OLDEST_PYTHON:
        return Finding("python", "found", f"Python {told}.", "Install Python 3.11 or later, then `make setup`.")
    return Finding("python", "ok", f"Python {told}.")


def program(built: Build) -> Finding:
    """Is this the program as a wheel brought it? Only a wheel made of committed files can be compared with what others have."""
    told = f"{built.version}; {'; '.join(built.lines())}."
    if built.altered:
        return Finding("program", "found", told, "Install it anew from the wheelhouse, and find out who changed it.")
    if built.tree != "as committed":
        do_now = "For a ceremony, install the wheel of a commit: `make wheelhouse` makes it, docs/supply-chain.md tells how."
        return Finding("program", "found" if built.tree == "changed" else "unknown", told, do_now)
    return Finding("program", "ok", told)


def image(wanted: str | None, told: str | None) -> list[Finding]:
    """The ceremony machine's image, by digests (hex) that the script wants and the machine tells; nothing where neither speaks of one."""
    if problem := problem_with_image(wanted, told):
        return [Finding("image", "found", problem, CODES["IMAGE-DIFFERS"].do_now)]
    return [Finding("image", "ok", f"The ceremony machine's image {told}, as it measured itself.")] if told else []


def _medium(name: str, path: Path) -> Finding:
    if not path.is_dir():
        return Finding(name, "found", f"{path} is no folder.", "Put the medium in and mount it there, or mend the site file.")
    if name == "outbox" and not os.access(path, os.W_OK):
        return Finding(name, "found", f"{path} can't be written to.", "Mount the medium for writing.")
    return Finding(name, "ok", f"{path} is there.")


def _module(module_facts: Callable[[], Sequence[str]]) -> Finding:
    try:
        return Finding("module", "ok", " ".join(module_facts()))
    except CeremonyError as error:
        return _of_error("module", error)


def _of_error(check: str, error: CeremonyError) -> Finding:
    return Finding(check, "found", f"{error.what} ({error.code})", error.do_now)
