"""Azure's device library, run in a process of its own (ceremony/device/child.py): what it is asked, and what is heard of it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

LIBRARY = "azure-iot-device"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_CHILD = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ceremony.device.child import main; main()"
"""`python -I` has no path of ours: the child takes this very package, wherever it is."""
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """One answer of the provisioning service. `retry_after` in seconds, None when it gave none."""

    status: int
    retry_after: int | None
    body: bytes


@dataclass(frozen=True)
class Fault:
    """An error of the library's, or its cause. `kinds` names its class and those above it; `number` is errno, None without."""

    kinds: tuple[str, ...]
    text: str
    number: int | None

    def is_a(self, *names: str) -> bool:
        """Whether it is of one of these classes."""
        return not set(names).isdisjoint(self.kinds)


@dataclass
class Told:
    """What was heard until the process ended: facts by event, the service's answers in order, the error, outermost first."""

    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    faults: tuple[Fault, ...] = ()
    out_of_time: bool = False

    def fault(self, *names: str) -> Fault | None:
        """The innermost error of one of these classes."""
        return next((fault for fault in reversed(self.faults) if fault.is_a(*names)), None)


def ask_library(request: Mapping[str, Any], passphrase: bytearray | None, seconds: float) -> Told:
    """Has the library do one thing, for at most so many seconds; then its process is ended, whatever it does.

    Raises CeremonyError DEVICE-PACKAGES where the library is not installed.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    child = subprocess.Popen(  # noqa: S603  # this Python, our own code
        [sys.executable, "-I", "-c", _CHILD, str(Path(__file__).resolve().parents[2])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=environment,
    )
    told = Told()
    try:
        _send(child, request, passphrase)
        for event in _events(child, time.monotonic() + seconds, told):
            _take(event, told)
    finally:
        child.kill()
        for end in (child.stdin, child.stdout):
            if end is not None:
                end.close()
        child.wait(_END_SECONDS)
    return told


def _send(child: "subprocess.Popen[bytes]", request: Mapping[str, Any], passphrase: bytearray | None) -> None:
    if child.stdin is None:
        return
    try:
        line = json.dumps({**request, "passphrase_octets": len(passphrase or b"")})
        child.stdin.write(line.encode() + b"\n")
        # Straight from the caller's buffer, which the caller wipes.
        child.stdin.write(passphrase or b"")
    except BrokenPipeError:
        pass  # It ended before it listened; that nothing is heard of it tells so.


def _events(child: "subprocess.Popen[bytes]", deadline: float, told: Told) -> Iterator[dict[str, Any]]:
    """The lines of the child, each as it comes, to its end or the deadline."""
    held = bytearray()
    while child.stdout is not None:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            told.out_of_time = True
            return
        octets = os.read(child.stdout.fileno(), 65536)
        if not octets:
            return
        held += octets
        *lines, rest = bytes(held).split(b"\n")
        held[:] = rest
        for line in lines:
            yield json.loads(line)


def _take(event: dict[str, Any], told: Told) -> None:
    match event.pop("event"):
        case "heard":
            told.answers.append(Answer(event["status"], event["retry_after"], event["body"].encode()))
        case "failed":
            told.faults = told.faults or tuple(Fault(tuple(fault["kinds"]), fault["text"], fault["number"]) for fault in event["faults"])
        case "missing":
            what = f"The device library is not installed: the package {shown_text(event['package'])} is missing."
            raise CeremonyError("DEVICE-PACKAGES", what, state="Nothing was sent.")
        case name:
            told.facts[name] = event
