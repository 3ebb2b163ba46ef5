"""What is heard of the service and of the library: refusals and troubles, kept apart, from anything at all."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.device import sdk
from ceremony.device.child import HEARD_BY, Listener
from ceremony.device.refusal import LONGEST_MESSAGE, Refusal, is_refusal, refusal_of
from ceremony.device.sdk import Answer, Fault, Told, ask_library
from ceremony.device.troubles import refusal_in, refuses_device, trouble
from ceremony.errors import CeremonyError

SERVICE_ERROR = Fault(("ServiceError", "Exception"), "register request returned a service error status code 401", None)


def test_the_services_own_json_is_read():
    body = b'{"errorCode":401002,"trackingId":"5b6f","message":"Invalid  certificate","timestampUtc":"2019-06-10T10:50:14.7793152Z"}'
    refusal = refusal_of("mqtt", 401, body)
    assert (refusal.number, refusal.message, refusal.tracking_id) == (401002, "Invalid certificate", "5b6f")
    assert refusal.time is not None and refusal.time.isoformat().startswith("2019-06-10T10:50:14.779")
    assert refusal.shown == "The service answered 401 and says 'Invalid certificate' (error 401002, tracking id 5b6f)."
    failed = b'{"operationId":"4.a","status":"failed","registrationState":{"errorCode":401002,"errorMessage":"Unauthorized"}}'
    assert refusal_of("mqtt", 200, failed).message == "Unauthorized"
    off = b'{"operationId":"4.a","status":"disabled","registrationState":{"status":"disabled"}}'
    assert "disabled" in refusal_of("mqtt", 200, off).message


def test_which_answers_are_refusals():
    assert [is_refusal(status, json.dumps({"status": told}).encode()) for status, told in ((200, "assigned"), (202, "assigning"))] == [
        False
    ] * 2
    assert [is_refusal(status, body) for status, body in ((200, b'{"status":"failed"}'), (401, b""), (200, b"[]"))] == [True] * 3


@given(body=st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["errorCode", "message", "trackingId", "timestampUtc", "registrationState", "status", "errorMessage"]), inner
)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_body_is_read_without_harm(body: bytes):
    refusal = refusal_of("https", 401, body)
    assert refusal.shown.isascii() and refusal.shown.isprintable()
    assert len(refusal.message) <= LONGEST_MESSAGE
    assert is_refusal(401, body)


def fault(*kinds: str, text: str = "", number: int | None = None) -> Fault:
    return Fault((*kinds, "Exception"), text, number)


def connack(words: str) -> Told:
    return Told(faults=(fault("CredentialError"), fault("UnauthorizedError", text=f"Connection Refused: {words}.")))


def test_refusals():
    assert refusal_in(Told(faults=(SERVICE_ERROR,))) == Refusal("mqtt", 401), "should the log no longer be as we know it"
    refused = Told(answers=[Answer(401, None, b'{"errorCode":401002}')], faults=(fault("ClientError"), SERVICE_ERROR))
    assert (found := refusal_in(refused)) is not None and found.number == 401002
    assert (found := refusal_in(connack("not authorised"))) is not None and (found.how, found.status) == ("connack", 5)
    assert refuses_device(found)
    assert (found := refusal_in(connack("bad user name or password"))) is not None and refuses_device(found)
    assert (found := refusal_in(connack("broker unavailable"))) is not None and not refuses_device(found)
    for text in (
        "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:1006)",
        "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure (_ssl.c:1006)",
        "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] ssl/tls alert certificate expired (_ssl.c:2580)",
        "[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate (_ssl.c:1006)",
    ):
        found = refusal_in(Told(faults=(fault("ConnectionFailedError"), fault("SSLError", "OSError", text=text))))
        assert found is not None and found.how == "tls" and found.message.startswith("alert '") and not refuses_device(found)
        # From a hub it is an error, and no reason to forget the hub.
        told = Told(faults=(fault("SSLError", "OSError", text=text),))
        assert trouble(told, "hub.example", seconds=9, state="S").code == "DEVICE-TLS-REFUSED"


TROUBLES: list[tuple[Told, str]] = [
    (Told(faults=(fault("SSLCertVerificationError", "SSLError", "OSError", text="verify failed: certificate has expired (_ssl.c:1006)"),)),
     "DEVICE-SERVER-UNKNOWN"),
    (Told(faults=(fault("SSLError", "OSError", text="[SSL: WRONG_VERSION_NUMBER] wrong version number"),)), "DEVICE-UNREACHABLE"),
    (Told(faults=(fault("gaierror", "OSError", number=-2),)), "DEVICE-HOST-UNKNOWN"),
    (Told(faults=(fault("ConnectionFailedError"), fault("TimeoutError", "OSError"))), "DEVICE-UNREACHABLE"),
    (Told(faults=(fault("ConnectionResetError", "OSError", text="Connection reset by peer", number=104),)), "DEVICE-UNREACHABLE"),
    (Told(faults=(fault("ConnectionDroppedError"),)), "DEVICE-CONNECTION-LOST"),
    (Told(faults=(fault("ClientError"), fault("NoConnectionError"))), "DEVICE-CONNECTION-LOST"),
    (Told(faults=(fault("OperationTimeout"),)), "DEVICE-TIME-OUT"),
    (Told(answers=[Answer(202, 1, b'{"status":"assigning"}')],
          faults=(fault("ServiceError", text="Operation timed out before provisioning service could respond for query operation"),)),
     "DEVICE-TIME-OUT"),
    (Told(answers=[Answer(429, None, b"")], out_of_time=True), "DEVICE-THROTTLED"),
    (Told(answers=[Answer(503, 5, b"")], out_of_time=True), "DEVICE-SERVICE-FAILED"),
    (Told(out_of_time=True), "DEVICE-TIME-OUT"),
    (Told(faults=(fault("KeyError", text="\x1b[2J"),)), "DEVICE-LIBRARY"),
    (Told(), "DEVICE-LIBRARY"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "code"), TROUBLES)
def test_troubles_of_a_network_are_no_refusals(told: Told, code: str):
    assert refusal_in(told) is None
    error = trouble(told, "hub.example", seconds=9, state="S")
    assert (error.code, int(error.exit_code)) == (code, 4)
    assert error.what.isascii() and error.what.isprintable()
    assert ("certificate has expired" in error.what) is (code == "DEVICE-SERVER-UNKNOWN")


class Heard:
    """In place of the way to the other side."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def tell(self, event: str, **facts: Any) -> None:
        self.events.append({"event": event, **facts})


