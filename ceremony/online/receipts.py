"""Receipts: what was done at the service, one line each, chained like the transcript. The first line's `prev` is a bundle's fingerprint.

`receipts.jsonl` is appended to and never rewritten, but for a last line without its newline, which was never announced: the
act that it would tell of is found at the service by the next run, and told then.
"""

import fcntl
import os
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.errors import CeremonyError
from ceremony.machine.disk import sync_folder
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

NO_BUNDLE = "0" * 64
"""`prev` of the first line where receipts began without a bundle: `disable` needs none."""
FILE_NAME = "receipts.jsonl"
LARGEST_LINE, LARGEST_FILE = 1 << 16, 64 << 20

Kind = Literal[
    "certificate-uploaded", "code-issued", "certificate-verified", "certificate-deleted",
    "group-made", "group-changed", "group-disabled", "group-deleted", "device-disabled",
    "policy-activated",
]  # fmt: skip


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line. `time` is the service's clock (RFC 3339, UTC); `data` says what was done to what; `prev` is the digest of the line before.

    Always in `data`: service, name, how ("done", or "found": the service held it already when we looked), request_id, status,
    etag_before, etag_after, bundle (fingerprint or null), plan (its SHA-256 or null). Of `code-issued` also verification_code, of
    `device-disabled` (whose name is the device's) also hub and group. Of `policy-activated` the name is NAMESPACE/POLICY, and the etags are
    digests of its state: it has none.
    """

    seq: int
    time: str
    kind: Kind
    data: dict[str, Any]
    prev: str

    @property
    def octets(self) -> bytes:
        """The stored line with its newline."""
        return canonical_json(msgspec.to_builtins(self)) + b"\n"

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the stored line."""
        return sha256_hex(self.octets)


def read_receipts(octets: bytes) -> tuple[list[Receipt], int]:
    """The receipts of a file's bytes, the chain checked from the second on, and the length of a torn last line (0: none).

    What the first line's `prev` must be is for the caller to say. Raises CeremonyError RECEIPTS-BROKEN, which names the line.
    """
    if len(octets) > LARGEST_FILE:
        raise CeremonyError("RECEIPTS-BROKEN", f"The receipts are larger than {LARGEST_FILE} bytes.")
    found: list[Receipt] = []
    *whole, rest = octets.split(b"\n")
    for number, stored in enumerate(whole, 1):
        try:
            if len(stored) >= LARGEST_LINE:
                raise NotCanonical(f"longer than {LARGEST_LINE} bytes")
            receipt = msgspec.convert(parse_json(stored), Receipt)
        except (NotCanonical, msgspec.ValidationError) as why:
            raise CeremonyError("RECEIPTS-BROKEN", f"Line {number} of the receipts: {shown_text(str(why))}.") from why
        if receipt.seq != number or (found and receipt.prev != found[-1].sha256):
            raise CeremonyError("RECEIPTS-BROKEN", f"Line {number} of the receipts does not follow line {number - 1}.")
        found.append(receipt)
    return found, len(rest)


class Receipts:
    """A file of receipts, open for appending by one process: `with Receipts(path, fingerprint) as receipts: ...`."""

    def __init__(self, path: Path, beginning: str | None, also: Collection[str] = ()) -> None:
        """`beginning` is the bundle's fingerprint, `also` the earlier ones that a file begun before may start from.

        None: no bundle is known, and whatever chain is there goes on. Raises CeremonyError RECEIPTS-IN-USE,
        RECEIPTS-UNWRITABLE, RECEIPTS-BROKEN.
        """
        self.path = path
        self._beginning = beginning or NO_BUNDLE
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as failed:
            raise _unwritable(path, failed) from failed
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two calls another process may have taken its empty file away: what is written then is in no folder.
            if not os.path.samestat(os.fstat(self._descriptor), path.stat()):
                raise BlockingIOError
            octets = _octets(self._descriptor)
            self.lines, torn = read_receipts(octets)
            self._length = len(octets) - torn
        except (BlockingIOError, FileNotFoundError) as locked:
            os.close(self._descriptor)
            what = f"{shown_text(str(path))} is written by another process."
            raise CeremonyError("RECEIPTS-IN-USE", what, state="Nothing was done.") from locked
        except OSError as failed:
            os.close(self._descriptor)
            raise _unwritable(path, failed) from failed
        except CeremonyError:
            os.close(self._descriptor)
            raise
        if self.lines and beginning is not None and self.lines[0].prev not in {beginning, NO_BUNDLE, *also}:
            self.close()
            what = f"{shown_text(str(path))} starts from {self.lines[0].prev}, which is no fingerprint of this bundle's record."
            raise CeremonyError("RECEIPTS-BROKEN", what, state="Nothing was done.")

    def append(self, kind: Kind, time: str, data: dict[str, Any]) -> Receipt:
        """Writes a receipt, and returns it when it is on the disk. Raises CeremonyError RECEIPTS-UNWRITABLE."""
        receipt = Receipt(len(self.lines) + 1, time, kind, data, self.lines[-1].sha256 if self.lines else self._beginning)
        rest = memoryview(receipt.octets)
        try:
            os.ftruncate(self._descriptor, self._length)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
            if not self.lines:
                sync_folder(self.path.absolute().parent)
        except OSError as failed:
            raise _unwritable(self.path, failed) from failed
        self._length += len(receipt.octets)
        self.lines.append(receipt)
        return receipt

    def close(self) -> None:
        """Closes the file and lets others write. A file in which nothing was written is taken away."""
        if not self.lines and self._length == 0 and os.fstat(self._descriptor).st_size == 0:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def receipts_in(path: Path) -> tuple[list[Receipt], int]:
    """The receipts of a file as `read_receipts` gives them; none where there is no file.

    Raises CeremonyError RECEIPTS-UNREADABLE, RECEIPTS-BROKEN.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return read_receipts(_octets(descriptor))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return [], 0
    except OSError as failed:
        raise CeremonyError("RECEIPTS-UNREADABLE", f"{shown_text(str(path))} can't be read: {failed.strerror}.") from failed


def _octets(descriptor: int) -> bytes:
    """What the file holds, up to one byte more than is taken."""
    found = bytearray()
    while len(found) <= LARGEST_FILE and (part := os.pread(descriptor, LARGEST_FILE + 1 - len(found), len(found))):
        found += part
    return bytes(found)


def _unwritable(path: Path, failed: OSError) -> CeremonyError:
    return CeremonyError("RECEIPTS-UNWRITABLE", f"{shown_text(str(path))} can't be written: {failed.strerror}.")
