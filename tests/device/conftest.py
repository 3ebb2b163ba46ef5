from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.field import Field, simulator_of_this_worker


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    with simulator_of_this_worker(tmp_path) as simulator:
        yield Field(tmp_path, simulator)
