"""A real terminal: tmux with a server of its own, 80 by 24, TERM=linux; what it shows is read, and what a person would type is typed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.commands import ROOT, command_line, environment

COLUMNS, LINES = 80, 24
PATIENCE = 60.0


class Tmux:
    """One command in one pane. `raw` is the file with every byte that the command wrote to its terminal."""

    def __init__(self, folder: Path, line: Sequence[str], environ: Mapping[str, str], size: tuple[int, int] = (COLUMNS, LINES)) -> None:
        """Starts this command in tmux; its exit code goes to a file below `folder`, after which a shell waits."""
        folder.mkdir()
        # Not below `folder`: the path of a socket may have 107 bytes (unix(7)).
        self._place = Path(tempfile.mkdtemp(prefix="ceremony-"))
        self._socket = self._place / "tmux"
        self.raw = folder / "raw"
        self._ended = folder / "ended"
        script = folder / "run.sh"
        given = environment(environ)
        exports = "".join(f"export {name}='{value}'\n" for name, value in given.items())
        quoted = " ".join(f"'{word}'" for word in line)
        # `read`: the pane must outlive the command, for what it left of the terminal to be looked at. The command starts on a word.
        script.write_text(
            f"unset COLORTERM NO_COLOR\n{exports}cd '{ROOT}'\nread go\n{quoted}\necho $? >'{self._ended}.new'\n"
            f"mv '{self._ended}.new' '{self._ended}'\nread stay\n"
        )
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "sh", str(script))
        self._tmux("set-option", "-g", "status", "off")
        self._tmux("resize-window", "-x", str(size[0]), "-y", str(size[1]))
        self.raw.touch()
        self._tmux("pipe-pane", f"cat >>'{self.raw}'")
        self._tmux("send-keys", "go", "Enter")

    def _tmux(self, *arguments: str) -> str:
        line = ["tmux", "-S", str(self._socket), *arguments]
        ended = subprocess.run(line, capture_output=True, text=True, check=False, env=environment())
        assert ended.returncode == 0, ended
        return ended.stdout

    def screen(self) -> str:
        """What stands on the screen, 24 lines, blanks at their ends cut."""
        return "\n".join(line.rstrip() for line in self._tmux("capture-pane", "-p").splitlines()) + "\n"

    def history(self) -> str:
        """All that tmux kept, the alternate screen and what scrolled away included, with its attributes."""
        whole = self._tmux("capture-pane", "-p", "-e", "-S", "-", "-E", "-")
        return whole + self._tmux("capture-pane", "-p", "-a", "-q", "-S", "-") + self._tmux("list-buffers")

    def flags(self) -> str:
        """alternate_on and cursor_flag: "0 1" for a terminal that was left clean."""
        return self._tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip()

    def keys(self, *names: str) -> None:
        """Presses keys by tmux's names: Enter, NPage, F10, C-c."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Types text as it stands, then Enter."""
        if text:
            self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def until(self, fits: str | Callable[[str], object]) -> str:
        """Waits until this text, or a screen that fits, is shown; returns the screen."""
        wanted = (lambda screen: fits in screen) if isinstance(fits, str) else fits
        end = time.monotonic() + PATIENCE
        while not wanted(screen := self.screen()):
            assert time.monotonic() < end, f"{fits!r} did not come; there is\n{screen}"
            time.sleep(0.03)
        return screen

    def until_gone(self, text: str) -> None:
        """Waits until this text is not shown any more."""
        self.until(lambda screen: text not in screen)

    @property
    def ended(self) -> bool:
        """Whether the command has ended."""
        return self._ended.exists()

    def exit_code(self) -> int:
        """Waits for the command's end; its exit code."""
        end = time.monotonic() + PATIENCE
        while not self.ended:
            assert time.monotonic() < end, f"it did not end; there is\n{self.screen()}"
            time.sleep(0.03)
        return int(self._ended.read_text())

    def pids(self) -> list[int]:
        """The command's process and its children, the oldest first."""
        [shell] = map(int, self._tmux("list-panes", "-F", "#{pane_pid}").split())
        return [pid for pid in descendants(shell) if str(sys.executable) in cmdline(pid) or "hsm" in cmdline(pid)]

    def signal(self, name: str) -> None:
        """Sends a signal to the command."""
        os.kill(self.pids()[0], getattr(signal, f"SIG{name}"))

    def close(self) -> None:
        """Ends this server of tmux, and what runs in it."""
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False)
        shutil.rmtree(self._place, ignore_errors=True)


@contextmanager
def terminal(folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None, module: str = "ceremony") -> Iterator[Tmux]:
    """The command in a terminal of its own, which is ended whatever happens."""
    if shutil.which("tmux") is None:
        pytest.skip("no tmux on this machine")
    tmux = Tmux(folder, command_line(*arguments, module=module), environ or {})
    try:
        yield tmux
    finally:
        tmux.close()


def cmdline(pid: int) -> str:
    """The arguments of a process, as anybody may read them; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def environ(pid: int) -> str:
    """The environment of a process, as root may read it; "" when it may not be read or is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """Children, their children and so on, in the order of their ids."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(rest[1]), []).append(int(path.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return sorted(found)
