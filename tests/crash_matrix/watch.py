"""Hears of each durable change of a ceremony: a line, a file flushed or renamed, what the token did."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

Heard = Callable[[str], None]
"""Called with what has just become durable, or, where it begins with `about to`, is to be done next and may be made to fail."""


class Watch:
    """Passes on what happens, while `heard` is set and where it is about the folder `below`."""

    def __init__(self, below: Path) -> None:
        self._below = str(below.resolve())
        self.heard: Heard | None = None

    def tell(self, what: str) -> None:
        if self.heard is not None:
            self.heard(what)

    def about(self, place: Any) -> str | None:
        """The place below the folder; None outside of it, and for the record, which tells itself."""
        if self.heard is None:
            return None
        path = os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else os.path.abspath(place)
        inside = path.removeprefix(self._below).lstrip("/")
        return None if not path.startswith(self._below) or inside == "transcript.jsonl" else inside or "."

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While open, flushes and renames of this process are heard."""
        with mock.patch("os.fsync", self._fsync), mock.patch("os.rename", self._rename), mock.patch("os.replace", self._replace):
            yield

    def _fsync(self, descriptor: int) -> None:
        place = self.about(descriptor)
        if place:
            self.tell(f"about to flush {place}")
        _FSYNC(descriptor)
        if place:
            self.tell(f"flushed {place}")

    def _rename(self, old: Any, new: Any, **more: Any) -> None:
        self._moved(_RENAME, old, new, more)

    def _replace(self, old: Any, new: Any, **more: Any) -> None:
        self._moved(_REPLACE, old, new, more)

    def _moved(self, move: Callable[..., None], old: Any, new: Any, more: dict[str, Any]) -> None:
        place = self.about(new)
        token = place is not None and place.endswith(".token")
        if place and not token:
            self.tell(f"about to rename {place}")
        move(old, new, **more)
        if place and not token:
            self.tell(f"renamed {place}")


_FSYNC, _RENAME, _REPLACE = os.fsync, os.rename, os.replace
