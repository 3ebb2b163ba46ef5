"""What the service said of each call beside its result: request id and clock, for receipts and for the comparison of clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_ID = 1024
"""Characters of a request id or an etag that are taken: they go into receipts, whose lines have an end."""


@dataclass(frozen=True)
class Answered:
    """The last answer: HTTP status, the service's request id, and its clock (None when it told none)."""

    status: int
    request_id: str
    server_time: datetime | None


@dataclass(frozen=True)
class Patience:
    """How long a call is tried again: at most `retries` times, waits growing from `backoff` seconds, `seconds` in all.

    Retry-After goes before our own waits. A call that does not answer in `seconds` is given up.
    """

    retries: int = 8
    backoff: float = 0.8
    longest_wait: int = 30
    seconds: int = 300

    def options(self) -> dict[str, Any]:
        """The same for azure-core's RetryPolicy."""
        return {
            "retry_total": self.retries,
            "retry_connect": min(self.retries, 3),
            "retry_read": min(self.retries, 3),
            "retry_status": self.retries,
            "retry_backoff_factor": self.backoff,
            "retry_backoff_max": self.longest_wait,
            "timeout": self.seconds,
        }


class Watch:
    """Keeps what the last answer said of itself. `hook` is for azure-core's CustomHookPolicy."""

    def __init__(self) -> None:
        self.last = Answered(0, "", None)
        self.ahead: timedelta | None = None
        """How far the service's clock was ahead of this machine's at the last answer."""

    def hook(self, response: Any) -> None:
        """Called with each PipelineResponse."""
        http = response.http_response
        server_time = http_date(http.headers.get("Date"))
        self.last = Answered(http.status_code, http.headers.get("x-ms-request-id", "")[:LONGEST_ID], server_time)
        if server_time is not None:
            self.ahead = server_time - datetime.now(UTC).replace(microsecond=0)


def http_date(text: Any) -> datetime | None:
    """HTTP-date (RFC 9110 section 5.6.7), in UTC; None for what is none."""
    try:
        found = parsedate_to_datetime(text if isinstance(text, str) else "")
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
