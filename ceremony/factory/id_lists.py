"""Where the ids come from: a file with one a line, a CSV file with a header, or a prefix and a number."""

import codecs
import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from ceremony.errors import CeremonyError
from ceremony.factory.order import Asked
from ceremony.pki.names import shown_text

COLUMNS: Final = ("registration_id", "id")
"""Names of the column that holds the ids of a CSV file, in any case; the first that is there is taken."""
MOST_COUNTED: Final = 100_000_000
LONGEST_LINE: Final = 64 << 10
"""Bytes of the longest line of a list."""
_OTHER_HEADERS: Final = frozenset(
    ("registrationid", "registrationids", "ids", "deviceid", "deviceids", "device", "serial", "serialnumber", "name", "commonname", "cn")
)
"""How the only column is often called otherwise, in small letters and digits alone: it would else pass for a first id."""
_DIGITS: Final = 6
_DELIMITERS: Final = ",;\t"
_OTHER_ENCODINGS: Final = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", codecs.BOM_UTF32_BE: "UTF-32"}


class _Unusable(Exception):
    """The rest of the list can't be read; the text says where and why."""


def ask_for_file(asked: Asked, path: Path) -> None:
    """Enters every id of the file, and every problem with it. UTF-8, with a byte order mark or without; lines end with LF or CRLF.

    A file whose first line has a comma, a semicolon or a tab, or is one of COLUMNS, is CSV with a header (RFC 4180). Empty lines
    at the end are passed over. Raises CeremonyError FACTORY-IDS when the file can't be opened or read.
    """
    try:
        with path.open("rb") as file:
            _ask_for_lines(asked, _Lines(asked, file))
    except OSError as failed:
        what = f"{shown_text(str(path))} could not be read: {failed.strerror}."
        raise CeremonyError("FACTORY-IDS", what, state="Nothing was made.", do_now="Check the path given with --ids.") from failed
    except _Unusable as end:
        asked.problems.add(*end.args)


def ask_for_count(asked: Asked, prefix: str, count: int, first: int) -> None:
    """Enters `count` ids: the prefix and a number of six digits or more, from `first` on.

    A problem with the prefix is told once. Raises CeremonyError USAGE for numbers out of range.
    """
    if not 1 <= count <= MOST_COUNTED or not 0 <= first <= MOST_COUNTED:
        raise CeremonyError("USAGE", f"--count is 1 to {MOST_COUNTED:,}, --first is 0 to {MOST_COUNTED:,}.", state="Nothing was made.")
    for number in range(first, first + count):
        asked.add(f"number {number}", f"{prefix}{number:0{_DIGITS}}")
        if asked.problems.count:
            return


class _Lines:
    """The lines without their ends, as they are read; `number` is that of the last one. Empty lines are problems, but at the end."""

    def __init__(self, asked: Asked, file: BinaryIO) -> None:
        self._asked, self._file = asked, file
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        empty = 0
        while octets := self._file.readline(LONGEST_LINE + 2):
            self.number += 1
            if self.number == 1:
                octets = _without_mark(octets)
            if len(octets) > LONGEST_LINE:
                raise _Unusable(f"line {self.number}:", f"has more than {LONGEST_LINE} bytes")
            line = octets.removesuffix(b"\n").removesuffix(b"\r")
            if not line:
                empty += 1
                continue
            if empty:
                self._asked.problems.add(f"line {self.number - empty}:", "is empty" + f", and {empty - 1} after it" * (empty > 1))
                empty = 0
            try:
                yield line.decode()
            except UnicodeDecodeError:
                self._asked.problems.add(f"line {self.number}:", "is not UTF-8: save the file as UTF-8")


def _ask_for_lines(asked: Asked, lines: _Lines) -> None:
    texts = iter(lines)
    first = next(texts, None)
    if first is None:
        return
    if any(delimiter in first for delimiter in _DELIMITERS) or first.strip('"').lower() in COLUMNS:
        _ask_for_rows(asked, lines, chain([first], texts))
        return
    if "".join(filter(str.isalnum, first)).lower() in _OTHER_HEADERS:
        what = f"'{first}' looks like a header, but of no column {' or '.join(COLUMNS)}: call it so"
        asked.problems.add(f"line {lines.number}:", f"{what}; if it is an id, put a line `id` before it")
        first = next(texts, None)
    for text in chain([] if first is None else [first], texts):
        asked.add(f"line {lines.number}", text)


def _ask_for_rows(asked: Asked, lines: _Lines, texts: Iterator[str]) -> None:
    header = next(texts)
    delimiter = next((delimiter for delimiter in _DELIMITERS if delimiter in header), ",")
    rows = csv.reader((f"{text}\n" for text in chain([header], texts)), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(rows)]
        wanted = [name for name in COLUMNS if name in names]
        if not wanted:
            raise _Unusable(f"line {lines.number}:", f"has no column {' or '.join(COLUMNS)}, but: {', '.join(names)[:200]}")
        if names.count(wanted[0]) > 1:
            raise _Unusable(f"line {lines.number}:", f"has the column {wanted[0]} more than once")
        column = names.index(wanted[0])
        for row in rows:
            if len(row) != len(names):
                asked.problems.add(f"line {lines.number}:", f"has {len(row)} columns, and the header has {len(names)}")
            else:
                asked.add(f"line {lines.number}", row[column])
    except csv.Error as broken:
        raise _Unusable(f"line {lines.number}:", f"is not CSV: {broken}") from broken


def _without_mark(octets: bytes) -> bytes:
    for mark, name in _OTHER_ENCODINGS.items():
        if octets.startswith(mark):
            raise _Unusable("line 1:", f"begins like {name}: save the file as UTF-8")
    return octets.removeprefix(codecs.BOM_UTF8)
