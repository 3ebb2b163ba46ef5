"""The module that a rehearsal's record names."""

from tests.room.conftest import softhsm

__all__ = ["softhsm"]
