"""A folder for each test, on a file system in memory where there is one; the module that a rehearsal's record names."""

from tests.engine.conftest import place
from tests.room.conftest import softhsm

__all__ = ["place", "softhsm"]
