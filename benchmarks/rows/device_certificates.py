"""Device certificates in bulk, P-256 in software: `ceremony factory issue` against the same made in memory and kept nowhere.

Ours makes the same certificates, checks each of them, writes and flushes two files for each, and enters it in the index. Both are
timed while they run, without the start of their processes: ours from the first batch that is in its place to the last.
Nothing is deleted before the end: ext4 is slow to hand out inodes again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

from benchmarks.factories import PROCESSORS, in_file, working_folder
from benchmarks.in_memory import measure
from benchmarks.issuing import issue_here
from benchmarks.row import Contest, Goal, Row, Took
from ceremony.factory.id_lists import ask_for_count
from ceremony.factory.issue import BATCH

_KIND: Final = "ec:secp256r1"


@contextmanager
def _contest(size: int) -> Iterator[Contest]:
    with working_folder() as folder:
        factory, numbers = in_file(folder, _KIND), count()

        def ours() -> Took:
            issued = issue_here(factory, folder / f"out-{next(numbers)}", lambda asked: ask_for_count(asked, "dev-", size, 1))
            rate = (issued.last - issued.first) / issued.seconds_between
            return Took(size / rate, issued.whole.processor)

        yield Contest(ours, {"memory": lambda: measure(_KIND, size)})


DEVICE_CERTIFICATES = Row(
    name="device-certificates",
    what="10,000 device certificates, P-256 in software, key and chain file each, verified",
    goals=(Goal("memory", "the same key generation, builder and PEM in memory, same processors", 2.0),),
    size=10_000,
    tiny=BATCH * (PROCESSORS + 3),
    open=_contest,
)
