"""Small pieces that chapters are made of: rows of facts, line numbers, times."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ceremony.pki.names import shown_text
from ceremony.report.happened import listed


def rows(table: Mapping[str, Any], but: Collection[str] = (), *, shown: Callable[[str], str] = shown_text) -> tuple[tuple[str, str], ...]:
    """A table's values as rows of facts, a row each, without the keys in `but`."""
    named = (line.partition(": ") for line in listed({key: value for key, value in table.items() if key not in but}, shown=shown))
    return tuple((name, value) for name, _, value in named)


def told(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Lines `name: text` as rows of facts."""
    return tuple((name, text) for name, _, text in (line.partition(": ") for line in lines))


def text_of(value: Any) -> str:
    """Any value as one text: a text as it is, else as `listed` has it."""
    return value if isinstance(value, str) else "; ".join(listed(value)) if value is not None else "none"


def spoken(time: str) -> str:
    """A time of the record (RFC 3339, UTC) as people say it."""
    return time.rstrip("Z").replace("T", " ") + " UTC"


def line_numbers(numbers: Iterable[int]) -> str:
    """Numbers of lines in their order, those that follow each other joined: `12-15, 20`; `none` without any."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs) or "none"
