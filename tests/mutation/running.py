"""Runs tests in a child of this process in which one module of the product is a mutant. No file is changed."""

import ast
import contextlib
import importlib.machinery
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from tests.mutation.mutants import mutants


class Site(NamedTuple):
    """A mutant by its place: the file below the root, and its number among the file's mutants."""

    file: str
    number: int
    line: int
    what: str


class Running(NamedTuple):
    """A child that runs the tests of a mutant; `until` is a time of the monotonic clock."""

    site: Site
    until: float


def sites(root: Path, files: list[str]) -> list[Site]:
    """Every mutant of these files."""
    return [
        Site(file, number, mutant.line, mutant.what)
        for file in files
        for number, mutant in enumerate(mutants(ast.parse((root / file).read_text())))
    ]


def mutate(root: Path, site: Site) -> None:
    """From here on this process imports the mutant for the module; which must not have been imported yet."""
    module = site.file.removesuffix(".py").replace("/", ".")
    tree = ast.parse((root / site.file).read_text())
    mutants(tree)[site.number].make()
    code = compile(ast.fix_missing_locations(tree), str(root / site.file), "exec")
    loaded: Callable[..., object] = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> object:
        return code if name == module else loaded(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]


def in_child(work: Callable[[], int]) -> int:
    """The id of a child, head of its own process group, which says nothing and exits with what the work returns."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setpgid(0, 0)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        code = work()
    finally:
        os._exit(code)


def run_tests(tests: list[str], *plugins: object) -> int:
    """The exit code of pytest: 0 green, 1 red. The same examples of hypothesis each time, and none is red for being slow."""
    hypothesis.settings.register_profile("mutation", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutation")
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, *([] if plugins else ["-x"]), *tests], plugins=list(plugins)))


def end(child: int) -> None:
    """Ends a child and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def first_to_end(running: dict[int, Running]) -> tuple[int, bool, int]:
    """Waits for a child: its id, whether its time was up (it is ended then), and its exit code."""
    while True:
        for child, told in running.items():
            # It is left waited for until its group is ended: no other process can have its id until then.
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                end(child)
                return child, False, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if time.monotonic() > told.until:
                end(child)
                os.waitpid(child, 0)
                return child, True, 1
        time.sleep(0.02)


def preload() -> None:
    """Imports here, once, what the product imports of others, so that no child has to."""
    reader, writer = os.pipe()

    def tell() -> int:
        for path in sorted(Path("ceremony").rglob("*.py")):
            # A `__main__` or `__init__` says nothing that its neighbours do not.
            with contextlib.suppress(ImportError):
                __import__(str(path.with_suffix("")).replace("/", ".")) if not path.name.startswith("__") else None
        os.write(writer, "\n".join(name for name in sys.modules if not name.startswith(("ceremony", "hsm", "tests"))).encode())
        return 0

    child = in_child(tell)
    os.close(writer)
    with os.fdopen(reader) as names:
        found = names.read().splitlines()
    os.waitpid(child, 0)
    for name in found:
        with contextlib.suppress(Exception):
            __import__(name)
