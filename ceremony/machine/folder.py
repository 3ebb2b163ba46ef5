"""The folder of one ceremony: who may read it, who writes to it, and how files get into it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from ceremony.errors import CeremonyError
from ceremony.machine.disk import make_folders, sync_file_system, sync_folder, write_new

_OURS = {"script.toml", "site.toml", "transcript.jsonl", "requests", "work", "bundles"}
_TEMPORARY = ".partial"


class CeremonyFolder:
    """An open ceremony folder: mode 0700, files 0600, one writer.

    The writer holds a lock on the folder until `close`; the system takes it back when the process dies.
    """

    def __init__(self, path: Path, lock: int | None) -> None:
        """For `create`, `open` and `reading`. `lock` is the descriptor that holds the lock, None for a reader."""
        self.path = path
        self._lock = lock
        self._flushes = True

    @classmethod
    def create(cls, path: Path) -> Self:
        """Makes the folder of a new ceremony, or takes an empty one, and locks it.

        A folder whose transcript has no whole line yet (the machine went down before the first one) counts as new.
        Raises CeremonyError RECORD-EXISTS, RECORD-IN-USE, RECORD-UNWRITABLE.
        """
        try:
            make_folders(path)
        except OSError as failed:
            raise _unwritable(path, failed) from failed
        folder = cls(path, _locked(path))
        try:
            folder._must_be_new()
            path.chmod(0o700)
        except OSError as failed:
            folder.close()
            raise _unwritable(path, failed) from failed
        except CeremonyError:
            folder.close()
            raise
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens the folder of a ceremony that has begun, and locks it. Raises CeremonyError RECORD-MISSING, RECORD-IN-USE."""
        folder = cls.reading(path)
        folder._lock = _locked(path)
        return folder

    @classmethod
    def reading(cls, path: Path) -> Self:
        """Opens it without the lock, for `status`, `report` and `export`: `write` is refused. Raises CeremonyError RECORD-MISSING."""
        folder = cls(path, None)
        if not folder._has_begun():
            raise CeremonyError("RECORD-MISSING", f"{path} holds no ceremony.")
        return folder

    @property
    def script_path(self) -> Path:
        """`script.toml`: the exact bytes of the script in use."""
        return self.path / "script.toml"

    @property
    def site_path(self) -> Path:
        """`site.toml`: the exact bytes of the site file in use; empty when none was given."""
        return self.path / "site.toml"

    @property
    def transcript_path(self) -> Path:
        """`transcript.jsonl`: the record."""
        return self.path / "transcript.jsonl"

    @property
    def work(self) -> Path:
        """`work/`: to-be-signed bytes and results on their way; never exported."""
        return self.path / "work"

    @property
    def script(self) -> bytes:
        """The bytes of `script.toml`. Raises CeremonyError RECORD-MISSING."""
        return self.read("script.toml")

    @property
    def site(self) -> bytes:
        """The bytes of `site.toml`. Raises CeremonyError RECORD-MISSING."""
        return self.read("site.toml")

    def request(self, number: int) -> Path:
        """`requests/<n>`: what came in at import `number`, from 1."""
        return self.path / "requests" / str(number)

    def bundle(self, number: int) -> Path:
        """`bundles/<n>`: what leaves at export `number`, from 1."""
        return self.path / "bundles" / str(number)

    def read(self, relative: str) -> bytes:
        """The bytes of a file, by its path inside the folder. Raises CeremonyError RECORD-MISSING."""
        try:
            return self._inside(relative).read_bytes()
        except OSError as failed:
            raise CeremonyError("RECORD-MISSING", f"{relative} could not be read from {self.path}: {failed.strerror}.") from failed

    def write(self, relative: str, octets: bytes) -> Path:
        """Writes a file whole or not at all, over what was there, and returns its path when it is on the disk (but see `together`).

        Raises CeremonyError RECORD-UNWRITABLE, and ValueError for a path out of the folder or a folder open for reading.
        """
        if self._lock is None:
            raise ValueError("this folder is open for reading")
        target = self._inside(relative)
        partial = target.with_name(f".{target.name}{_TEMPORARY}")
        try:
            make_folders(target.parent)
            partial.unlink(missing_ok=True)
            write_new(partial, octets, flush=self._flushes)
            partial.replace(target)
            if self._flushes:
                sync_folder(target.parent)
        except OSError as failed:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise _unwritable(target, failed) from failed
        return target

    @contextmanager
    def together(self) -> Iterator[None]:
        """While open, files are written and not flushed; at its end all of them are on the disk, and not before.

        One flush of the file system costs what two flushes of each file do for one. Raises CeremonyError RECORD-UNWRITABLE.
        """
        self._flushes = False
        try:
            yield
        finally:
            self._flushes = True
            try:
                sync_file_system(self.path)
            except OSError as failed:
                raise _unwritable(self.path, failed) from failed

    def close(self) -> None:
        """Gives the lock back. May be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _inside(self, relative: str) -> Path:
        parts = PurePosixPath(relative).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise ValueError(f"{relative!r} is not a path inside the folder")
        return self.path.joinpath(*parts)

    def _has_begun(self) -> bool:
        try:
            with self.transcript_path.open("rb") as transcript:
                return any(b"\n" in block for block in iter(lambda: transcript.read(1 << 16), b""))
        except OSError:
            return False

    def _must_be_new(self) -> None:
        if self._has_begun():
            raise CeremonyError("RECORD-EXISTS", f"{self.path} holds a ceremony already.")
        if any(entry.name not in _OURS and not entry.name.endswith(_TEMPORARY) for entry in self.path.iterdir()):
            raise CeremonyError(
                "RECORD-EXISTS",
                f"{self.path} holds no ceremony, but is not empty.",
                do_now="Name an empty folder, or one that does not exist yet.",
            )


def _locked(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as failed:
        raise _unwritable(path, failed) from failed
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failed:
        os.close(descriptor)
        if isinstance(failed, BlockingIOError):
            raise CeremonyError("RECORD-IN-USE", f"Another process writes to {path}.") from failed
        raise _unwritable(path, failed) from failed
    return descriptor


def _unwritable(path: Path, failed: OSError) -> CeremonyError:
    return CeremonyError(
        "RECORD-UNWRITABLE",
        f"{path} could not be written: {failed.strerror}.",
        state="What stood there before is unchanged.",
        do_now="Make room or make the disk writable, then give the command again.",
    )
