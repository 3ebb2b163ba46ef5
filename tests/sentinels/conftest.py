"""A folder for each test, and a world in memory; nothing is tried without SoftHSM."""

from tests.e2e.conftest import softhsm
from tests.engine.conftest import people, place, world

__all__ = ["people", "place", "softhsm", "world"]
