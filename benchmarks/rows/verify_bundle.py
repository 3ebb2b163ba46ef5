"""`verify` of a bundle with 1,000 certificates and its transcript, against one `openssl verify` of the certificates alone.

Ours is a process from its start to its verdict: all checks but the rendering of the report anew, which is typst's time.
openssl checks 1,000 signatures and dates; beside these, ours checks those of the CSRs and of the people, and reads 10,400 lines.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.factories import working_folder
from benchmarks.held import bundle_of
from benchmarks.row import Contest, Goal, Row
from benchmarks.starting import compiled, run

_VERIFY: Final = """
import sys
from pathlib import Path
from ceremony.crossing.verify import verify_bundle
sys.exit(int(verify_bundle(Path(sys.argv[1]), fingerprint=sys.argv[2]).exit_code))
"""


def verifying(bundle: Path, fingerprint: str) -> list[str | Path]:
    """The command."""
    return [sys.executable, "-c", _VERIFY, bundle, fingerprint]


@contextmanager
def _contest(size: int) -> Iterator[Contest]:
    with working_folder() as folder:
        bundle, fingerprint = bundle_of(folder, size)
        environment = compiled(folder)
        ours = verifying(bundle, fingerprint)
        (root,) = (bundle / "root").iterdir()
        openssl: list[str | Path] = ["openssl", "verify", "-CAfile", root, *sorted(bundle.glob("intermediates/*.cert.pem"))]
        yield Contest(lambda: run(ours, environment), {"openssl": lambda: run(openssl, environment)})


VERIFY_BUNDLE = Row(
    name="verify-bundle",
    what="verifying a bundle with 1,000 certificates (P-384 root, P-256 keys) and its transcript of 10,400 lines",
    goals=(Goal("openssl", "`openssl verify` of the certificates, one process", 1.1),),
    size=1_000,
    tiny=10,
    open=_contest,
)
