"""Errors of the token's side as errors of the ceremony: what state the record is in is added here."""

from collections.abc import Iterator
from contextlib import contextmanager

from ceremony.errors import CeremonyError, ExitCode
from hsm.errors import TokenError


class TokenFailure(CeremonyError):
    """A TokenError with the record's state; its code is one of `hsm.errors`."""

    def __init__(self, failed: TokenError, state: str) -> None:
        Exception.__init__(self, failed.what)
        self.code = failed.code
        self.exit_code = ExitCode(failed.exit_code)
        self.what = failed.what
        self.state = " ".join(part for part in (failed.state, state) if part)
        self.do_now = failed.do_now
        self.outcome_unknown = failed.outcome_unknown
        self.insist = "use the last try" if failed.code == "TOKEN-PIN-LAST-TRY" else ""


@contextmanager
def telling(state: str) -> Iterator[None]:
    """Turns a TokenError or OSError of the block into a CeremonyError that also tells `state`."""
    try:
        yield
    except TokenError as failed:
        raise TokenFailure(failed, state) from failed
    except OSError as failed:
        where = f"{failed.filename}: " if failed.filename else ""
        raise CeremonyError("FOLDER-UNWRITABLE", f"A file could not be read or written: {where}{failed.strerror}.", state=state) from failed
