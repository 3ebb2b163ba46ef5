"""The processes that make certificates, as the leading process sees them: started, given batches, heard, ended."""

import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import ceremony
import hsm
from ceremony.errors import CeremonyError
from ceremony.factory.messages import Batch, FromWorker, Signatures, Start, receive, send
from hsm.ending import wait_for_end
from hsm.pipe import PipeClosed, wipe

_SECONDS_TO_END: Final = 5
_CHILD: Final = """
import importlib.util, sys
from pathlib import Path
for folder in map(Path, sys.argv[1:]):
    spec = importlib.util.spec_from_file_location(folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    sys.modules[folder.name] = importlib.util.module_from_spec(spec)
from ceremony.factory.worker import main
main()
"""
"""`python -I` has no path of ours: the child takes these very packages, wherever they are and whatever else is installed."""


class Worker:
    """One process. It has one batch at a time."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self._child = child

    @property
    def descriptor(self) -> int:
        """Where its answers come from, to wait for."""
        assert self._child.stdout is not None  # noqa: S101  # made with a pipe
        return self._child.stdout.fileno()

    def tell(self, message: Start | Batch | Signatures, *secrets: bytearray) -> None:
        """Sends it something that it waits for. Raises CeremonyError FACTORY-WORKER-DIED."""
        assert self._child.stdin is not None  # noqa: S101  # made with a pipe
        try:
            send(self._child.stdin.fileno(), message, *secrets)
        except PipeClosed as gone:
            raise self._died() from gone

    def hear(self) -> FromWorker:
        """Its next answer. Raises CeremonyError FACTORY-WORKER-DIED."""
        try:
            heard: FromWorker = receive(self.descriptor, FromWorker)
        except PipeClosed as gone:
            raise self._died() from gone
        return heard

    def close(self) -> None:
        """Closes its pipes, at which it ends."""
        for end in (self._child.stdin, self._child.stdout):
            if end is not None:
                end.close()

    def wait(self) -> None:
        """Until it has ended; kills it when it does not within five seconds."""
        try:
            wait_for_end(self._child, _SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _died(self) -> CeremonyError:
        self._child.kill()
        status = self._child.wait()
        how = f"by signal {-status}" if status < 0 else f"with the exit status {status}"
        return CeremonyError("FACTORY-WORKER-DIED", f"The process {self._child.pid}, which makes certificates, ended {how}.")


class Crew:
    """Processes that wait for their order, called up while something else is done: Python takes a tenth of a second to start.

    A context manager; its end ends those that got no order.
    """

    def __init__(self) -> None:
        self._waiting: list[Worker] = []

    def call_up(self, count: int) -> None:
        """Starts processes until so many wait, and does not wait for them."""
        while len(self._waiting) < count:
            self._waiting.append(Worker(_new_process()))

    def taken(self, count: int) -> list[Worker]:
        """So many of them, which are the caller's from now on."""
        self.call_up(count)
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _end(self._waiting)


def _end(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.close()
    for worker in workers:
        worker.wait()


@contextmanager
def started(count: int, start: Start, secrets: tuple[bytearray, ...], crew: Crew) -> Iterator[list[Worker]]:
    """This many processes, told what the order is. The secrets go down their pipes as they are, and are wiped.

    The end of the block ends the processes. Raises CeremonyError FACTORY-WORKER-DIED.
    """
    workers: list[Worker] = []
    try:
        try:
            workers += crew.taken(count)
            for worker in workers:
                worker.tell(start, *secrets)
        finally:
            for secret in secrets:
                wipe(secret)
        yield workers
    finally:
        _end(workers)


def _new_process() -> "subprocess.Popen[bytes]":
    folders = [str(Path(package.__file__ or "").resolve().parent) for package in (ceremony, hsm)]
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _CHILD, *folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )


def ready(workers: list[Worker], seconds: float) -> list[Worker]:
    """Those that have said something, or are gone; waits for the first at most so long."""
    waiting = select.poll()
    for worker in workers:
        waiting.register(worker.descriptor, select.POLLIN)
    heard = {descriptor for descriptor, _ in waiting.poll(seconds * 1000)}
    return [worker for worker in workers if worker.descriptor in heard]
