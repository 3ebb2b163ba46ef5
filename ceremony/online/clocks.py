"""Three clocks: the ceremony machine's (in the certificates), this machine's, the service's. Which is wrong, and by how much."""

from datetime import datetime, timedelta

from cryptography import x509

from ceremony.errors import CeremonyError
from ceremony.online.world import time_text

TOLERATED = timedelta(minutes=5)
"""Two clocks that differ by less are called the same."""


def span_text(span: timedelta) -> str:
    """A length of time: the two largest of days, hours, minutes, seconds."""
    seconds = abs(int(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said[:2]) or "0 s"


def difference_text(ahead: timedelta) -> str | None:
    """How this machine's clock differs from the service's; None when it does not, to speak of."""
    if abs(ahead) <= TOLERATED:
        return None
    return f"this machine's clock is {span_text(ahead)} {'behind' if ahead > timedelta() else 'ahead of'} the service's"


def refuse_invalid_now(what: str, certificate: x509.Certificate, service_time: datetime, ahead: timedelta) -> None:
    """Raises CeremonyError ONLINE-CLOCK when the certificate is not valid by the service's clock, and says which clock is wrong.

    `ahead` is how far the service's clock is ahead of this machine's.
    """
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if start <= service_time <= end:
        return
    here = service_time - ahead
    early = service_time < start
    missed = span_text(start - service_time if early else service_time - end)
    times = f"{what} is valid from {time_text(start)} to {time_text(end)}. The service's clock says {time_text(service_time)}"
    said = f"{times}: {missed} {'too early' if early else 'too late'}. This machine's clock says {time_text(here)}."
    differs = difference_text(ahead)
    if differs is not None:
        valid_here = "and by this machine's clock it would be valid: one of these two clocks is wrong" if start <= here <= end else ""
        blame = f"{differs[0].upper()}{differs[1:]}{', ' * bool(valid_here)}{valid_here}."
    elif early:
        blame = f"These two agree, so the clock of the ceremony machine was ahead, by at least {missed}."
    else:
        blame = "These two agree: it has expired, or the clock of the ceremony machine was behind."
    do_now = "Set the clock that is wrong. A proof that has expired needs a new one: `ceremony online request --dps NAME --new-code`."
    raise CeremonyError("ONLINE-CLOCK", f"{said} {blame}", state="Nothing was sent for it.", do_now=do_now)
