"""A root's batch of 25, P-384 on SoftHSM, every check and flush on: the signing step of a ceremony against the token's bare signatures.

A whole rehearsal is held in each round; its signing step is clocked without what people and their credentials take.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from benchmarks.ceremonies import rehearse
from benchmarks.factories import on_softhsm, working_folder
from benchmarks.peers import certtool, openssl_request, raw_sign
from benchmarks.requests import requests_in
from benchmarks.row import Contest, Goal, Row


@contextmanager
def _contest(size: int) -> Iterator[Contest]:
    with working_folder() as folder:
        (factory,), numbers = on_softhsm(folder, ["ec:secp384r1"]), count()
        requests = requests_in(folder / "csrs", size)
        runs = {
            "raw": raw_sign(factory, size),
            "openssl-x509": openssl_request(factory, requests),
            "certtool": certtool(factory, requests),
        }
        yield Contest(lambda: rehearse(folder / f"ceremony-{next(numbers)}", size), {name: run for name, run in runs.items() if run})


ROOT_BATCH = Row(
    name="root-batch",
    what="a root's batch of 25, P-384 on SoftHSM, every check and flush on",
    goals=(
        Goal("raw", "bare C_Sign of 25", 10.0),
        Goal("openssl-x509", "`openssl x509 -req` on the PKCS#11 engine, a process each", None),
        Goal("certtool", "`certtool`, a process each", None),
    ),
    size=25,
    tiny=2,
    open=_contest,
    score="milliseconds over",
)
