"""A real terminal (a pseudo-terminal of 80 by 24) with a face of the made-up ceremony in it."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


class Terminal:
    """Starts `python -m tests.faces.play WHAT...`; `seen` is all that it wrote, escape sequences included."""

    def __init__(self, *what: str, **environ: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            command = [sys.executable, "-m", "tests.faces.play", *what]
            os.execve(command[0], command, {**kept, "LC_ALL": "C.UTF-8", "TERM": "linux", **environ})
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.seen = ""
        self._place = 0
        self._ended: int | None = None

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._ended is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pull_the_cable()

    def wait_for(self, text: str) -> None:
        """Reads until `text` was written after what the last call waited for; fails after PATIENCE."""
        until = time.monotonic() + PATIENCE
        while text not in self.seen[self._place :]:
            assert time.monotonic() < until, f"{text!r} did not come; there was {self.seen[self._place :]!r}"
            self._read()
        self._place = self.seen.index(text, self._place) + len(text)

    def type(self, text: str) -> None:
        """Types text; "\\r" is Enter."""
        os.write(self._descriptor, text.encode())

    def signal(self, number: int) -> None:
        """Sends a signal to the face."""
        os.kill(self.pid, number)

    def pull_the_cable(self) -> None:
        """The terminal goes away."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def exit_code(self) -> int:
        """Reads to the end and gives the exit code; negative when a signal killed it."""
        until = time.monotonic() + PATIENCE
        while self._ended is None:
            assert time.monotonic() < until, f"it did not end; the last was {self.seen[-500:]!r}"
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._ended = os.waitstatus_to_exitcode(status)
        # What it wrote last may come in more than one piece.
        seen = ""
        while seen != self.seen:
            seen = self.seen
            self._read()
        return self._ended

    def _read(self) -> None:
        if self._descriptor < 0:
            time.sleep(0.05)
            return
        ready, _, _ = select.select([self._descriptor], [], [], 0.1)
        try:
            self.seen += os.read(self._descriptor, 1 << 16).decode(errors="replace") if ready else ""
        except OSError:
            time.sleep(0.05)
