"""What goes wrong on demand, and what the log keeps of it."""

import http.client
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.simulator.faults import Fault, Faults
from ceremony.simulator.server import Simulator
from tests.simulator.api_description import problems_with
from tests.simulator.calling import CERTIFICATES, Caller
from tests.simulator.chains import intermediate, root

CUT = (ConnectionError, http.client.HTTPException, ssl.SSLError)


def test_a_burst_of_429_with_and_without_retry_after(simulator: Simulator, caller: Caller) -> None:
    simulator.faults.throttle(2, 1)
    simulator.faults.throttle(1, None)
    said = [caller.arm("GET", "") for _ in range(4)]
    assert [(one.status, one.headers.get("Retry-After")) for one in said] == [(429, "1"), (429, "1"), (429, None), (200, None)]
    assert said[0].number == 429001


@pytest.mark.parametrize("status", [412, 500, 503, 599])
@pytest.mark.parametrize("face", ["arm", "service"])
def test_any_status_in_the_form_of_its_face(simulator: Simulator, caller: Caller, face: str, status: int) -> None:
    simulator.faults.add(Fault(status=status, face=face))
    said = {"arm": caller.arm("GET", CERTIFICATES), "service": caller.service("GET", "/enrollmentGroups/x")}
    assert said[face].status == status
    assert said["service" if face == "arm" else "arm"].status in (200, 404)


def test_a_missing_role_is_told_by_its_action(simulator: Simulator, caller: Caller) -> None:
    simulator.faults.add(Fault(status=403, times=3))
    caller.upload("simulated-root", root())
    caller.arm("POST", f"{CERTIFICATES}/simulated-root/verify", {}, "*")
    told = caller.arm("GET", "").body["error"]
    assert told["code"] == "AuthorizationFailed"
    assert "'Microsoft.Devices/provisioningServices/read'" in told["message"]
    messages = [exchange.answer["error"]["message"] for exchange in simulator.requests]
    assert "'Microsoft.Devices/provisioningServices/certificates/write'" in messages[0]
    assert "'Microsoft.Devices/provisioningServices/certificates/verify/action'" in messages[1]


def test_a_connection_cut_before_and_after_the_act(simulator: Simulator, caller: Caller) -> None:
    simulator.faults.add(Fault(drop="before", method="PUT"))
    with pytest.raises(CUT):
        caller.upload("simulated-root", root())
    assert simulator.state.certificates == {}
    simulator.faults.add(Fault(drop="after", method="PUT"))
    with pytest.raises(CUT):
        caller.upload("simulated-root", root())
    assert set(simulator.state.certificates) == {"simulated-root"}
    assert [(exchange.status, exchange.dropped) for exchange in simulator.requests] == [(0, "before"), (0, "after")]


def test_the_nth_request_is_cut(simulator: Simulator, caller: Caller) -> None:
    simulator.faults.cut(3)
    assert [caller.arm("GET", "").status for _ in range(2)] == [200, 200]
    with pytest.raises(CUT):
        caller.arm("GET", "")
    assert caller.arm("GET", "").status == 200


