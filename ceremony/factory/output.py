"""The output folder: the index, the files of the devices, and how a batch gets from where it is made to its place.

    OUT/                       0700, files 0600; one writer (lock)
      index.sqlite             the truth, see `index`
      index.csv                what each id has now, for a spreadsheet, written whole at the end of each run
      devices/000001/          the files of one batch: <id>.chain.pem (leaf, intermediate), <id>.key.pem, <id>.p12
      REHEARSAL.txt            under a rehearsal's root
      .work/000002/            a batch on its way

A batch goes four steps, and each is on the disk before the next:
  1. a worker writes its files into .work/N, where nobody looks;
  2. the file system is flushed once for all batches that are ready;
  3. one commit enters them in the index: from here on they count;
  4. .work/N is renamed to devices/N, which is one act of the file system.
Whatever ends the run, the next one looks at each folder left in .work. The index knows the batch: step 4 is done. It does not:
the folder is removed, keys and all; nobody has seen them, and its ids are made anew. So devices/ never holds a half-written file,
a key without a certificate in the index, or an id twice, and the index holds no certificate whose files are not there.
One flush is enough for step 2, since all that is renamed later was written before it; a rename that a power cut undoes is
found in .work again. The file system must keep the order of its own acts (ext4, xfs and btrfs do).
"""

import csv
import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ceremony.errors import CeremonyError
from ceremony.factory.index import About, Index
from ceremony.factory.registration_ids import file_stem
from ceremony.machine.disk import make_folders, sync_file_system, sync_folder, write_new
from ceremony.pki.names import shown_text

INDEX, LISTING, DEVICES, WORK, REHEARSAL = "index.sqlite", "index.csv", "devices", ".work", "REHEARSAL.txt"
_REHEARSAL_TEXT: Final = b"REHEARSAL: all of this folder was made under the root of a rehearsal. Nothing of it is for a real device.\n"
COLUMNS: Final = (
    "registration_id", "serial", "sha256", "not_before", "not_after", "issuer_sha256", "rehearsal", "key_source", "chain",
)  # fmt: skip
"""Of index.csv; `chain` is the path of the device's chain, relative to the output folder, and its other files are beside it."""


