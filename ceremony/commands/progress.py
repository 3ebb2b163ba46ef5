"""A line on the terminal that counts up while something takes its time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ceremony.pki.names import shown_text


@contextmanager
def progress_line(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Hands out what is called with each count: it rewrites one line on stderr. Where that is no terminal, nothing is written."""
    if not sys.stderr.isatty() or not total:
        yield lambda count: None
        return

    def show(text: str) -> None:
        with suppress(OSError):
            print(f"\r{text}", end="", file=sys.stderr, flush=True)

    width = 0

    def count_up(count: int) -> None:
        nonlocal width
        text = shown_text(f"{what}: {count} of {total}")
        width = len(text)
        show(text)

    count_up(0)
    try:
        yield count_up
    finally:
        show(" " * width + "\r")
