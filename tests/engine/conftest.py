"""A world for each test, on a file system in memory where there is one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.memory_room import World, fast_folder
from tests.engine.people import People


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="ceremony-") as folder:
        yield Path(folder)


@pytest.fixture
def world(place: Path) -> World:
    return World(place / "world").made()


@pytest.fixture
def people(world: World) -> People:
    return People(world)
