"""Factories on files and on SoftHSM, and one rehearsal that certified one of each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hsm.client import Token
from hsm.errors import TokenError
from hsm.softhsm import find_softhsm
from tests.e2e.commands import last_bundle, rehearsed
from tests.e2e.conftest import once
from tests.e2e.held import status
from tests.factory.given import ALPHA, BETA, PASSPHRASE, PIN, TOKEN, Certified, FactoryToken, done, secret_file
from tests.hsm.conftest import Faulty, fault_module, faulty, store
from tests.hsm.given import initialise

__all__ = ["fault_module", "faulty", "once", "store"]


@pytest.fixture(scope="session")
def softhsm() -> Path:
    try:
        return find_softhsm()
    except TokenError as missing:
        pytest.skip(missing.what)


@pytest.fixture
def factory_token(softhsm: Path, tmp_path: Path) -> FactoryToken:
    """A token of the factory's own, initialised and empty."""
    return FactoryToken.made(softhsm, tmp_path / "softhsm")


@pytest.fixture
def here(factory_token: FactoryToken, monkeypatch: pytest.MonkeyPatch) -> FactoryToken:
    """The same, for what is called in this process."""
    monkeypatch.setenv("SOFTHSM2_CONF", factory_token.environ["SOFTHSM2_CONF"])
    return factory_token


@pytest.fixture
def faulty_token(faulty: Faulty) -> Iterator[tuple[Token, Callable[..., None]]]:
    """A token behind a module that errs on demand, logged in to."""
    token = faulty.module.token(blank=True)
    initialise(token, TOKEN)
    token.login(bytearray(PIN.encode()))
    yield token, faulty.err


@pytest.fixture(scope="session")
def certified(once: Callable[[str, Callable[[Path], None]], Path], softhsm: Path) -> Certified:
    """alpha.1 in a file and beta.1 on a token, requested by the commands and certified in a rehearsal. Copied before it is changed."""

    def make(folder: Path) -> None:
        token = FactoryToken.made(softhsm, folder / "softhsm")
        done(
            "factory",
            "request",
            "alpha.1",
            "-o",
            folder / "alpha",
            "--subject",
            ALPHA,
            "--passphrase-file",
            secret_file(folder, PASSPHRASE),
        )
        done("factory", "request", "beta.1", "-o", folder / "beta", "--subject", BETA, *token.options(folder), environ=token.environ)
        csrs = [f"{name}={folder / place / f'{name}.csr.pem'}" for name, place in (("alpha.1", "alpha"), ("beta.1", "beta"))]
        done("online", "request", "-o", folder / "I" / "request-1", "--csr", csrs[0], "--csr", csrs[1])
        ended = rehearsed("first-ceremony", folder / "D", "--inbox", folder / "I")
        assert ended.code == 0, ended

    folder = once("factories", make)
    return Certified(folder, last_bundle(folder / "D"), status(folder / "D")["fingerprint"], FactoryToken.at(softhsm, folder / "softhsm"))
