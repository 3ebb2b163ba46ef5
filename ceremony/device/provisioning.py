"""What a registration is given: the service to ask, and what it may use of its surroundings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ceremony.device.service_view import ServiceView


@dataclass(frozen=True)
class Provisioning:
    """Which service to ask. `trust_pem` holds the roots of its TLS certificate (None: the system's); `seconds` is the limit of each try.

    `https_port` is where the same service answers over HTTPS.
    """

    host: str
    id_scope: str
    trust_pem: str | None
    https_port: int
    seconds: float


@dataclass(frozen=True)
class Helpers:
    """What a registration may use of its surroundings: talk, this machine's clock, and the service as its operator sees it.

    `look_at_service` gives None when the operator's settings are not at hand, or the service did not answer.
    """

    say: Callable[[str], None]
    now: Callable[[], datetime]
    look_at_service: Callable[[], ServiceView | None]
