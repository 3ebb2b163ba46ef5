"""The command, listened to, and with a bug where one is wanted: python -m tests.sentinels.spoilt ARGUMENTS

HEARD names a file that gets the arguments and the environment of each process that is started, and each path that is opened to be
written. BUG is "module:function:how": where the function is called it fails by an error that quotes all it was given ("quotes"), dies
as by a fault of memory ("dies"), or lets it out in all ways that are looked for ("leaks"). All that can be logged goes to the file LOGGED.
"""

import importlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def hear(event: str, given: tuple[Any, ...]) -> None:
    """The audit hook (PEP 578): CPython calls it before each of these is done, whichever code asks for it."""
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        _tell("started", [list(map(os.fsdecode, given[1])), dict(given[-1] if given[-1] is not None else os.environ)])
    elif event == "os.system":
        _tell("started", list(given))
    elif event == "open" and isinstance(given[0], str | bytes) and given[2] & _WRITES:
        _tell("written", os.path.abspath(os.fsdecode(given[0])))


def _tell(what: str, facts: Any) -> None:
    os.write(_HEARD, f"{what} {facts!r}\n".encode(errors="surrogateescape"))


def bug(how: str, given: list[Any]) -> NoReturn:
    """What goes wrong, while all that was given stands in local variables."""
    told = [bytes(octets).decode(errors="replace") if isinstance(octets, bytes | bytearray) else repr(octets) for octets in given]
    if how == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "leaks":
        for place in (".", os.environ["TMPDIR"], os.environ["ELSEWHERE"]):
            Path(place, "kept").write_text(" ".join(told))
        subprocess.run(["true", *told], check=True)
        print(told)
    raise ValueError(f"a bug that quotes {told}")


def put_in(where: str) -> None:
    """Replaces a function or a method."""
    module, name, how = where.split(":")
    holder: Any = importlib.import_module(module)
    *classes, last = name.split(".")
    for inner in classes:
        holder = getattr(holder, inner)
    setattr(holder, last, lambda *given, **more: bug(how, [*given, *more.values()]))


if __name__ == "__main__":
    _HEARD = os.open(os.environ.pop("HEARD"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.set_inheritable(_HEARD, False)
    logging.basicConfig(filename=os.environ.pop("LOGGED"), level=logging.DEBUG)
    if spoilt := os.environ.pop("BUG", ""):
        put_in(spoilt)
    from ceremony.cli import main

    sys.addaudithook(hear)
    sys.exit(main())
