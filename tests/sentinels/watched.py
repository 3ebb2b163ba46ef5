"""A command in a pseudo-terminal, with folders of its own to leave things in, and all that it left: what was written, started, shown."""

import ast
import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.commands import ROOT, environment
from tests.e2e.secrets_kept import files_with, held_by, processes_with
from tests.e2e.tmux import descendants

PATIENCE = 60.0
LOUD = {
    "AZURE_LOG_LEVEL": "debug", "AZURE_LOG": "verbose", "AZURE_SDK_LOGGING_LEVEL": "debug", "PYTHONASYNCIODEBUG": "1",
    "PYTHONFAULTHANDLER": "1", "TEXTUAL": "debug,devtools", "TEXTUAL_LOG": "textual.log", "SSLKEYLOGFILE": "tls.log",
    "PKCS11SPY_OUTPUT": "spy.log", "OPENSC_DEBUG": "9", "P11_KIT_DEBUG": "all",
}  # fmt: skip
"""What people or their distributions switch on to hear more; each could make somebody's code write what it should not."""
_COLUMNS = 200


@dataclass
class Left:
    """What a command left. `place` holds its working folder, home and temporary folder; `heard` are lines of `spoilt`."""

    place: Path
    code: int = 0
    shown: bytes = b""
    heard: bytes = b""
    processes: list[str] = field(default_factory=list)

    @property
    def started(self) -> list[str]:
        """Arguments and environment of each process that was started."""
        return re.findall(r"^started (.*)$", self.heard.decode(errors="replace"), re.MULTILINE)

    @property
    def cores(self) -> list[Path]:
        """The dumps of memory."""
        return [path for path in self.place.rglob("core*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]

    def written_elsewhere(self, *but: Path) -> list[str]:
        """Files that were opened to be written outside of `place` and of `but`."""
        paths = [ast.literal_eval(path) for path in re.findall(r"^written (.*)$", self.heard.decode(), re.MULTILINE)]
        ours = (self.place, *but, Path("/dev"), Path("/proc/self"))
        return sorted({path for path in paths if not any(Path(path).is_relative_to(place) for place in ours) and "__pycache__" not in path})

    def holds(self, secret: str, *aside: Path) -> list[str]:
        """Where the secret stands; `aside` are files that are meant to hold it, and no output of the command."""
        found = [path for path in files_with(self.place, secret) if Path(path) not in aside]
        found += ["the terminal"] * held_by(self.shown, secret)
        found += ["an argument or an environment"] * held_by(self.heard, secret) + self.processes
        return found


def watched(
    place: Path,
    *arguments: str | Path,
    typed: tuple[tuple[str, str], ...] = (),
    answer: Callable[[str], str | None] = lambda line: None,
    secrets: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
    bug: str = "",
    kill: str = "",
    look: Callable[[list[int], str], None] = lambda processes, prompt: None,
) -> Left:
    """Runs `ceremony ARGUMENTS` to its end.

    `typed` are prompts, in their order, and what is typed at each; then `answer` is asked with what was written since the last answer.
    At each prompt the arguments and environments of the processes that run are looked at for the `secrets`, and `look` is called with
    their ids, the command's first. `kill`: at this prompt the command's children die by SIGSEGV.
    """
    for name in ("home", "tmp", "work"):
        (place / name).mkdir(parents=True, exist_ok=True)
    heard = place.parent / f"{place.name}.heard"
    given = environment({**LOUD, "HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), **(environ or {})})
    given |= {"HEARD": str(heard), "LOGGED": str(place / "everything.log"), "PYTHONPATH": str(ROOT), **({"BUG": bug} if bug else {})}
    command = [sys.executable, "-m", "tests.sentinels.spoilt", *map(str, arguments)]
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(place / "work")
        allow_cores()
        os.execve(command[0], command, given)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))
    left, waiting, seen = Left(place), list(typed), 0
    end = time.monotonic() + PATIENCE
    while (octets := _read(terminal, end)) is not None:
        left.shown += octets
        new = left.shown[seen:].decode(errors="replace").replace("\r\n", "\n")
        said = waiting[0][1] if waiting and waiting[0][0] in new else answer(new) if not waiting else None
        if said is None:
            continue
        running = [process, *descendants(process)]
        for secret in secrets:
            left.processes += processes_with(running, secret)
        look(running, new)
        if kill and kill in new:
            for child in running[1:]:
                os.kill(child, signal.SIGSEGV)
        seen = len(left.shown)
        waiting = waiting[1:]
        # Not before getpass has switched the echo off.
        _until_silent(terminal, new)
        os.write(terminal, said.encode() + b"\r")
    os.close(terminal)
    left.code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    left.heard = heard.read_bytes()
    assert not waiting, f"{waiting[0][0]!r} was not asked for; there was\n{left.shown.decode(errors='replace')[-2000:]}"
    return left


def allow_cores() -> None:
    """As a machine that keeps dumps of memory has it."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def _read(terminal: int, end: float) -> bytes | None:
    ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
    if not ready:
        raise TimeoutError("the command neither asks nor ends")
    try:
        return os.read(terminal, 1 << 16) or None
    except OSError:
        return None


def _until_silent(terminal: int, prompt: str) -> None:
    wanted = time.monotonic() + 0.5
    while re.search(r"(?i)(passphrase|pin|again)[^\n]*: $", prompt) and time.monotonic() < wanted:
        if not termios.tcgetattr(terminal)[3] & termios.ECHO:
            return
        time.sleep(0.005)
