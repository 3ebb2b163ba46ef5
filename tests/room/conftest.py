"""SoftHSM for the tests of the room."""

from pathlib import Path

import pytest

from hsm.errors import TokenError
from hsm.softhsm import find_softhsm


@pytest.fixture(scope="session")
def softhsm() -> Path:
    try:
        return find_softhsm()
    except TokenError as missing:
        pytest.skip(missing.what)
