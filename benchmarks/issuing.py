"""`ceremony factory issue` in this process or as the whole command, as the rows and curves run it."""

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.factories import PROCESSORS, Factory
from benchmarks.row import Took, processor_seconds, resident_mebibytes
from ceremony.factory.folder import read_accepted
from ceremony.factory.index import About
from ceremony.factory.issue import Passphrases, issue
from ceremony.factory.issuer_key import open_issuer_key
from ceremony.factory.order import Asked
from ceremony.factory.output import Output
from ceremony.factory.shards import WHOLE
from ceremony.factory.terms import Terms
from ceremony.factory.todo import Todo
from ceremony.factory.workers import Crew


class Issued(NamedTuple):
    """A run: the whole of it with the token open, and the part from the first batch that was in its place to the last."""

    whole: Took
    first: int
    last: int
    seconds_between: float


def issue_here(factory: Factory, out: Path, ask: Callable[[Asked], object]) -> Issued:
    """Issues what `ask` enters, in this process and its workers, timed when the token is open and logged in to."""
    told: list[tuple[int, float]] = []
    accepted = read_accepted(factory.folder)
    about = About(accepted.factory.spki_sha256, accepted.root_fingerprint, False, "1/1")
    secret = bytearray(factory.secret.read_bytes().rstrip())
    with open_issuer_key(accepted.factory, secret) as key, Crew() as crew:
        processor, began = processor_seconds(), time.perf_counter()
        crew.call_up(1)
        with Asked(WHOLE) as asked, Output(out, about) as output:
            ask(asked)
            asked.problems.refuse("FACTORY-CSRS", "problems")
            issue(
                accepted,
                key,
                Todo(asked, output, Terms(), accepted.certificate, _now()),
                Passphrases(bytearray(), bytearray()),
                # As many as the command takes unless told otherwise.
                jobs=PROCESSORS if factory.environ else PROCESSORS + 1,
                crew=crew,
                now=_now,
                stopping=lambda: False,
                tell=lambda made: told.append((made, time.perf_counter())),
            )
        whole = Took(time.perf_counter() - began, processor_seconds() - processor)
    (first, at_first), (last, at_last) = told[0], told[-1]
    return Issued(whole, first, last, at_last - at_first)


def command(factory: Factory, out: Path, *options: str | Path) -> tuple[Took, float]:
    """The whole command with these options, and the most memory that it and all its children held at once (MiB)."""
    line = [sys.executable, "-m", "ceremony", "factory", "issue", factory.folder, "-o", out, *options]
    processor, began, most = processor_seconds(), time.perf_counter(), 0.0
    run = subprocess.Popen(
        [*map(str, line), "--passphrase-file", str(factory.secret), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **factory.environ},
    )
    while run.poll() is None:
        most = max(most, resident_mebibytes(run.pid))
        time.sleep(0.02)
    took = Took(time.perf_counter() - began, processor_seconds() - processor)
    assert json.loads(run.communicate()[0])["made"] > 0
    return took, most


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
