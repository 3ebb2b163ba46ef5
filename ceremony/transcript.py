"""The transcript: an append-only file of JSON lines, each holding the SHA-256 of the line before.

A line is on the disk before anything announces it. A last line without its newline was never
announced: it is set aside. Any other damage stops.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.errors import CeremonyError
from ceremony.words import sha256_hex

# `status` reads a record and loads nothing that this does not take.
if TYPE_CHECKING:
    from pathlib import Path

LineType = Literal[
    "opened", "step-started", "confirmed", "ordered", "intent", "result", "step-finished", "recovered",
    "deviation", "signed-off", "sealed", "paused", "resumed", "aborted", "closed",
]  # fmt: skip
LINE_TYPES: tuple[str, ...] = get_args(LineType)

LARGEST_LINE = 1 << 20
"""A line is at most 1 MiB; a transcript at most 256 MiB."""
LARGEST_TRANSCRIPT = 256 << 20

_SHAPES: dict[str, tuple[type, ...]] = {
    "seq": (int,), "time": (str,), "boot": (dict,), "type": (str,), "data": (dict,), "prev": (str,),
    "step": (int, type(None)), "actor": (str, type(None)),
}  # fmt: skip


class Moment(NamedTuple):
    """A time: UTC as RFC 3339 with seconds and a Z, boot id, and milliseconds since boot."""

    time: str
    boot_id: str
    boot_milliseconds: int


class Line(NamedTuple):
    """One line of the record. `sha256` is the digest of its stored bytes with the newline; `prev` that of the line before."""

    seq: int
    time: str
    boot: dict[str, Any]
    type: str
    step: int | None
    actor: str | None
    data: dict[str, Any]
    prev: str
    sha256: str


class Torn(NamedTuple):
    """A last line without its newline: never announced, set aside. The digest is hex SHA-256 of what there was."""

    length: int
    sha256: str
    octets: bytes


def read_lines(octets: bytes) -> tuple[list[Line], Torn | None]:
    """The lines of a transcript's bytes, the chain checked from the second line on.

    The first line's `prev` is for the caller to check. Raises CeremonyError RECORD-BROKEN, which names the line.
    """
    if len(octets) > LARGEST_TRANSCRIPT:
        raise CeremonyError("RECORD-BROKEN", f"The transcript is larger than {LARGEST_TRANSCRIPT} bytes.")
    lines: list[Line] = []
    *whole, rest = octets.split(b"\n")
    for number, stored in enumerate(whole, 1):
        line = _line(stored, number)
        if lines and line.prev != lines[-1].sha256:
            raise CeremonyError("RECORD-BROKEN", f"Line {number} of the transcript does not follow line {number - 1}.")
        lines.append(line)
    return lines, Torn(len(rest), sha256_hex(rest), rest) if rest else None


def _line(stored: bytes, number: int) -> Line:
    def broken(why: str) -> CeremonyError:
        return CeremonyError("RECORD-BROKEN", f"Line {number} of the transcript: {why}.")

    if len(stored) >= LARGEST_LINE:
        raise broken("longer than 1 MiB")
    try:
        value = parse_json(stored)
    except NotCanonical as why:
        raise broken(str(why)) from why
    if not isinstance(value, dict) or value.keys() != _SHAPES.keys():
        raise broken(f"must be an object with exactly the keys {', '.join(sorted(_SHAPES))}")
    for key, shape in _SHAPES.items():
        if type(value[key]) not in shape:
            raise broken(f"{key} has the wrong type")
    if value["seq"] != number:
        raise broken(f"its number says {value['seq']}")
    if value["type"] not in LINE_TYPES:
        raise broken(f"unknown type {value['type']!r}")
    if (value["type"] == "opened") != (number == 1):
        raise broken("a transcript has one `opened` line, the first")
    return Line(**value, sha256=sha256_hex(stored + b"\n"))


class Transcript:
    """The record of one ceremony, open for appending. The caller holds the folder's lock."""

    def __init__(self, path: "Path", clock: Callable[[], Moment]) -> None:
        """Reads what is there and opens the file for appending; the first append puts its line in a torn one's place.

        `clock` gives each line its time. Raises CeremonyError RECORD-BROKEN.
        """
        self.path = path
        self.torn: Torn | None = None
        self.lines: list[Line] = []
        self._clock = clock
        self._length = 0
        if path.exists():
            octets = path.read_bytes()
            self.lines, self.torn = read_lines(octets)
            self._length = len(octets) - (self.torn.length if self.torn else 0)
        self._on_disk = self._length, len(self.lines)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _sync_folder(path.parent)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the last line, newline included; "" before the first line."""
        return self.lines[-1].sha256 if self.lines else ""

    def append(
        self,
        type: LineType,
        data: dict[str, Any],
        *,
        step: int | None = None,
        actor: str | None = None,
        prev: str | None = None,
        flush: bool = True,
    ) -> Line:
        """Writes a line, and returns it when it is on the disk. `prev` is given for the first line alone.

        Without `flush` it is written and not yet on the disk: the next line that is, or `flush`, brings it there, and nothing may
        tell of it before. Raises CeremonyError RECORD-UNWRITABLE; then the file ends with the last line that was on the disk.
        """
        moment = self._clock()
        value = {
            "seq": len(self.lines) + 1,
            "time": moment.time,
            "boot": {"id": moment.boot_id, "milliseconds": moment.boot_milliseconds},
            "type": type,
            "step": step,
            "actor": actor,
            "data": data,
            "prev": self.lines[-1].sha256 if self.lines else prev,
        }
        stored = canonical_json(value)
        line = _line(stored, len(self.lines) + 1)
        try:
            os.ftruncate(self._descriptor, self._length)
            _write_all(self._descriptor, stored + b"\n")
        except OSError as failed:
            raise self._unwritable(failed) from failed
        self._length += len(stored) + 1
        self.lines.append(line)
        if flush:
            self.flush()
        return line

    def flush(self) -> None:
        """All lines are on the disk. Raises CeremonyError RECORD-UNWRITABLE, as `append` does."""
        if self._on_disk[0] == self._length:
            return
        try:
            os.fsync(self._descriptor)
        except OSError as failed:
            raise self._unwritable(failed) from failed
        self._on_disk = self._length, len(self.lines)

    def _unwritable(self, failed: OSError) -> CeremonyError:
        """Takes back what is not on the disk for sure, and says so."""
        self._length, lines = self._on_disk
        del self.lines[lines:]
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._length)
        return CeremonyError(
            "RECORD-UNWRITABLE",
            f"The transcript could not be written: {failed.strerror}.",
            state="The line that was to be written is not in the record; nothing that it would announce is announced.",
        )

    def of_type(self, *types: LineType) -> Iterable[Line]:
        """The lines of these types, in order."""
        return (line for line in self.lines if line.type in types)

    def close(self) -> None:
        """Closes the file; further appends are errors."""
        os.close(self._descriptor)


def last_line_sha256(path: "Path") -> str:
    """SHA-256 (hex) of the last line on the disk, newline included; what follows the last newline was never announced."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * LARGEST_LINE))
        *_, last, _ = (b"\n" + file.read()).split(b"\n")
    return sha256_hex(last + b"\n")


def _write_all(descriptor: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: "Path") -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
