"""The token's turn: one thread that takes what workers want signed, has it signed, and hands the signatures back.

A thread of its own, so that the token need not wait while the leading one flushes files and commits. It alone talks to the
token's process.
"""

import queue
import threading
from types import TracebackType
from typing import NamedTuple, Self

from ceremony.errors import CeremonyError, unforeseen
from ceremony.factory.issuer_key import TokenIssuerKey
from ceremony.factory.messages import Signatures, ToSign
from ceremony.factory.workers import Worker


class Dropped(NamedTuple):
    """A worker that waits for signatures in vain: for this reason, or because all is to stop."""

    worker: Worker
    why: CeremonyError | None


class Signer:
    """A context manager; at its end the thread ends, after the signature it is at."""

    def __init__(self, key: TokenIssuerKey, algorithm: str) -> None:
        self._key, self._algorithm = key, algorithm
        self._wanted: queue.SimpleQueue[tuple[Worker, ToSign] | None] = queue.SimpleQueue()
        self._dropped: queue.SimpleQueue[Dropped] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._wanted.put(None)
        self._thread.join()

    def sign(self, worker: Worker, wanted: ToSign) -> None:
        """Has this signed in its turn. The worker gets the signatures, or is among those `dropped` soon."""
        self._wanted.put((worker, wanted))

    def stop(self) -> None:
        """Nothing more is signed; whoever waits is dropped."""
        self._ending.set()

    def dropped(self) -> list[Dropped]:
        """Those that were dropped since this was asked last."""
        found = []
        while not self._dropped.empty():
            found.append(self._dropped.get())
        return found

    def _work(self) -> None:
        while (turn := self._wanted.get()) is not None:
            worker, wanted = turn
            try:
                if not self._done(worker, wanted):
                    self._dropped.put(Dropped(worker, None))
            except Exception as failed:  # noqa: BLE001 - the last place in this thread: whoever waits must hear of it
                # Nobody is logged in any more, or nobody is left to sign for.
                self.stop()
                self._dropped.put(Dropped(worker, failed if isinstance(failed, CeremonyError) else unforeseen(failed)))

    def _done(self, worker: Worker, wanted: ToSign) -> bool:
        made: list[bytes] = []
        if not self._ending.is_set():
            for signature in self._key.sign_many(wanted.to_be_signed, self._algorithm):
                made.append(signature)
                if self._ending.is_set():
                    break
        if len(made) < len(wanted.to_be_signed):
            return False
        worker.tell(Signatures(made))
        return True
