import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.online.factory_service import Factories
from tests.online.held_service import HeldService, simulated

OF_AZURE = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_")
OF_THE_WAY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[HeldService]:
    with simulated(tmp_path) as service:
        yield service


@pytest.fixture
def factories(held: HeldService) -> Factories:
    """Three devices of alpha.1 and one of beta.1 are in."""
    found = Factories(held)
    assert all(found.registered(f"a-{number}", "alpha.1") for number in (1, 2, 3))
    assert found.registered("b-1", "beta.1")
    held.simulator.requests.clear()
    return found


@pytest.fixture
def everything_logged(tmp_path: Path) -> Iterator[Path]:
    """Every logger at its loudest, into one file."""
    handler, root = logging.FileHandler(tmp_path / "everything.log"), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "azure", "msal")}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield tmp_path / "everything.log"
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    root.removeHandler(handler)
    handler.close()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing in the environment that azure-identity would look at, an empty folder as the path of programs and as home."""
    for name in os.environ:
        if name.upper().startswith(OF_AZURE) or name.upper() in OF_THE_WAY:
            monkeypatch.delenv(name)
    for name in ("PATH", "HOME"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return monkeypatch
