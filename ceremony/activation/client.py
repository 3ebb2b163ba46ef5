"""Shares as the ceremony's process handles them: `split`, `read_share` and `combine` of `ceremony.activation.shares`, done elsewhere.

Each call starts a process (`share_process`), asks it one thing over a pipe and sees its end. Secrets are wipeable buffers here, and
the caller's to wipe.
"""

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from ceremony.activation import wire
from ceremony.activation.shares import Share, ShareProblem
from ceremony.errors import CeremonyError

_CHILD: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ceremony.activation.share_process import main; main()"
"""`python -I` has no path of ours: the child takes this very package, wherever it is."""


def split(secret: bytearray, threshold: int, count: int, *, other_sets: Collection[int] = ()) -> list[bytearray]:
    """As `shares.split`. Raises also CeremonyError SHARE-PROCESS."""
    return _asked("split", [secret], threshold=threshold, count=count, other_sets=sorted(other_sets))[1]


def read_share(typed: bytearray) -> Share:
    """As `shares.read_share`. Raises also CeremonyError SHARE-PROCESS."""
    public, [words] = _asked("read", [typed])
    return Share(**public, words=words)


def combine(shares: Sequence[Share], *, of_set: int | None = None) -> bytearray:
    """As `shares.combine`. Raises also CeremonyError SHARE-PROCESS."""
    public = [{"identifier": share.identifier, "threshold": share.threshold, "index": share.index} for share in shares]
    [secret] = _asked("combine", [share.words for share in shares], shares=public, of_set=of_set)[1]
    return secret


def _asked(do: str, secrets: Sequence[bytearray], **args: Any) -> tuple[Any, list[bytearray]]:
    """The public part of the answer, and its secrets."""
    child = subprocess.Popen(  # noqa: S603  # this Python, our own code
        [sys.executable, "-I", "-c", _CHILD, str(Path(__file__).resolve().parents[2])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={},
    )
    assert child.stdin is not None and child.stdout is not None  # noqa: S101  # made with pipes
    try:
        wire.send(child.stdin.fileno(), {"do": do, **args}, secrets)
        answer, made = wire.receive(child.stdout.fileno())
    except wire.WireClosed:
        raise CeremonyError("SHARE-PROCESS", "The process that handles shares ended without an answer.") from None
    finally:
        child.stdin.close()
        child.stdout.close()
        child.kill()
        child.wait()
    if "problem" in answer:
        problem = answer["problem"]
        raise ShareProblem(problem["code"], problem["what"], words=tuple(problem["words"]), share=problem["share"])
    return answer["value"], made
