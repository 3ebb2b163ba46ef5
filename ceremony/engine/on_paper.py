"""Whether all that a script says can be printed: what the paper can't show is told before anybody is in the room."""

from collections.abc import Iterator, Mapping
from typing import Any

from ceremony.pki.names import shown_text
from ceremony.pki.printed import unprintable


def problems_on_paper(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The key path of each text of a script's TOML document that paper can't show as it is, and why."""
    for where, text in _texts(document, ""):
        for why in unprintable(text):
            yield where, f"can't be printed: {why}"


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield where, value
        case dict():
            for key, item in value.items():
                path = f"{where}.{shown_text(key)}" if where else shown_text(key)
                yield from _texts(item, path)
        case list():
            for number, item in enumerate(value, 1):
                yield from _texts(item, f"{where}[{number}]")