def listened(*messages: str) -> list[dict[str, Any]]:
    heard = Heard()
    listener = Listener(heard)  # type: ignore[arg-type]  # it has the one method
    for message in messages:
        listener.emit(logging.LogRecord(HEARD_BY, logging.DEBUG, "", 0, message, None, None))
    return heard.events


def test_the_librarys_log_is_listened_to():
    body = b'{"message":"it\'s"}\xff'
    assert listened(f"Received payload:{body!r} on topic:$dps/registrations/res/429/?$rid=1&retry-after=3") == [
        {"event": "heard", "status": 429, "retry_after": 3, "body": '{"message":"it\'s"}\ufffd'}
    ]
    assert listened(f"Received payload:{body!r} on topic:$dps/registrations/res/{'2' * 5000}/?$rid=1") == []
    [endless] = listened(f"Received payload:{body!r} on topic:$dps/registrations/res/202/?retry-after={'9' * 5000}")
    assert endless["retry_after"] is None
    assert listened("Unknown topic: x", "Received payload:__import__('os') on topic:$dps/registrations/res/200/?$rid=1") == []


@given(payload=st.binary(max_size=60), rest=st.text(max_size=40))
def test_listening_never_fails(payload: bytes, rest: str):
    events = listened(f"Received payload:{payload!r} on topic:$dps/registrations/res/200/?{rest}", rest)
    assert [event["body"] for event in events if "\n" not in rest] == [payload.decode(errors="replace")] * ("\n" not in rest)


@pytest.fixture
def child(monkeypatch) -> Callable[[str], None]:
    return lambda before: monkeypatch.setattr(sdk, "_CHILD", before + sdk._CHILD)


REQUEST = {
    "do": "register",
    "host": "127.0.0.1",
    "registration_id": "d",
    "id_scope": "s",
    "chain_file": "c",
    "key_file": "k",
    "trust_pem": None,
}


def test_the_missing_extra_is_named(child):
    child("import sys; sys.modules['azure'] = None; ")
    with pytest.raises(CeremonyError) as missing:
        ask_library(REQUEST, None, 20)
    assert (missing.value.code, "`device`" in missing.value.do_now) == ("DEVICE-PACKAGES", True)


def test_a_child_that_dies_or_says_nothing(child):
    child("import os; os._exit(3); ")
    assert trouble(ask_library(REQUEST, bytearray(b"x" * 70000), 20), "h", seconds=1, state="").code == "DEVICE-LIBRARY"
    child("import time; time.sleep(60); ")
    assert ask_library(REQUEST, None, 0.3).out_of_time


def test_files_that_the_library_cannot_read_are_its_error_and_nothing_is_printed(capfd):
    told = ask_library(REQUEST, None, 20)
    assert told.fault("FileNotFoundError") is not None
    assert capfd.readouterr() == ("", "")
    assert not Path("c").exists()
