"""Whole ceremonies by the commands, made once for all workers of a test run and only read by the tests."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hsm.errors import TokenError
from hsm.softhsm import find_softhsm
from tests.e2e.commands import done, rehearsed
from tests.e2e.openssl import EC, RSA, hostile_csr


@pytest.fixture(scope="session", autouse=True)
def softhsm() -> Path:
    try:
        return find_softhsm()
    except TokenError as missing:
        pytest.skip(missing.what)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder once for all workers: `once(name, make)` gives it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, marker = shared / name, shared / f"{name}.made"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not marker.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                marker.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def first_ceremony(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The issue's own example: hostile CSRs by openssl in `I`, the ceremony in `D`."""

    def make(folder: Path) -> None:
        a, b = hostile_csr(folder / "a.pem", "Alpha 1", *EC), hostile_csr(folder / "b.pem", "Beta 1", *RSA)
        (folder / "I").mkdir()
        done("online", "request", "-o", folder / "I" / "request-1", "--csr", f"alpha.1={a}", "--csr", f"beta.1={b}")
        ended = rehearsed("first-ceremony", folder / "D", "--inbox", folder / "I")
        assert ended.code == 0, ended

    return once("first-ceremony", make)


@pytest.fixture(scope="session")
def root_generation(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The smallest ceremony, in `D`."""

    def make(folder: Path) -> None:
        ended = rehearsed("root-generation", folder / "D")
        assert ended.code == 0, ended

    return once("root-generation", make)
