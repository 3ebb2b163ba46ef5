"""What the provisioning service says when it does not let a device in, read from its own JSON. Foreign text: shown, never followed."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ceremony.pki.names import shown_text

LONGEST_MESSAGE = 600
"""Characters of the service's message that are shown."""

How = Literal["mqtt", "connack", "tls", "https"]


@dataclass(frozen=True)
class Refusal:
    """A refusal. `how` it came: an answer over MQTT or HTTPS, MQTT's CONNACK, or the TLS handshake.

    `status` is that of HTTP (for CONNACK its return code; 0 when there is none), `number` the service's own, 0 when it told none.
    `message` is "" when it gave no words, and may be shown; so may `tracking_id`. `time` is the service's clock, if it told it.
    """

    how: How
    status: int
    number: int = 0
    message: str = ""
    tracking_id: str = ""
    time: datetime | None = None

    @property
    def shown(self) -> str:
        """The refusal in words, without what may be the reason."""
        if self.how == "tls":
            return f"The other side ended the TLS handshake: {self.message}."
        if self.how == "connack":
            return f"The other side refused the connection: {self.message} (CONNACK {self.status})."
        words = f"'{self.message}'" if self.message else "nothing more"
        came = f"The service answered {self.status} and" if self.status else "The registration was begun and failed; the service"
        numbers = ", ".join([f"error {self.number}"] * bool(self.number) + [f"tracking id {self.tracking_id}"] * bool(self.tracking_id))
        return f"{came} says {words}{f' ({numbers})' if numbers else ''}."


def refusal_of(how: How, status: int, body: bytes) -> Refusal:
    """The refusal that an answer's body tells: ProvisioningServiceErrorDetails, or RegistrationOperationStatus of one that failed.

    Both are of the device API's description. Never raises: of what can't be read the status remains.
    """
    told = _object(body)
    state = told.get("registrationState", told.get("registrationStatus"))
    if isinstance(state, dict):
        # A registration that was begun and failed. `disabled` is a status of its own in the description.
        words = _text(state.get("errorMessage")) or ("The enrollment is disabled" if told.get("status") == "disabled" else "")
        return Refusal(how, 0, _number(state.get("errorCode")), words, "", _time(state.get("lastUpdatedDateTimeUtc")))
    number, words = _number(told.get("errorCode")), _text(told.get("message"))
    return Refusal(how, status, number, words, _text(told.get("trackingId")), _time(told.get("timestampUtc")))


def assigned_state(body: bytes) -> dict[str, Any] | None:
    """The registration (DeviceRegistrationResult) that an answer tells; None when it tells none."""
    told = _object(body)
    state = told.get("registrationState")
    return state if told.get("status") == "assigned" and isinstance(state, dict) else None


def is_refusal(status: int, body: bytes) -> bool:
    """Whether an answer to a registration is a refusal: by its status, or because the registration that was begun has failed."""
    return status >= 300 or _object(body).get("status") not in ("assigning", "assigned", "unassigned")


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body.decode())
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _text(value: Any) -> str:
    return shown_text(" ".join(value.split()))[:LONGEST_MESSAGE] if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31 else 0


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
