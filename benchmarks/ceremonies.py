"""A whole rehearsal in this process, unattended, of a first ceremony with as many intermediates as are wanted."""

import time
import tomllib
from pathlib import Path
from typing import Any

import tomlkit

from benchmarks.row import Took, processor_seconds
from ceremony import shipped
from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret
from ceremony.machine.site import NO_SITE
from ceremony.rehearsal import prepared
from ceremony.session import begun
from ceremony.unattended import Unattended

_KINDS = (
    "roll-call", "check-clock", "check-machine", "initialise-token", "unlock", "generate-root", "unlock", "certify-root",
    "import-request", "unlock", "sign-intermediates", "close",
)  # fmt: skip
SIGNING = _KINDS.index("sign-intermediates") + 1


def script_with(intermediates: int) -> bytes:
    """The tables of the shipped first ceremony, this many intermediates, and no step that is not needed for them."""
    document: dict[str, Any] = tomllib.loads(shipped.path_of("first-ceremony").read_text())
    for table in ("proofs", "crossing"):
        document.pop(table, None)
    document["max_batch"] = min(intermediates, 25)
    document["intermediates"] = [{"name": f"line-{number:05}.1", "profile": "factory"} for number in range(intermediates)]
    document["steps"] = [{"kind": kind, "title": kind, "actor": "admin", "confirm": ["witness-1"]} for kind in _KINDS]
    document["steps"][3]["label"] = "example-root"
    return tomlkit.dumps(document).encode()


class Watch(Unattended):
    """Answers by itself, and clocks the signing step without the people in it.

    What counts: from the step's begin to the order being put to the orderer (drafts made, stored, decoded, linted), and from
    the order's second signature to the step's end (signed, verified, written). What the people's credentials take does not.
    """

    def __init__(self) -> None:
        super().__init__(tell=lambda said: None, kinds=_KINDS)
        self.took = Took(0, 0)
        self._since: Took | None = None

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """Stops the clock where a person is asked."""
        self._stop()
        return super().ask(ask)

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """The same."""
        self._stop()
        return super().secret(secret)

    def tell(self, notice: Notice) -> None:
        """Starts the clock with the step, and again when the first signature is asked of the token."""
        super().tell(notice)
        signing = notice.kind == "working" and notice.lines[0].startswith("Waiting for the token: it signs")
        if self._since is None and (signing or (notice.kind == "step-started" and notice.step == SIGNING)):
            self._since = _now()
        if notice.kind == "step-finished" and notice.step == SIGNING:
            self._stop()

    def _stop(self) -> None:
        if self._since is not None:
            now = _now()
            self.took = Took(*(sum_ + after - before for sum_, after, before in zip(self.took, now, self._since, strict=True)))
            self._since = None


def _now() -> Took:
    return Took(time.perf_counter(), processor_seconds())


def rehearse(folder: Path, intermediates: int) -> Took:
    """Holds the ceremony in a new folder, and says what its signing step took."""
    script, watch = script_with(intermediates), Watch()
    rehearsed = prepared(script, folder, None, ())
    with begun(script, folder, site=NO_SITE, inbox=None, outbox=None, previous=(), removed=(), rehearsed=rehearsed) as session:
        outcome = session.conduct(watch)
    assert outcome.reason == "closed", outcome
    return watch.took
