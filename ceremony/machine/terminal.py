"""Can the screens be shown here? Asked before the app starts, since Textual itself does not ask."""

import codecs
import os
from collections.abc import Mapping
from typing import TextIO

from ceremony.errors import CeremonyError

COLUMNS, LINES = 80, 24
"""The least size of a terminal for the app; every screen fits it."""


def problem_with_terminal(stdin: TextIO, stdout: TextIO, environ: Mapping[str, str]) -> CeremonyError | None:
    """The first thing that keeps the app from this terminal, with what to type; None when nothing does.

    `stdout` is the stream that the app draws on (Textual draws on standard error). Codes: TERMINAL-MISSING, TERMINAL-DUMB,
    TERMINAL-NOT-UTF-8, TERMINAL-TOO-SMALL. The error is returned, not raised: `doctor` lists it, the app's caller raises it.
    """
    for stream, what in ((stdin, "What is typed"), (stdout, "What is shown")):
        if not stream.isatty():
            return CeremonyError("TERMINAL-MISSING", f"{what} does not pass through a terminal.")
    kind = environ.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        return CeremonyError("TERMINAL-DUMB", f"TERM is {kind}." if kind else "TERM is not set.")
    if not _is_utf_8(stdout.encoding):
        return CeremonyError("TERMINAL-NOT-UTF-8", f"The terminal's character set is {stdout.encoding}.")
    size = os.get_terminal_size(stdout.fileno())
    if size == (0, 0):
        return CeremonyError(
            "TERMINAL-TOO-SMALL",
            "The terminal does not tell its size.",
            do_now=f"Type `stty cols {COLUMNS} rows {LINES}` if it has that many columns and lines, else add --plain.",
        )
    if size.columns < COLUMNS or size.lines < LINES:
        return CeremonyError(
            "TERMINAL-TOO-SMALL",
            f"The terminal has {size.columns} columns and {size.lines} lines; the app needs {COLUMNS} and {LINES}.",
            do_now=f"Make the window larger, or type `printf '\\033[8;{LINES};{COLUMNS}t'` where the terminal obeys it, or add --plain.",
        )
    return None


def draws_half_blocks(environ: Mapping[str, str]) -> bool:
    """Whether U+2580 can be drawn. The fonts that Debian puts on Linux' own console lack it, whatever its character set says."""
    return environ.get("TERM", "linux") not in ("linux", "dumb", "unknown", "")


def _is_utf_8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return False
