"""The same registration over HTTPS, for what the service says and MQTT does not carry.

Requests are those of Microsoft's REST reference "Runtime Registration", version 2021-06-01. There is no way to ask without asking to
be registered: when the service says yes, the device is.
"""

import http.client
import json
import ssl
import time
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ceremony.device.refusal import Refusal, assigned_state, is_refusal, refusal_of
from ceremony.pki.names import shown_text

VERSION = "2021-06-01"
PORT = 443
_LARGEST = 256 << 10
_LONGEST_WAIT = 10
"""Seconds between two looks at how a registration stands, at most."""


@dataclass(frozen=True)
class Asked:
    """What came of asking: the registration (DeviceRegistrationResult as JSON), a refusal, or why neither."""

    registered: dict[str, Any] | None = None
    refusal: Refusal | None = None
    unanswered: str = ""


class HttpsAddress:
    """Where to ask, as whom: the service's host and port, the device's files, and the roots that are trusted (PEM, None: the system's)."""

    def __init__(self, host: str, port: int, trust_pem: str | None, chain_file: Path, key_file: Path, passphrase: bytearray | None) -> None:
        """Raises ssl.SSLError, OSError for files that are no longer what they were."""
        self.host, self.port = host, port
        self.context = ssl.create_default_context(cadata=trust_pem)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(chain_file, key_file, passphrase)


def ask_by_https(address: HttpsAddress, id_scope: str, registration_id: str, seconds: float) -> Asked:
    """Asks the service to register the device, and follows it to its end, for at most so many seconds. Never raises for a network."""
    deadline = time.monotonic() + seconds
    path = f"/{id_scope}/registrations/{quote(registration_id, safe='')}"
    connection = http.client.HTTPSConnection(address.host, address.port, context=address.context, timeout=seconds)
    try:
        body = json.dumps({"registrationId": registration_id})
        status, answer, wait, date = _call(connection, "PUT", f"{path}/register", body)
        while not is_refusal(status, answer):
            registered = assigned_state(answer)
            if registered is not None:
                return Asked(registered=registered)
            if time.monotonic() + wait > deadline:
                return Asked(unanswered="the registration was begun, and did not end in time")
            time.sleep(wait)
            operation = quote(str(json.loads(answer).get("operationId", "")), safe="")
            status, answer, wait, date = _call(connection, "GET", f"{path}/operations/{operation}", None)
    except (OSError, http.client.HTTPException, ValueError) as failed:
        return Asked(unanswered=shown_text(" ".join(str(failed).split())) or type(failed).__name__)
    finally:
        connection.close()
    if status == 429 or status >= 500:
        return Asked(unanswered=f"it answered {status}")
    refusal = refusal_of("https", status, answer)
    return Asked(refusal=replace(refusal, time=refusal.time or date))


def _call(connection: http.client.HTTPSConnection, method: str, path: str, body: str | None) -> tuple[int, bytes, float, datetime | None]:
    """Status, body, how many seconds to wait before the next look, and the service's clock by its `Date` (RFC 9110 section 6.6.1)."""
    connection.request(method, f"{path}?api-version={VERSION}", body, {"Content-Type": "application/json", "Accept": "application/json"})
    response = connection.getresponse()
    answer, retry_after = response.read(_LARGEST), response.getheader("Retry-After", "")
    wait = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 2
    try:
        date = parsedate_to_datetime(response.getheader("Date", ""))
    except ValueError:
        date = None
    return response.status, answer, min(wait, _LONGEST_WAIT), date
