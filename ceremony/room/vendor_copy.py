"""In a rehearsal, what stands in for the vendor's tool that copies a token: SoftHSM's files copied, under a serial of their own."""

import hashlib
from collections.abc import Mapping

from hsm.softhsm import copy_token, remove_token


def serial_of_copy(serial: str) -> str:
    """The serial of the copy of this token: the same each time, so that an interruption leaves one copy."""
    return hashlib.sha256(f"copy of {serial}".encode()).hexdigest()[:16]


def stand_in_for_vendor(environment: Mapping[str, str], serial: str) -> None:
    """Copies the throw-away token of this serial, unless that was done before. No process may hold the module meanwhile."""
    copy_token(environment, serial, serial_of_copy(serial))


def lose(environment: Mapping[str, str], serial: str) -> None:
    """The throw-away token of this serial is gone, as one that was lost. No process may hold the module meanwhile."""
    remove_token(environment, serial)
