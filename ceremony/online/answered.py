"""What the service said of each call beside its result: request id and clock, for receipts and for the comparison of clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any


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


RETRIED_METHODS = ["HEAD", "GET", "PUT", "DELETE", "POST"]
"""POST too: our POSTs are queries, or carry an etag, so that a second one of a kind is answered 412 and then compared."""


class Watch:
    """Keeps what the last answer said of itself. `hook` is for azure-core's CustomHookPolicy."""

    def __init__(self) -> None:
        self.last = Answered(0, "", None)
        self.ahead: timedelta | None = None
        """How far the service's clock was ahead of this machine's at the last answer."""

    def hook(self, response: Any) -> None:
        """Called with each PipelineResponse."""
        http = response.http_response
        server_time = _date(http.headers.get("Date"))
        self.last = Answered(http.status_code, http.headers.get("x-ms-request-id", ""), server_time)
        if server_time is not None:
            self.ahead = server_time - datetime.now(UTC).replace(microsecond=0)


def _date(text: str | None) -> datetime | None:
    """HTTP-date (RFC 9110 section 5.6.7)."""
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def transport_options(*, is_simulator: bool, ca_file: Any) -> dict[str, Any]:
    """How a connection is made. To the simulator: its own root alone, and no proxy, whatever the environment says."""
    options: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
    if is_simulator:
        options |= {"connection_verify": str(ca_file), "use_env_settings": False}
    return options
