"""What is looked at before a module's file is loaded: loading a truncated one would kill whoever loads it."""

import hashlib
import os
import stat
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hsm.errors import TokenError

_LARGEST: Final = 512 << 20
_SPY: Final = b"PKCS11SPY"
_ELF: Final = b"\x7fELF"


def checked_module(path: Path, environment: Mapping[str, str]) -> tuple[Path, str]:
    """The real path of a module that may be loaded, and the SHA-256 of its file in hex. Raises MODULE-… errors.

    The real path, because a module loaded by two paths would be started twice.
    """
    octets, real = _contents(path)
    _refuse_spies(path, real, octets, environment)
    if sys.platform == "linux":
        _check_elf(real, octets)
    return real, hashlib.sha256(octets).hexdigest()


def _contents(path: Path) -> tuple[bytes, Path]:
    try:
        real = path.resolve(strict=True)
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise TokenError("MODULE-UNREADABLE", f"{path} may not be read.") from error
    except (OSError, RuntimeError) as error:
        raise TokenError("MODULE-MISSING", f"{path} is not there.") from error
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
        os.close(descriptor)
        raise TokenError("MODULE-NOT-PKCS11", f"{path} is not a file of the kind and size that a module is.")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(), real


def _refuse_spies(path: Path, real: Path, octets: bytes, environment: Mapping[str, str]) -> None:
    named = any("pkcs11-spy" in name.name for name in (path, real))
    if named or _SPY in octets:
        raise TokenError("MODULE-LOGS-PINS", f"{path} is pkcs11-spy, which writes every PIN to a log.")
    if any(name.upper().startswith(_SPY.decode()) for name in environment):
        raise TokenError("MODULE-LOGS-PINS", "The environment for the module sets PKCS11SPY.")


def _check_elf(path: Path, octets: bytes) -> None:
    """ELF header, sections and segments (System V ABI, chapter 4); class and machine are compared with this Python's own."""
    if not octets:
        raise TokenError("MODULE-TRUNCATED", f"{path} is empty.")
    if not octets.startswith(_ELF):
        raise TokenError("MODULE-NOT-PKCS11", f"{path} is not a shared library.")
    if len(octets) < 64:
        raise TokenError("MODULE-TRUNCATED", f"{path} has {len(octets)} bytes.")
    with Path("/proc/self/exe").open("rb") as own:
        header = own.read(20)
    if octets[4:6] != header[4:6] or octets[18:20] != header[18:20]:
        raise TokenError("MODULE-WRONG-ARCHITECTURE", f"{path} is built for another architecture or word size than this Python.")
    if octets[4] != 2:
        return
    order = "<" if octets[5] == 1 else ">"
    segments, sections = struct.unpack_from(order + "QQ", octets, 32)
    segment_size, segment_count, section_size, section_count = struct.unpack_from(order + "HHHH", octets, 54)
    ends = [sections + section_size * section_count, segments + segment_size * segment_count]
    if ends[1] <= len(octets):
        for number in range(segment_count):
            offset, in_file = struct.unpack_from(order + "Q16xQ", octets, segments + number * segment_size + 8)
            ends.append(offset + in_file)
    if max(ends) > len(octets):
        raise TokenError("MODULE-TRUNCATED", f"{path} has {len(octets)} bytes; its own header speaks of {max(ends)}.")
