"""Every fact of a record, as a report must have it."""

from collections.abc import Iterator, Sequence
from typing import Any

from ceremony.pki.names import shown_text
from ceremony.report.happened import LONGEST_TEXT
from ceremony.transcript import Line
from ceremony.words import sha256_hex

_FRAME = {"key", "verdict"}
"""Keys whose values are the program's own: they name a question or are told in other words."""
_IN_WORDS = {"statement", "how"}


def facts_of(lines: Sequence[Line]) -> Iterator[tuple[int, str, str]]:
    """Line, key and value of everything in the lines' data that is a text or a number, and who and when."""
    for line in lines:
        yield line.seq, "time", line.time.rstrip("Z").partition("T")[2]
        if line.actor:
            yield line.seq, "actor", line.actor
        for key, value in leaves(line.data):
            if key in _FRAME | _IN_WORDS or value is None or isinstance(value, bool):
                continue
            if line.type == "step-finished" and isinstance(value, str) and len(value) > LONGEST_TEXT:
                continue
            text = str(value)
            long = len(text) > LONGEST_TEXT or "\n" in text
            yield line.seq, key, sha256_hex(text.encode()) if long else shown_text(text)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The names and values at the ends of a nested value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item, key)
    else:
        yield key, value
