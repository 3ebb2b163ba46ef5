"""What a device reads of others: its certificates, and what the provisioning service answers, over MQTT and over HTTPS."""

import io
import logging
import tempfile
from datetime import UTC, datetime
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from ceremony.device.causes import Clocks, causes_in_files
from ceremony.device.child import HEARD_BY, Channel, Listener
from ceremony.device.https_probe import Asked, HttpsAddress, ask_by_https
from ceremony.device.identity import Identity, read_certificates, registration_id_of
from ceremony.device.provisioning import Helpers, Provisioning
from ceremony.device.refusal import assigned_state, is_refusal, refusal_of
from ceremony.device.register import _registration
from tests.engine.memory_room import fast_folder
from tests.fuzz.seeds import DPS_ANSWERS, device_chain

_NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
_SERVICE = Provisioning("host.example", "0ne00000000", None, 443, 5.0)
_HELPERS = Helpers(lambda *lines: None, lambda: _NOW, lambda: None)


def _identity(octets: bytes) -> Identity:
    with tempfile.NamedTemporaryFile(dir=fast_folder(), prefix="fuzz-") as file:
        file.write(octets)
        file.flush()
        return Identity(Path("chain.pem"), Path("key.pem"), read_certificates(Path(file.name)))


def chain_read(octets: bytes) -> None:
    """The device's file of certificates, and what is found wrong with it."""
    identity = _identity(octets)
    causes_in_files(identity, "d-1", Clocks(_NOW, _NOW))
    _ = identity.is_rehearsal, identity.leaf_sha256, registration_id_of(identity, None)


def answered(octets: bytes) -> None:
    """An answer's body. What it tells may be shown, and be written into the cache."""
    refusal = refusal_of("mqtt", 401, octets)
    shown = refusal.shown + Clocks(_NOW, refusal.time).shown
    assert shown.isascii() and shown.isprintable(), "what the service says must be shown as it may be"
    state = assigned_state(octets)
    assert not (state and is_refusal(200, octets))
    if state is not None:
        _registration(state, _identity(device_chain()[0]), "d-1", _SERVICE, _HELPERS, "")


def heard(octets: bytes) -> None:
    """The library's own log line of an answer: the input's first line is the body, the rest stands in the topic."""
    body, _, topic = octets.partition(b"\n")
    message = f"Received payload:{body!r} on topic:$dps/registrations/res/{topic.decode(errors='replace')}"
    Listener(Channel(io.BytesIO())).emit(logging.LogRecord(HEARD_BY, logging.DEBUG, "", 0, message, None, None))


class _Stream(io.BytesIO):
    """Stays open: the next answer comes on it too."""

    def close(self) -> None:
        """Does nothing."""


class _Connection:
    """Answers each request by what the input holds, one answer after the other."""

    def __init__(self, octets: bytes) -> None:
        self._stream = _Stream(octets)

    def request(self, *given: Any) -> None:
        """Sends nothing."""

    def getresponse(self) -> HTTPResponse:
        """The next answer. Raises http.client.HTTPException, ValueError as the library does."""
        response = HTTPResponse(self)  # type: ignore[arg-type]  # it asks for `makefile` alone
        response.begin()
        return response

    def makefile(self, mode: str) -> io.BytesIO:
        """What the library reads from."""
        return self._stream

    def close(self) -> None:
        """There is nothing to be closed."""


def answered_by_https(octets: bytes) -> Asked:
    """The whole way over HTTPS, up to an end, without its waits."""
    address = cast(HttpsAddress, SimpleNamespace(host="host.example", port=443, context=None))
    with (
        mock.patch("ceremony.device.https_probe.http.client.HTTPSConnection", lambda *given, **more: _Connection(octets)),
        mock.patch("ceremony.device.https_probe.time.sleep"),
    ):
        return ask_by_https(address, "0ne00000000", "d-1", 1.0)


def https_answers() -> list[bytes]:
    """Whole answers, with the headers that are read."""
    head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nRetry-After: 0\r\nDate: Tue, 24 Nov 2026 09:00:00 GMT\r\n\r\n%s"
    one, two, three, four = DPS_ANSWERS
    begun = head % (b"202 Accepted", len(one), one) + head % (b"200 OK", len(two), two)
    return [begun, head % (b"401 Unauthorized", len(four), four), head % (b"200 OK", len(three), three)]
