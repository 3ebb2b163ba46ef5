from collections.abc import Iterator
from pathlib import Path

import pytest

from ceremony.simulator.server import Simulator
from tests.simulator.api_description import problems_with
from tests.simulator.calling import Caller


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A running simulator; at the end, every answer of the test was one that the API descriptions allow, and so was what it took."""
    with Simulator(tmp_path, keeps_all=True) as running:
        yield running
    assert problems_with(running.requests, refused_too=False) == []


@pytest.fixture
def caller(simulator: Simulator) -> Caller:
    return Caller(simulator)
