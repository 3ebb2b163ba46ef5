"""One certificate, from the command to its file, unattended: `factory issue` of one device by an intermediate on a SoftHSM token.

Against it a Python that imports what this cannot do without and nothing else. Ours is two processes, for the token's module lives in one
of its own. Beside the imports it logs in, makes a key, signs, verifies, flushes the file system and enters the certificate in the index.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.factories import on_softhsm, working_folder
from benchmarks.row import Contest, Goal, Row, Took
from benchmarks.starting import CEREMONY, compiled, run


@contextmanager
def _contest(size: int) -> Iterator[Contest]:
    with working_folder() as folder:
        (factory,), numbers = on_softhsm(folder, ["ec:secp384r1"]), count()
        environment = {**compiled(folder), **factory.environ}

        def ours() -> Took:
            asked: list[str | Path] = ["--count", "1", "--prefix", "dev-", "--passphrase-file", factory.secret]
            return run([CEREMONY, "factory", "issue", factory.folder, "-o", folder / f"out-{next(numbers)}", *asked], environment)

        imports = [sys.executable, "-c", "import cryptography.x509, pkcs11"]
        yield Contest(ours, {"imports": lambda: run(imports, environment)})


ONE_CERTIFICATE = Row(
    name="one-certificate",
    what="one device certificate by `ceremony factory issue`, P-384 on SoftHSM, command to file",
    goals=(Goal("imports", "importing cryptography.x509 and pkcs11 in a bare Python", 1.4),),
    size=1,
    tiny=1,
    open=_contest,
    rounds=15,
)
