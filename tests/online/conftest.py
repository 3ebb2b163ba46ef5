from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.online.held_service import HeldService, simulated


@pytest.fixture
def held(tmp_path: Path) -> Iterator[HeldService]:
    with simulated(tmp_path) as service:
        yield service