def test_latency_and_requests_side_by_side(simulator: Simulator, caller: Caller) -> None:
    simulator.faults.latency = 0.2
    began = time.monotonic()
    threads = [threading.Thread(target=caller.arm, args=("GET", "")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(simulator.requests) == 8
    assert 0.2 <= time.monotonic() - began < 8 * 0.2


@pytest.mark.parametrize("hours", [-5, 5])
def test_the_services_clock_can_be_off(simulator: Simulator, caller: Caller, hours: int) -> None:
    simulator.faults.clock_skew = timedelta(hours=hours)
    date = parsedate_to_datetime(caller.arm("GET", "").headers["Date"])
    assert abs(date - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(seconds=30)


def test_a_token_runs_out(simulator: Simulator, caller: Caller) -> None:
    assert caller.arm("GET", "").status == 200
    simulator.faults.expire(simulator.token)
    assert caller.arm("GET", "").body["error"]["code"] == "ExpiredAuthenticationToken"
    assert caller.service("GET", "/enrollmentGroups/x").status == 401
    simulator.faults.clear()
    assert caller.arm("GET", "").status == 200


def test_no_token_is_in_the_log(simulator: Simulator, caller: Caller) -> None:
    caller.arm("GET", "")
    caller.token = "simulator-SENTINEL"
    caller.group("factory-a", intermediate("A"))
    caller.token = None
    caller.simulator.token = ""
    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    connection = http.client.HTTPSConnection(simulator.service_host, context=context)
    connection.request("GET", "/enrollmentGroups/x", headers={"Authorization": "SENTINEL"})
    connection.getresponse().read()
    connection.close()
    told = repr(simulator.requests)
    assert "SENTINEL" not in told
    assert "Bearer ..." in told
    assert simulator.requests[0].request.headers["authorization"] == "Bearer ..."


def test_a_fault_strikes_what_it_fits() -> None:
    faults = Faults()
    faults.add(Fault(status=500, method="PUT", part="certificates", face="arm", skip=1))
    asked = [("arm", "GET", "/certificates"), ("service", "PUT", "/certificates"), ("arm", "PUT", "/x"), ("arm", "PUT", "/certificates")]
    assert [faults.strike(*one) for one in asked] == [None] * 4
    struck = faults.strike("arm", "PUT", "/certificates/y")
    assert struck is not None
    assert struck.status == 500
    assert faults.strike("arm", "PUT", "/certificates/y") is None


def test_operations_a_minute(simulator: Simulator, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator.faults.most_a_minute = 3
    said = [caller.arm("GET", ""), *(caller.service("GET", "/enrollmentGroups/x") for _ in range(3))]
    assert [one.status for one in said] == [200, 404, 404, 429]
    assert 0 < int(said[-1].headers["Retry-After"]) <= 60
    later = time.monotonic() + 61
    monkeypatch.setattr("ceremony.simulator.faults.monotonic", lambda: later)
    assert caller.arm("GET", "").status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "", "example.com"])
def test_it_listens_on_loopback_alone(tmp_path: Path, host: str) -> None:
    with pytest.raises(CeremonyError) as refused:
        Simulator(tmp_path, host=host)
    assert refused.value.code == "SIMULATOR-NOT-LOOPBACK"
    assert list(tmp_path.iterdir()) == []


def test_it_listens_on_the_other_loopback_addresses_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda *_: pytest.fail("a name server was asked"))
    for host in ("127.0.0.3", *(["::1"] if _has_ipv6() else [])):
        with Simulator(tmp_path, host=host) as simulator:
            context = ssl.create_default_context(cafile=str(simulator.ca_file))
            connection = http.client.HTTPSConnection(simulator.arm_url.removeprefix("https://"), context=context)
            connection.request("GET", "/")
            assert connection.getresponse().status == 401
            connection.close()


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def raw(simulator: Simulator, sent: bytes) -> bytes:
    """What the service API answers to these bytes within TLS."""
    host, _, port = simulator.service_host.rpartition(":")
    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=True) as connection,
    ):
        connection.sendall(sent)
        answered = b""
        try:
            while more := connection.recv(65536):
                answered += more
        except (ConnectionError, ssl.SSLError):
            return answered
    return answered


CLOSE = b"Host: x\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"PUT /enrollmentGroups/x HTTP/1.1\r\n" + CLOSE + b"Content-Length: 99999999999\r\n\r\n", b"413"),
        (b"PUT /enrollmentGroups/x HTTP/1.1\r\n" + CLOSE + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
        (b"PUT /enrollmentGroups/x HTTP/1.1\r\n" + CLOSE + b"Content-Length: -1\r\n\r\n", b"411"),
        (b"PUT /enrollmentGroups/x HTTP/1.1\r\n" + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"GET /x?api-version=1&api-version=2 HTTP/1.1\r\n" + CLOSE + b"\r\n", b"400"),
        (b"GET http://[x/ HTTP/1.1\r\n" + CLOSE + b"\r\n", b"400"),
        (b"PATCH /enrollmentGroups/x HTTP/1.1\r\n" + CLOSE + b"\r\n", b"401"),
        (b"TRACE / HTTP/1.1\r\n" + CLOSE + b"\r\n", b"501"),
        (b"GET\r\n\r\n", b""),
    ],
)
def test_odd_http_gets_an_answer(simulator: Simulator, caller: Caller, sent: bytes, status: bytes) -> None:
    answered = raw(simulator, sent)
    assert (answered.split(b" ")[1] == status) if status else (b"Error code: 400" in answered)
    assert caller.arm("GET", "").status == 200


def test_a_client_that_speaks_no_tls_disturbs_nobody(simulator: Simulator, caller: Caller) -> None:
    host, _, port = simulator.service_host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            connection.recv(100)
    assert caller.arm("GET", "").status == 200


def test_the_validator_sees_what_is_wrong(simulator: Simulator, caller: Caller) -> None:
    caller.service("PUT", "/enrollmentGroups/g", {"enrollmentGroupId": "g", "attestation": {"type": "paper"}, "colour": 1})
    caller.call("service", simulator.service_host, "GET", "/nowhere", None, {})
    caller.service("POST", "/enrollmentGroups/query", [])
    assert problems_with(simulator.requests) == [
        "service PUT /enrollmentGroups/g: body.attestation.type is not one of none, tpm, x509, symmetricKey",
        "service PUT /enrollmentGroups/g: body.colour is not described",
        "service GET /nowhere: no such path or method",
        "service POST /enrollmentGroups/query: body is no object",
    ]
    assert json.loads(simulator.requests[2].request.body) == []
