"""Device certificates in bulk: the run that hands batches to workers, has them signed, and enters what they made.

One process leads: it keeps folder and index, and the token when the intermediate's key is on one. Workers make keys, certificates
and files; they hold the intermediate's key when it is a file's. A few certificates the leading process makes by itself (`few`).
How a run can be broken off at any point is told in `output`.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from ceremony.crossing.artifacts import certificate_der
from ceremony.errors import CeremonyError
from ceremony.factory.few import FEW, Here
from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.folder import Accepted, TokenKey
from ceremony.factory.index import Order
from ceremony.factory.issuer_key import TokenIssuerKey
from ceremony.factory.messages import Batch, Done, Failed, FromWorker, Made, Start, ToSign, Wanted
from ceremony.factory.signing import Signer
from ceremony.factory.todo import Todo
from ceremony.factory.workers import Crew, Worker, ready, started
from ceremony.pki.profiles import utc_text
from ceremony.pki.signatures import algorithm_for

BATCH, BATCH_BY_TOKEN = 250, 50
"""Certificates of a batch; fewer where each waits for the token, so that progress shows and a stop is soon."""

_SECONDS_BETWEEN_LOOKS = 0.2
SigningKey = FileIssuerKey | TokenIssuerKey
_Heard = Callable[[list[Any], float], list[Any]]


@dataclass(frozen=True)
class Issued:
    """What a run made, and whether all that was asked for is there now."""

    made: int
    complete: bool


@dataclass(frozen=True)
class Passphrases:
    """Of .p12 files and of key files (UTF-8); empty where none are wanted."""

    pkcs12: bytearray
    keys: bytearray


def issue(
    accepted: Accepted,
    key: SigningKey,
    todo: Todo,
    passphrases: Passphrases,
    *,
    jobs: int,
    crew: Crew,
    now: Callable[[], dt.datetime],
    stopping: Callable[[], bool],
    tell: Callable[[int], None],
) -> Issued:
    """Makes all that is to do, by `jobs` processes of `crew`; ends soon and in order when `stopping` says so.

    `tell` hears how many are made so far, whenever there are more. The passphrases are wiped. Raises CeremonyError: what a worker
    or the token met (what is in the index by then is whole), FACTORY-OUT-UNWRITABLE, FACTORY-OUT-BROKEN, FACTORY-WORKER-DIED.
    """
    count = processes_for(accepted, todo, jobs)
    few = count == 0
    pkcs8 = key.pkcs8() if isinstance(key, FileIssuerKey) and not few else bytearray()
    on_token = None if isinstance(key, FileIssuerKey) else key
    size = BATCH if on_token is None else BATCH_BY_TOKEN
    order = todo.begin(now())
    secrets = (pkcs8, passphrases.pkcs12, passphrases.keys)
    start = Start(
        intermediate=certificate_der(accepted.certificate),
        not_before=int(dt.datetime.fromisoformat(order.not_before).timestamp()),
        not_after=int(dt.datetime.fromisoformat(order.not_after).timestamp()),
        rehearsal=accepted.rehearsal,
        secrets=(len(pkcs8), len(passphrases.pkcs12), len(passphrases.keys)),
    )
    if few:
        run = _Run(todo, order, None, stopping, tell)
        run.go([Here(start, key, passphrases.pkcs12, passphrases.keys)], todo.batches(size), lambda under_way, seconds: under_way)
        return run.ended(now())
    signing = nullcontext() if on_token is None else Signer(on_token, algorithm_for(key.public_key_der))
    with started(count, start, secrets, crew) as workers, signing as signer:
        run = _Run(todo, order, signer, stopping, tell)
        run.go(workers, todo.batches(size), ready)
        return run.ended(now())


def processes_for(accepted: Accepted, todo: Todo, jobs: int) -> int:
    """How many of `jobs` processes have something to do; none for a few certificates, which are made without another process."""
    size = BATCH_BY_TOKEN if isinstance(accepted.factory.key, TokenKey) else BATCH
    return 0 if todo.left <= FEW else min(jobs, -(-todo.left // size))


class _Run:
    """The loop. Without a signer the workers sign."""

    def __init__(
        self, todo: Todo, order: Order, signer: Signer | None, stopping: Callable[[], bool], tell: Callable[[int], None]
    ) -> None:
        self._todo, self._order, self._output, self._index = todo, order, todo.output, todo.output.index
        self._signer, self._stopping, self._tell = signer, stopping, tell
        self._under_way: dict[Worker | Here, tuple[int, list[Wanted]]] = {}
        self._finished: list[tuple[int, list[Wanted], list[Made]]] = []
        self._failure: CeremonyError | None = None
        self._stopped = False
        self._made = 0

    def go(self, workers: Sequence[Worker | Here], batches: Iterator[list[Wanted]], heard: _Heard) -> None:
        """Until all is made, or it is to stop. `heard` waits at most so many seconds, and says which of those under way have an answer."""
        try:
            while True:
                self._settle_and_hand_out(workers, batches)
                if not self._under_way:
                    return
                for worker in heard(list(self._under_way), _SECONDS_BETWEEN_LOOKS):
                    self._hear(worker)
                if self._signer is not None:
                    self._heed(self._signer)
        except CeremonyError as failed:
            self._failure = self._failure or failed

    def ended(self, now: dt.datetime) -> Issued:
        """Tidies up, and says what came of it, or raises what went wrong."""
        if self._failure is not None:
            with suppress(CeremonyError):
                self._tidy()
            raise self._with_state(self._failure)
        self._tidy()
        complete = self._made == self._todo.left
        if complete:
            self._index.finish(self._order, utc_text(now))
        return Issued(self._made, complete)

    def _with_state(self, failed: CeremonyError) -> CeremonyError:
        there = self._todo.there + self._made
        whole = f"{there:,} of {there + self._todo.left - self._made:,} certificates are made and in their place."
        failed.state = " ".join(part for part in (failed.state, whole, "The same command, given again, makes the rest.") if part)
        return failed

    def _tidy(self) -> None:
        self._output.put_right()
        self._output.flush()
        self._output.write_listing()

    def _settle_and_hand_out(self, workers: Sequence[Worker | Here], batches: Iterator[list[Wanted]]) -> None:
        """Steps 2 to 4 of `output` for what is finished, and step 1 for those that have nothing to do."""
        finished, self._finished = self._finished, []
        if finished:
            self._output.flush()
        self._stopped = self._stopped or self._stopping()
        ending = self._stopped or self._failure is not None
        idle = [] if ending else [worker for worker in workers if worker not in self._under_way]
        if not finished and not idle:
            return
        handed_out = []
        with self._index.transaction():
            for number, wanted, made in finished:
                self._index.enter(number, wanted, made, renewing=self._todo.renewing)
            # Numbered in the same commit, so that no number is ever used again, whatever a run that broke off left behind.
            for worker, wanted in zip(idle, batches, strict=False):
                handed_out.append((worker, self._index.begin_batch(self._order), wanted))
        for number, _, made in finished:
            self._output.put_in_place(number)
            self._made += len(made)
        for worker, number, wanted in handed_out:
            batch = Batch(str(self._output.work_folder(number)), wanted)
            try:
                worker.tell(batch)
                self._under_way[worker] = number, wanted
            except CeremonyError as failed:
                self._failure = self._failure or failed
        if finished:
            self._tell(self._made)

    def _hear(self, worker: Worker | Here) -> None:
        heard: FromWorker | None = None
        try:
            heard = worker.hear()
        except CeremonyError as failed:
            # The process died. What others have in hand is still brought to its end.
            self._failure = self._failure or failed
        if isinstance(heard, ToSign):
            assert self._signer is not None and isinstance(worker, Worker)  # noqa: S101  # workers ask only where they have no key
            self._signer.sign(worker, heard)
            return
        number, wanted = self._under_way.pop(worker)
        if isinstance(heard, Done):
            self._finished.append((number, wanted, heard.made))
        elif isinstance(heard, Failed):
            self._failure = self._failure or CeremonyError(heard.code, heard.what, state=heard.state, do_now=heard.do_now)

    def _heed(self, signer: Signer) -> None:
        """Tells the signer that it is to stop, and hears whom it dropped."""
        self._stopped = self._stopped or self._stopping()
        if self._stopped or self._failure is not None:
            signer.stop()
        for dropped in signer.dropped():
            self._failure = self._failure or dropped.why
            self._under_way.pop(dropped.worker, None)
