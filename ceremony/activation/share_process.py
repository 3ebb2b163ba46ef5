"""The process in which shares are in the clear: one request, one answer, and the end of its memory.

The library for shares works on `str` and `int`, of which Python can wipe neither; so they live here, for a tenth of a second, in a
process that others of the same user can't read, and that leaves no core. No secret comes by an argument or the environment.
"""

import os
import signal
import sys
from typing import Any, Final

from ceremony.activation import shares, wire
from ceremony.machine.hardening import harden

_SECONDS: Final = 30
"""After so long the system ends this process, whatever it waits for."""


def main() -> None:
    """Answers the one request on standard input; says nothing else anywhere."""
    harden(os.environ)
    signal.alarm(_SECONDS)
    # A key pressed in the terminal is for the process that leads the ceremony.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    try:
        request, secrets = wire.receive(requests)
    except wire.WireClosed:
        sys.exit(1)
    try:
        value, made = _done(request["do"], request, secrets)
        wire.send(answers, {"value": value}, made)
    except shares.ShareProblem as problem:
        told = {"code": problem.code, "what": problem.what, "words": problem.words, "share": problem.share}
        wire.send(answers, {"problem": told})
    except wire.WireClosed:
        sys.exit(1)


def _done(do: str, args: dict[str, Any], secrets: list[bytearray]) -> tuple[Any, list[bytearray]]:
    """What was asked for: the public part of it, and the secrets."""
    if do == "split":
        return None, shares.split(secrets[0], args["threshold"], args["count"], other_sets=args["other_sets"])
    if do == "read":
        read = shares.read_share(secrets[0])
        return {"identifier": read.identifier, "threshold": read.threshold, "index": read.index}, [read.words]
    given = [shares.Share(**share, words=words) for share, words in zip(args["shares"], secrets, strict=True)]
    return None, [shares.combine(given, of_set=args["of_set"])]
