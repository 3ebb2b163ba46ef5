"""A thousand CSRs to certificates on a token, on the factory's path: `ceremony factory issue --csrs`, the intermediate's key on SoftHSM.

The path: each CSR read, verified and looked at for weakness; drafts; signatures in one child; same bytes, verified, parsed, one of
each batch against its profile; a file each, flushed; the index. Against the token's bare signatures it is clocked with the token
open; against `openssl ca` and others, which start anew too, it is the whole command.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

from benchmarks.factories import on_softhsm, working_folder
from benchmarks.issuing import command, issue_here
from benchmarks.peers import certtool, openssl_ca, pkcs11_tool, raw_sign
from benchmarks.requests import requests_in
from benchmarks.row import Contest, Goal, Row, Run, Took
from ceremony.factory.csr_folder import ask_for_folder
from ceremony.pki.profiles import KeyName


def _against_the_token(kind: KeyName) -> Callable[[int], AbstractContextManager[Contest]]:
    @contextmanager
    def contest(size: int) -> Iterator[Contest]:
        with working_folder() as folder:
            (factory,), numbers = on_softhsm(folder, [kind]), count()
            csrs = folder / "csrs"
            requests_in(csrs, size)

            def ours() -> Took:
                return issue_here(factory, folder / f"out-{next(numbers)}", lambda asked: ask_for_folder(asked, csrs, ())).whole

            yield Contest(ours, {"raw": raw_sign(factory, size)})

    return contest


def _against_others(kind: KeyName) -> Callable[[int], AbstractContextManager[Contest]]:
    @contextmanager
    def contest(size: int) -> Iterator[Contest]:
        with working_folder() as folder:
            (factory,), numbers = on_softhsm(folder, [kind]), count()
            csrs = folder / "csrs"
            requests = requests_in(csrs, size)
            some = requests[: size // 20]

            def ours() -> Took:
                return command(factory, folder / f"out-{next(numbers)}", "--csrs", csrs)[0]

            runs = {
                "openssl-ca": openssl_ca(factory, requests),
                "certtool": _scaled(certtool(factory, some), size / len(some)),
                "pkcs11-tool": _scaled(pkcs11_tool(factory, len(some)), size / len(some)),
            }
            yield Contest(ours, {name: run for name, run in runs.items() if run})

    return contest


def _scaled(run: Run | None, times: float) -> Run | None:
    """One process for each certificate takes for a thousand what a twentieth of them takes, twenty times: it isn't waited for."""
    return (lambda: Took(*(part * times for part in run()))) if run else None


_WHAT = "1,000 CSRs to certificates on the factory's path, {} on SoftHSM"
_OTHERS = (
    Goal("certtool", "`certtool`, a process each", None),
    Goal("pkcs11-tool", "`pkcs11-tool --sign`, a process each: bare signatures", None),
)
CSRS = (
    Row(
        name="csrs-p384",
        what=_WHAT.format("P-384"),
        goals=(Goal("raw", "bare C_Sign of 1,000", 1.8),),
        size=1000,
        tiny=60,
        open=_against_the_token("ec:secp384r1"),
    ),
    Row(
        name="csrs-p384-command",
        what=_WHAT.format("P-384") + ", the whole command",
        goals=(Goal("openssl-ca", "one `openssl ca` on the PKCS#11 engine", 1.2), *_OTHERS),
        size=1000,
        tiny=60,
        open=_against_others("ec:secp384r1"),
    ),
    Row(
        name="csrs-rsa4096",
        what=_WHAT.format("RSA-4096"),
        goals=(Goal("raw", "bare C_Sign of 1,000", 1.05),),
        size=1000,
        tiny=60,
        open=_against_the_token("rsa:4096"),
        rounds=3,
    ),
    Row(
        name="csrs-rsa4096-command",
        what=_WHAT.format("RSA-4096") + ", the whole command",
        goals=(Goal("openssl-ca", "one `openssl ca` on the PKCS#11 engine", 1.0),),
        size=1000,
        tiny=60,
        open=_against_others("rsa:4096"),
        rounds=3,
    ),
)
"""The row of the design for each kind of key, and against each of its two measures."""
