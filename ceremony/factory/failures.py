"""Errors of the token's side as errors of the product, for the factory's commands: no record stands behind them."""

from collections.abc import Iterator
from contextlib import contextmanager

from ceremony.errors import CeremonyError, ExitCode
from hsm.errors import TokenError

_DO_NOW = {
    "TOKEN-PIN-LAST-TRY": "Check the PIN on its paper. Log in by the vendor's own tool first: a good PIN brings the tries back.",
    "TOKEN-PIN-LENGTH": "Give the command again with the token's own user PIN.",
    "TOKEN-AMBIGUOUS": "Name the token by its serial: --token SERIAL; `ceremony tokens --module PATH` lists them.",
    "TOKEN-NOT-FOUND": "Insert the token; `ceremony tokens --module PATH` lists what is there.",
    "TOKEN-REMOVED": "Insert the token again and give the command again.",
    "MODULE-HANGS": "Check cable and power of the token, then give the command again.",
}
"""Where the advice of `hsm.errors` speaks of a ceremony."""


class TokenFailure(CeremonyError):
    """A TokenError with the state of the factory's folder; its code is one of `hsm.errors`."""

    def __init__(self, failed: TokenError, state: str) -> None:
        Exception.__init__(self, failed.what)
        self.code = failed.code
        self.exit_code = ExitCode(failed.exit_code)
        self.what = failed.what
        self.state = " ".join(part for part in (failed.state, state) if part)
        self.do_now = _DO_NOW.get(failed.code, failed.do_now)
        self.outcome_unknown = failed.outcome_unknown
        self.insist = ""


@contextmanager
def telling(state: str) -> Iterator[None]:
    """Turns a TokenError of the block into a CeremonyError that also tells `state`."""
    try:
        yield
    except TokenError as failed:
        raise TokenFailure(failed, state) from failed