class Output:
    """An output folder that is open for writing. A context manager."""

    def __init__(self, folder: Path, about: About) -> None:
        """Makes the folder, or takes an empty one, or goes on with one of the same `about`; then puts right what a broken run left.

        Raises CeremonyError FACTORY-OUT-OTHER, FACTORY-OUT-IN-USE, FACTORY-OUT-UNWRITABLE, FACTORY-OUT-BROKEN.
        """
        self.folder = folder
        with self._telling():
            make_folders(folder)
        self._lock = self._locked()
        try:
            self.index = self._opened_index(about)
        except BaseException:
            os.close(self._lock)
            raise
        try:
            _refuse_another(folder, self.index.about, about)
            self.put_right()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Gives the index and the lock back."""
        self.index.close()
        os.close(self._lock)

    def work_folder(self, batch: int) -> Path:
        """The new folder that a batch is made in."""
        folder = self.folder / WORK / _number(batch)
        with self._telling():
            folder.mkdir(mode=0o700)
        return folder

    def flush(self) -> None:
        """All that was written is on the disk. Raises CeremonyError FACTORY-OUT-UNWRITABLE."""
        with self._telling():
            sync_file_system(self.folder)

    def put_in_place(self, batch: int) -> None:
        """Moves the files of a batch that the index knows to their place. Raises CeremonyError FACTORY-OUT-BROKEN when that is taken."""
        place = self.folder / DEVICES / _number(batch)
        if os.path.lexists(place):
            what = f"{shown_text(str(place))} is there already, and the index says that it is not."
            raise CeremonyError("FACTORY-OUT-BROKEN", what, do_now="Move it out of the folder, then give the same command again.")
        with self._telling():
            (self.folder / WORK / _number(batch)).rename(place)

    def put_right(self) -> None:
        """Brings what is left in the work folder to its one right end. To be called when no batch is under way."""
        with self._telling():
            left = sorted((self.folder / WORK).iterdir())
        for entry in left:
            if entry.name.isdecimal() and self.index.is_issued(int(entry.name)):
                self.put_in_place(int(entry.name))
            else:
                with self._telling():
                    _remove(entry)
        self.index.break_off_begun()
        if left:
            self.flush()

    def write_listing(self) -> None:
        """Writes index.csv anew, whole or not at all."""
        partial = self.folder / WORK / LISTING
        with self._telling():
            partial.unlink(missing_ok=True)
            # newline: RFC 4180 ends its lines by itself.
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="", encoding="ascii") as file:
                lines = csv.writer(file)
                lines.writerow(COLUMNS)
                for entry in self.index.entries():
                    rehearsal = "yes" if entry.rehearsal else "no"
                    chain = f"{entry.folder}/{file_stem(entry.registration_id)}.chain.pem"
                    lines.writerow((*entry[:6], rehearsal, entry.key_source, chain))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.folder / LISTING)
            sync_folder(self.folder)

    def _opened_index(self, about: About) -> Index:
        path = self.folder / INDEX
        if not os.path.lexists(path):
            self._begin(about)
        return Index(path)

    def _begin(self, about: About) -> None:
        """A folder is ours from the moment when its index is there."""
        with self._telling():
            devices, work = self.folder / DEVICES, self.folder / WORK
            ours = {WORK, REHEARSAL} if devices.is_dir() and any(devices.iterdir()) else {WORK, REHEARSAL, DEVICES}
            strange = sorted({entry.name for entry in self.folder.iterdir()} - ours)
            if strange:
                what = f"{shown_text(str(self.folder))} has no {INDEX}, and holds {shown_text(strange[0])}."
                raise CeremonyError("FACTORY-OUT-OTHER", what, state="It was not changed.")
            self.folder.chmod(0o700)
            _remove(work)
            work.mkdir(mode=0o700)
            devices.mkdir(mode=0o700, exist_ok=True)
            if about.rehearsal:
                (self.folder / REHEARSAL).unlink(missing_ok=True)
                write_new(self.folder / REHEARSAL, _REHEARSAL_TEXT)
            Index.create(work / INDEX, about)
            sync_file_system(self.folder)
            (work / INDEX).rename(self.folder / INDEX)
            sync_folder(self.folder)

    def _locked(self) -> int:
        with self._telling():
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failed:
            os.close(descriptor)
            if isinstance(failed, BlockingIOError):
                raise CeremonyError("FACTORY-OUT-IN-USE", f"Another process issues to {shown_text(str(self.folder))}.") from failed
            raise self._unwritable(failed) from failed
        return descriptor

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as failed:
            raise self._unwritable(failed) from failed

    def _unwritable(self, failed: OSError | sqlite3.Error) -> CeremonyError:
        why = failed.strerror if isinstance(failed, OSError) else shown_text(str(failed))
        state = "What is in the index is whole; the rest was thrown away or will be."
        return CeremonyError("FACTORY-OUT-UNWRITABLE", f"{shown_text(str(self.folder))} could not be written: {why}.", state=state)


def _number(batch: int) -> str:
    return f"{batch:06d}"


def _refuse_another(folder: Path, found: About, wanted: About) -> None:
    where = shown_text(str(folder))
    if found.issuer_key_sha256 != wanted.issuer_key_sha256:
        what = f"{where} holds what another intermediate issued, the one whose key has the digest {found.issuer_key_sha256}."
        raise CeremonyError("FACTORY-OUT-OTHER", what, state="It was not changed.")
    if found != wanted:
        raise CeremonyError("FACTORY-OUT-OTHER", f"{where} is that of the share {found.shard} of an order.", state="It was not changed.")


def _remove(entry: Path) -> None:
    """Removes a file or a folder and all in it, also while a worker that is about to end still makes files there."""
    while os.path.lexists(entry):
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as failed:
            if failed.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                raise
