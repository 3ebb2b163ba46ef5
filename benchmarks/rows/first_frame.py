"""The first frame of the app, from the start of `ceremony rehearse`, against that of a Textual app that shows one word.

Both run on a terminal of 80x24 of their own. Ours has read the script and made the throw-away token's place by then. `cold`: what the
system remembers of files is dropped before each run, where it lets us. `uncompiled`: neither finds byte code.
"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.factories import working_folder
from benchmarks.row import Contest, Goal, Row, Took, clocked
from benchmarks.starting import CEREMONY, compiled, uncompiled

_SCRIPT: Final = Path(__file__).parents[2] / "ceremony-scripts" / "root-generation.toml"
_BARE: Final = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("REHEARSAL")

Bare(ansi_color=True).run()
"""
_SEEN: Final = b"REHEARSAL"
_SECONDS: Final = 60
_CACHES: Final = Path("/proc/sys/vm/drop_caches")


def _frame(command: Sequence[str | Path], environment: Mapping[str, str]) -> Took:
    """From the start to the frame; then the process is ended."""

    def until_seen() -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        child = subprocess.Popen(
            [*map(str, command)], stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True
        )
        os.close(theirs)
        seen = b""
        try:
            while _SEEN not in seen:
                if not select.select([ours], [], [], _SECONDS)[0]:
                    raise RuntimeError(f"no frame: {seen[-2000:]!r}")
                seen += os.read(ours, 1 << 16)
        finally:
            child.kill()
            child.wait()
            os.close(ours)

    return clocked(until_seen)


def _forget_files() -> None:
    os.sync()
    _CACHES.write_text("3")


def _contest(environment: Callable[[Path], dict[str, str]], before: Callable[[], None]) -> Callable[[int], AbstractContextManager[Contest]]:
    @contextmanager
    def opened(size: int) -> Iterator[Contest]:
        with working_folder() as folder:
            given, numbers = {**environment(folder), "TERM": "xterm-256color"}, count()

            def ours() -> Took:
                before()
                return _frame([CEREMONY, "rehearse", _SCRIPT, "--dir", folder / f"rehearsal-{next(numbers)}"], given)

            def theirs() -> Took:
                before()
                return _frame([sys.executable, "-c", _BARE], given)

            yield Contest(ours, {"textual": theirs})

    return opened


def _row(name: str, more: str, environment: Callable[[Path], dict[str, str]], before: Callable[[], None] = lambda: None) -> Row:
    goals = (Goal("textual", "a Textual app that shows one word", 1.2),)
    opened = _contest(environment, before)
    return Row(name=name, what=f"first frame of `ceremony rehearse`{more}", goals=goals, size=1, tiny=1, open=opened, rounds=7)


FIRST_FRAME: Final = (
    _row("first-frame", "", compiled),
    *([_row("first-frame-cold", ", nothing of it in memory", compiled, _forget_files)] if os.access(_CACHES, os.W_OK) else []),
    _row("first-frame-uncompiled", ", without byte code", uncompiled),
)
