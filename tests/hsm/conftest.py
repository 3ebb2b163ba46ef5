"""Tokens to test on: SoftHSM with a store of its own for each test, and the same behind a module that errs on demand."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hsm.client import Module, Token
from hsm.errors import TokenError
from hsm.softhsm import find_softhsm, loader_environment, throw_away
from tests.hsm.given import token_logged_in_to
from tests.hsm.stands import STANDS, Stand, lacks


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The contract runs over SoftHSM, or over the tokens that `make interop` names."""
    if "stand" in metafunc.fixturenames:
        metafunc.parametrize("stand", os.environ.get("CEREMONY_TOKENS", "softhsm").split(), indirect=True)


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    if why := lacks(request.param):
        pytest.skip(why)
    with STANDS[request.param](tmp_path) as put_up:
        yield put_up


@pytest.fixture(scope="session")
def softhsm() -> Path:
    try:
        return find_softhsm()
    except TokenError as missing:
        pytest.skip(missing.what)


@pytest.fixture
def store(tmp_path: Path) -> dict[str, str]:
    return throw_away(tmp_path / "softhsm")


@pytest.fixture
def module(softhsm: Path, store: dict[str, str]) -> Iterator[Module]:
    with Module.start(softhsm, store) as started:
        yield started


@pytest.fixture
def token(module: Module) -> Token:
    """An empty token, logged in to."""
    return token_logged_in_to(module)


class Faulty(NamedTuple):
    """A started module and the way to make it err: `err("C_Sign rv 0x30")`, `err()` to stop it."""

    module: Module
    err: Callable[..., None]
    start: Callable[..., Module]


@pytest.fixture(scope="session")
def fault_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the module that errs on demand")
    built = tmp_path_factory.mktemp("fault") / "fault_module.so"
    source = Path(__file__).parent / "fault_module.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", built, source, "-ldl"], check=True)
    return built


@pytest.fixture
def faulty(fault_module: Path, softhsm: Path, store: dict[str, str], tmp_path: Path) -> Iterator[Faulty]:
    rules = tmp_path / "rules"
    rules.touch()
    environment = {**store, **loader_environment(softhsm), "FAULT_TARGET": str(softhsm), "FAULT_RULES": str(rules)}
    started: list[Module] = []

    def start(answer_seconds: float = 60.0) -> Module:
        started.append(Module.start(fault_module, environment, answer_seconds=answer_seconds))
        return started[-1]

    def err(*lines: str) -> None:
        # Replaced as a whole: the module must never read half a file.
        new = rules.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        os.replace(new, rules)

    yield Faulty(start(), err, start)
    err()
    for module in started:
        module.close()
