"""Files written so that a power cut leaves the old state or the new one, never something between."""

import ctypes
import os
from pathlib import Path


def write_new(path: Path, octets: bytes, *, mode: int = 0o600, flush: bool = True) -> None:
    """Makes the file `path`, writes all of `octets` and, unless told otherwise, flushes them to the medium.

    Raises FileExistsError when something is there already, and OSError as the system gives it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if flush:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flushes a folder's entries to the medium: what was made, renamed or removed in it. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(folder: Path, *, mode: int = 0o700) -> None:
    """Makes `folder` and the folders above it that are missing, each flushed to the medium. Raises OSError."""
    if folder.is_dir():
        return
    make_folders(folder.parent, mode=mode)
    folder.mkdir(mode=mode)
    sync_folder(folder.parent)


def sync_file_system(folder: Path) -> None:
    """Flushes all that was written to the file system of `folder`, by whomever: one call where fsync would be one for each file.

    syncfs(2) waits until all is on the medium, and since Linux 5.8 reports what could not be written. Where the C library has no
    such call, sync(2) is made instead. Raises OSError.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if library.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
