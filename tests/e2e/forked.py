"""Commands without the time that loading takes: one process loads the product, and each command is a copy of it.

A command still has a process of its own, with its arguments, environment, folder and standard streams, and ends as
`python -m ceremony` does. What a fresh start alone shows (which modules are loaded, and when) is tested elsewhere.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_LONGEST = 1 << 16
# Each costs time or loads what few commands want: the app, network clients, servers.
_LEFT_TO_THE_COMMAND = ("__main__", "tui", "online", "simulator", "device", "demo", "demo_online", "demo_fleet")


class Forks:
    """The process that is copied, seen from the tests. One command at a time."""

    def __init__(self, environ: Mapping[str, str], cwd: Path) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line = [sys.executable, "-m", "tests.e2e.forked", str(theirs.fileno())]
        # It ends when our end of the pair is closed, at the latest with this process.
        self._copied = subprocess.Popen(line, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=cwd, env=dict(environ))
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        """Ends it."""
        self._ours.close()
        self._copied.wait()

    def run(
        self, arguments: Sequence[str], *, typed: str | None, cwd: Path, environ: Mapping[str, str], seconds: float
    ) -> tuple[int, str, str]:
        """Exit code (negative: by that signal), stdout and stderr of a command; `typed` goes through a pipe. Raises TimeoutError."""
        asked = {"arguments": list(arguments), "cwd": str(cwd), "environ": dict(environ)}
        with _pipe_of(typed) as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._ours.settimeout(seconds)
            socket.send_fds(self._ours, [json.dumps(asked).encode()], [given.fileno(), out.fileno(), err.fileno()])
            process = self._answer()
            try:
                code = self._answer()
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                self._answer()
                raise
            return code, _text(out), _text(err)

    def _answer(self) -> int:
        said = self._ours.recv(_LONGEST)
        if not said:
            raise RuntimeError("the process that is copied has ended")
        return int(said)


def _pipe_of(typed: str | None) -> IO[bytes]:
    """The reading end of a pipe that holds this text and is shut; /dev/null for no text."""
    if typed is None:
        return open(os.devnull, "rb")
    read, write = os.pipe()
    with os.fdopen(write, "wb") as end:
        # No reader yet: it must fit into the pipe.
        os.set_blocking(write, False)
        end.write(typed.encode())
    return os.fdopen(read, "rb")


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def load() -> None:
    """Loads what commands want."""
    import ceremony

    for found in pkgutil.walk_packages(ceremony.__path__, "ceremony."):
        if found.name.split(".")[1] not in _LEFT_TO_THE_COMMAND:
            importlib.import_module(found.name)
    importlib.import_module("typst")
    gc.collect()
    gc.freeze()


def command_asked_for(asking: socket.socket) -> bool:
    """Answers what is asked for. True in a copy, now made into the command; False in the copied process, when nobody asks any more."""
    while True:
        said, received, _, _ = socket.recv_fds(asking, _LONGEST, 3)
        if not said:
            return False
        assert len(os.listdir("/proc/self/task")) == 1, "a process with threads must not be copied"
        process = os.fork()
        if process == 0:
            asking.close()
            become(json.loads(said), received)
            return True
        for descriptor in received:
            os.close(descriptor)
        asking.send(str(process).encode())
        asking.send(str(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])).encode())


def become(command: dict[str, Any], streams: list[int]) -> None:
    """Gives this process what the command is to have."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["environ"])
    sys.argv[1:] = command["arguments"]


if __name__ == "__main__":
    load()
    if command_asked_for(socket.socket(fileno=int(sys.argv[1]))):
        from ceremony.cli import main

        sys.argv[0] = str(Path(sys.modules["ceremony.cli"].__file__ or "").with_name("__main__.py"))
        sys.exit(main())
