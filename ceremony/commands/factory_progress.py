"""How far something is, on stderr: a bar in a terminal, a line now and then elsewhere."""

import sys
import time
from contextlib import suppress

from ceremony.commands.files import say

_BAR, _COLUMNS = 30, 79
_SECONDS_BETWEEN_BARS, _SECONDS_BETWEEN_LINES = 0.1, 10.0


class Progress:
    """Of `total` things that are made. What was there before does not count for the rate."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._in_terminal = sys.stderr.isatty()
        self._began = self._told = time.monotonic()
        self._drawn = False

    def tell(self, made: int) -> None:
        """So many are made by now."""
        now = time.monotonic()
        if now - self._told < (_SECONDS_BETWEEN_BARS if self._in_terminal else _SECONDS_BETWEEN_LINES):
            return
        self._told = now
        line = progress_line(made, self._total, now - self._began)
        if not self._in_terminal:
            say(line)
            return
        filled = _BAR * made // self._total
        self._draw(f"[{'#' * filled}{'.' * (_BAR - filled)}] {line}")
        self._drawn = True

    def end(self) -> None:
        """Takes the bar away."""
        if self._drawn:
            self._draw("")

    def _draw(self, text: str) -> None:
        # A terminal that is gone must not end the work.
        with suppress(OSError):
            print(f"\r{text[:_COLUMNS]:{_COLUMNS}}\r", end="", file=sys.stderr, flush=True)


def progress_line(made: int, total: int, seconds: float) -> str:
    """How many of how many, how fast, how long still."""
    line = f"{made:,} of {total:,}"
    if not made or seconds <= 0:
        return line
    rate = made / seconds
    left = round((total - made) / rate)
    minutes, rest = divmod(left, 60)
    return f"{line}, {rate:,.0f}/s, {f'{minutes} min ' if minutes else ''}{rest} s left"
