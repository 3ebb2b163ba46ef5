"""Devices over MQTT and TLS: registered, refused, connected to their hub; and connections that behave badly."""

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.simulator import mqtt_server
from ceremony.simulator.exchange import Exchange
from ceremony.simulator.faults import Fault, Faults
from ceremony.simulator.identity import make_identity
from ceremony.simulator.mqtt import encode
from ceremony.simulator.mqtt_packets import (
    FAILURE,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Refusal,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from ceremony.simulator.mqtt_server import MqttServer
from ceremony.simulator.tls import device_context
from ceremony.words import sha256_hex
from tests.simulator.api_description import problems_with
from tests.simulator.device_chains import Factory, Holder, disable, enroll, factory, issued, upload, written
from tests.simulator.mqtt_client import HUB, SCOPE, Client, context_of, dps, hub, register, status

DPS = "127.0.0.1"
RES = "$dps/registrations/res"


@dataclass
class Running:
    """A factory, its devices' files, and the simulator's device side."""

    made: Factory
    server: MqttServer
    faults: Faults
    log: list[Exchange]
    ca_file: Path
    folder: Path

    def files(self, name: str, intermediate: Holder | None = None) -> tuple[Path, Path]:
        above = intermediate or self.made.alpha
        return written(self.folder, name, issued(name, above), above)

    def to_dps(self, files: tuple[Path, Path] | None) -> Client:
        return Client(DPS, self.server.port, context_of(self.ca_file, files))

    def to_hub(self, files: tuple[Path, Path]) -> Client:
        return Client(HUB, self.server.port, context_of(self.ca_file, files))

    def registered(self, name: str) -> tuple[Path, Path]:
        files = self.files(name)
        with self.to_dps(files) as client:
            dps(client, name)
            assert register(client, name)[0].startswith(f"{RES}/202/")
        return files

    def asked(self, name: str, files: tuple[Path, Path]) -> tuple[str, str]:
        """The answer to a registration: its topic and its message."""
        with self.to_dps(files) as client:
            dps(client, name)
            topic, body = register(client, name)
            return topic, body.get("message", "")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made, faults, log = factory(), Faults(), list[Exchange]()
    identity = make_identity(tmp_path)
    server = MqttServer(made.state, faults, log.append, device_context(identity, made.state.trust_anchors))
    server.start()
    yield Running(made, server, faults, log, identity.ca_file, tmp_path)
    server.stop()
    assert problems_with(log, refused_too=False) == []


def test_a_device_registers_and_works_with_its_hub(running):
    files = running.files("dev-1")
    with running.to_dps(files) as client:
        dps(client, "dev-1")
        topic, begun = register(client, "dev-1")
        assert topic == f"{RES}/202/?$rid=1&retry-after=1"
        assert begun["status"] == "assigning"
        topic, ended = status(client, begun["operationId"])
        assert topic == f"{RES}/200/?$rid=2"
        assert (ended["status"], ended["registrationState"]["assignedHub"]) == ("assigned", HUB)
        client.send(Disconnect())
        assert client.receive() is None
    with running.to_hub(files) as client:
        assert hub(client, "dev-1") is Refusal.ACCEPTED
        assert client.subscribe("$iothub/twin/res/#", "devices/dev-1/messages/devicebound/#", "$iothub/methods/POST/#") == (1, 1, 1)
        twin = {"desired": {"$version": 1}, "reported": {"$version": 1}}
        assert client.ask("$iothub/twin/GET/?$rid=a1") == ("$iothub/twin/res/200/?$rid=a1", twin)
        changed = client.ask("$iothub/twin/PATCH/properties/reported/?$rid=a2", {"battery": 71})
        assert changed == ("$iothub/twin/res/204/?$rid=a2&$version=2", None)
        client.send(Publish("devices/dev-1/messages/events/$.ct=application%2Fjson", b'{"t":21}', 9), Pingreq())
        assert [client.receive(), client.receive()] == [Puback(9), Pingresp()]
    device = running.made.state.devices[HUB, "dev-1"]
    assert device.telemetry == [("devices/dev-1/messages/events/$.ct=application%2Fjson", b'{"t":21}')]
    assert device.twin["properties"]["reported"] == {"battery": 71, "$version": 2}
    assert [(told.request.method, told.status, len(told.request.chain)) for told in running.log] == [("PUT", 202, 2), ("GET", 200, 2)]


def test_after_a_compromise_new_devices_of_one_intermediate_are_refused_and_nothing_else_changes(running):
    provisioned = running.registered("dev-1")
    disable(running.made.state, "alpha.1")
    topic, message = running.asked("dev-2", running.files("dev-2"))
    assert topic == f"{RES}/401/?$rid=1"
    assert "disabled" in message
    assert running.asked("dev-3", running.files("dev-3", running.made.beta))[0].startswith(f"{RES}/202/")
    with running.to_hub(provisioned) as client:
        assert hub(client, "dev-1") is Refusal.ACCEPTED


def test_a_refusal_as_a_failed_result(running):
    running.made.state.refuses_at_once = False
    disable(running.made.state, "alpha.1")
    with running.to_dps(running.files("dev-1")) as client:
        dps(client, "dev-1")
        begun = register(client, "dev-1")[1]
        topic, ended = status(client, begun["operationId"])
    assert topic.startswith(f"{RES}/200/")
    assert (ended["status"], "disabled" in ended["registrationState"]["errorMessage"]) == ("failed", True)


def test_a_leaf_without_its_intermediate_gets_past_tls_and_hears_why_not(running):
    files = written(running.folder, "dev-1", issued("dev-1", running.made.alpha))
    topic, message = running.asked("dev-1", files)
    assert topic == f"{RES}/401/?$rid=1"
    assert message.startswith("CA certificate not found.")


def test_times_are_for_the_rules_and_not_for_tls(running):
    above = running.made.alpha
    files = written(running.folder, "dev-1", issued("dev-1", above, days=1, start=above.certificate.not_valid_before_utc), above)
    topic, message = running.asked("dev-1", files)
    assert topic.startswith(f"{RES}/202/"), message
    running.made.state.clock = lambda: issued("x", above).certificate.not_valid_after_utc
    topic, message = running.asked("dev-1", files)
    assert topic.startswith(f"{RES}/401/")
    assert "Number 1 of the chain is valid" in message


def test_an_unknown_root_ends_in_the_handshake_until_it_is_uploaded(running):
    root = issued("Other root", is_ca=True)
    above = issued("other.1", root, is_ca=True)
    files = written(running.folder, "dev-1", issued("dev-1", above), above)
    with pytest.raises(OSError), running.to_dps(files) as client:
        client.connect("dev-1", None)
    upload(running.made.state, "other", root, is_verified=False)
    enroll(running.made.state, "other.1", above)
    assert "not verified" in running.asked("dev-1", files)[1]
    upload(running.made.state, "other", root)
    assert running.asked("dev-1", files)[0].startswith(f"{RES}/202/")


def test_without_a_client_certificate_there_is_no_connection(running):
    with pytest.raises(OSError), running.to_dps(None) as client:
        client.connect("dev-1", None)


def test_a_tls_session_that_comes_back_still_shows_the_chain(running):
    context = context_of(running.ca_file, running.files("dev-1"))
    with Client(DPS, running.server.port, context) as first:
        dps(first, "dev-1")
        session = first.socket.session
        assert session is not None
        assert not session.has_ticket
    with Client(DPS, running.server.port, context, session) as second:
        dps(second, "dev-1")
        assert register(second, "dev-1")[0].startswith(f"{RES}/202/")


def _s_client(running: Running, files: tuple[Path, Path], *more: str) -> str:
    """What openssl's own client makes of the handshake."""
    where = ["-connect", f"{DPS}:{running.server.port}", "-CAfile", str(running.ca_file), "-verify_return_error", "-verify_ip", DPS]
    own = ["-cert", str(files[0]), "-cert_chain", str(files[0]), "-key", str(files[1])]
    done = subprocess.run(["openssl", "s_client", *where, *own, *more], input=b"", capture_output=True, timeout=20, check=False)
    return (done.stdout + done.stderr).decode()


def test_openssl_agrees_on_the_handshake(running):
    files = running.files("dev-1")
    good = _s_client(running, files, "-tls1_2")
    assert "Verify return code: 0 (ok)" in good
    assert "Protocol  : TLSv1.2" in good
    assert "TLS session ticket:" not in good
    for refused in ("-tls1_3", "-tls1_1"):
        assert "Cipher is (NONE)" in _s_client(running, files, refused)


@pytest.mark.parametrize(
    ("client_id", "user_name", "refusal"),
    [
        ("dev-1", "0ne00OTHER/registrations/dev-1/api-version=2019-03-31", Refusal.SERVER_UNAVAILABLE),
        ("dev-1", f"{SCOPE}/registrations/dev-2/api-version=2019-03-31", Refusal.NOT_AUTHORIZED),
        ("dev-1", f"{SCOPE}/registrations/dev-1", Refusal.USER_NAME),
        ("dev-1", f"{SCOPE}/registrations/dev-1/api-version=", Refusal.USER_NAME),
        ("dev-1", "", Refusal.USER_NAME),
        ("dev-1", None, Refusal.USER_NAME),
        ("", f"{SCOPE}/registrations//api-version=2019-03-31", Refusal.CLIENT_ID),
    ],
)
def test_user_names_that_the_provisioning_service_refuses(running, client_id, user_name, refusal):
    with running.to_dps(running.files("dev-1")) as client:
        assert client.connect(client_id, user_name) is refusal
        assert client.receive() is None


def test_another_version_of_mqtt_is_refused(running):
    with running.to_dps(running.files("dev-1")) as client:
        assert client.connect("dev-1", f"{SCOPE}/registrations/dev-1/api-version=2019-03-31", level=3) is Refusal.PROTOCOL_VERSION
        assert client.receive() is None


@pytest.mark.parametrize(
    "user_name", [None, "127.0.0.3/dev-1/?api-version=2019-10-01", f"{HUB}/dev-2/?api-version=2019-10-01", f"{HUB}/dev-1"]
)
def test_user_names_that_a_hub_refuses(running, user_name):
    with running.to_hub(running.registered("dev-1")) as client:
        assert client.connect("dev-1", user_name) is Refusal.USER_NAME


def test_a_hub_refuses_who_was_not_registered_or_comes_with_another_certificate(running):
    with running.to_hub(running.files("dev-1")) as client:
        assert hub(client, "dev-1") is Refusal.NOT_AUTHORIZED
    running.registered("dev-1")
    with running.to_hub(running.files("dev-1")) as client:
        assert hub(client, "dev-1") is Refusal.NOT_AUTHORIZED


def test_one_device_cannot_register_as_another(running):
    assert "not the CN" in running.asked("dev-2", running.files("dev-1"))[1]
    with running.to_dps(running.files("dev-1")) as client:
        dps(client, "dev-1")
        topic, body = register(client, "dev-2")
        assert (topic, body["errorCode"]) == (f"{RES}/400/?$rid=1", 400004)
    assert running.made.state.registrations == {}


def test_a_device_disabled_at_its_hub_is_cut_off_at_its_next_message(running):
    with running.to_hub(running.registered("dev-1")) as client:
        assert hub(client, "dev-1") is Refusal.ACCEPTED
        running.made.state.devices[HUB, "dev-1"].is_enabled = False
        client.send(Publish("devices/dev-1/messages/events/", b"x", 1))
        assert client.receive() is None
    assert running.made.state.devices[HUB, "dev-1"].telemetry == []


@pytest.mark.parametrize("retry_after", [1, None])
def test_throttling(running, retry_after):
    running.faults.throttle(1, retry_after, face="device")
    with running.to_dps(running.files("dev-1")) as client:
        dps(client, "dev-1")
        topic, body = register(client, "dev-1")
        assert topic == f"{RES}/429/?$rid=1" + ("&retry-after=1" if retry_after else "")
        assert body["errorCode"] == 429001
        assert register(client, "dev-1")[0].startswith(f"{RES}/202/")
    assert [(told.status, told.by_fault) for told in running.log] == [(429, True), (202, False)]


@pytest.mark.parametrize(("drop", "took_effect"), [("before", False), ("after", True)])
def test_a_dropped_connection(running, drop, took_effect):
    running.faults.add(Fault(drop=drop, method="PUT", part="/register", face="device"))
    files = running.files("dev-1")
    with running.to_dps(files) as client:
        dps(client, "dev-1")
        assert register(client, "dev-1") == ("", None)
    assert ("dev-1" in running.made.state.registrations) is took_effect
    assert [(told.status, told.dropped) for told in running.log] == [(0, drop)]
    assert running.asked("dev-1", files)[0].startswith(f"{RES}/202/")


def test_subscriptions(running):
    with running.to_hub(running.registered("dev-1")) as client:
        assert hub(client, "dev-1") is Refusal.ACCEPTED
        refused = ["#", "$iothub/twin/#", "devices/dev-2/messages/devicebound/#", "devices/dev-1/messages/events/#"]
        assert client.subscribe("$iothub/twin/res/#", *refused) == (1, *[FAILURE] * 4)
        client.send(Subscribe(2, (("$iothub/twin/res/#", 2), ("$iothub/methods/POST/#", 0))), Unsubscribe(3, ("$iothub/twin/res/#",)))
        assert [client.receive(), client.receive()] == [Suback(2, (1, 0)), Unsuback(3)]
        client.send(Publish("$iothub/twin/GET/?$rid=1", b""), Pingreq())
        assert client.receive() == Pingresp(), "an answer came without a subscription"


TOO_DEEP = b'{"a":' * 11 + b"1" + b"}" * 11


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'"a"', b"\xff", b'{"a":NaN}', b'{"$version":7}', TOO_DEEP, b'{"a":' * 50_000, b'{"a":"' + b"x" * 33_000 + b'"}'],
    ids=range(10),
)
def test_a_patch_that_is_refused_changes_nothing(running, body):
    with running.to_hub(running.registered("dev-1")) as client:
        assert hub(client, "dev-1") is Refusal.ACCEPTED
        client.subscribe("$iothub/twin/res/#")
        reported = "$iothub/twin/PATCH/properties/reported/?$rid=1"
        assert client.ask(reported, {"a": {"b": 1, "c": 2}, "d": [1]})[0].startswith("$iothub/twin/res/204/")
        assert client.ask(reported, body)[0] == "$iothub/twin/res/400/?$rid=1"
        held = {"a": {"b": 1, "c": 2}, "d": [1], "$version": 2}
        assert client.ask("$iothub/twin/GET/?$rid=2")[1]["reported"] == held
        assert client.ask(reported, {"a": {"b": None, "e": {}}, "d": None})[0].endswith("&$version=3")
        assert client.ask("$iothub/twin/GET/?$rid=3")[1]["reported"] == {"a": {"c": 2, "e": {}}, "$version": 3}


HELLO = Connect("dev-1", f"{SCOPE}/registrations/dev-1/api-version=2019-03-31")
RID = "$dps/registrations/PUT/iotdps-register/"
RUDE = {
    "no MQTT": b"GET / HTTP/1.1\r\n\r\n",
    "a message before CONNECT": encode(Publish("a", b"")),
    "CONNECT twice": encode(HELLO) + encode(HELLO),
    "quality of service 2": encode(HELLO) + bytes.fromhex("34050001610001"),
    "a packet that only a server sends": encode(HELLO) + encode(Pingresp()),
    "a length over the cap": encode(HELLO) + b"\x30\xff\xff\xff\x7f",
    "a topic of nobody": encode(HELLO) + encode(Publish("$iothub/twin/GET/?$rid=1", b"")),
    "no request number": encode(HELLO) + encode(Publish(f"{RID}?x=1", b"{}")),
    "a request number that is none": encode(HELLO) + encode(Publish(f"{RID}?$rid=%23", b"{}")),
    "too many properties": encode(HELLO) + encode(Publish(f"{RID}?$rid=1" + "&a=1" * 20, b"{}")),
}


@pytest.mark.parametrize("stream", RUDE.values(), ids=RUDE)
def test_a_rude_client_is_cut_off_and_harms_nobody(running, stream):
    files = running.files("dev-1")
    with running.to_dps(files) as client:
        client.socket.sendall(stream)
        while client.receive() is not None:
            pass
    assert running.asked("dev-1", files)[0].startswith(f"{RES}/202/")


@pytest.mark.parametrize("early", [Pingreq(), Subscribe(1, (("$dps/registrations/res/#", 1),)), Puback(1)])
def test_before_connect_nothing_is_answered(running, early):
    with running.to_dps(running.files("dev-1")) as client:
        client.send(early, HELLO)
        assert client.receive() is None


def test_connect_is_answered_once(running):
    with running.to_dps(running.files("dev-1")) as client:
        client.send(HELLO, HELLO)
        assert client.receive() == Connack()
        assert client.receive() is None


def test_a_hub_keeps_the_newest_telemetry(running, monkeypatch):
    monkeypatch.setattr("ceremony.simulator.hub.MOST_TELEMETRY", 2)
    with running.to_hub(running.registered("dev-1")) as client:
        assert hub(client, "dev-1") is Refusal.ACCEPTED
        for number in range(4):
            client.send(Publish("devices/dev-1/messages/events/", b"%d" % number, 1))
            assert client.receive() == Puback(1)
    assert [payload for _, payload in running.made.state.devices[HUB, "dev-1"].telemetry] == [b"2", b"3"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_registration_that_is_no_json_object_is_refused(running, body):
    with running.to_dps(running.files("dev-1")) as client:
        dps(client, "dev-1")
        assert client.ask(f"{RID}?$rid=5", body)[0] == f"{RES}/400/?$rid=5"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(stream=st.binary(max_size=200), greets=st.booleans())
def test_any_bytes_at_all_leave_the_server_standing(running, stream, greets):
    files = running.folder / "fuzz.chain.pem", running.folder / "fuzz.key.pem"
    if not files[0].exists():
        running.files("fuzz")
    with running.to_dps(files) as client:
        client.socket.sendall((encode(HELLO) if greets else b"") + stream + encode(Disconnect()))
    with running.to_dps(files) as client:
        dps(client, "fuzz")


def test_silence_ends_a_connection(running, monkeypatch):
    monkeypatch.setattr(mqtt_server, "FIRST_PACKET_SECONDS", 0.2)
    with running.to_dps(running.files("dev-1")) as client:
        client.socket.sendall(encode(HELLO)[:5])
        assert client.receive() is None


def test_keep_alive_counts_one_and_a_half_times(running):
    with running.to_dps(running.files("dev-1")) as client:
        assert client.connect("dev-1", HELLO.user_name, keep_alive=1) is Refusal.ACCEPTED
        client.socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            client.receive()
        client.socket.settimeout(5)
        assert client.receive() is None


def test_the_same_client_id_again_ends_the_older_connection(running):
    files = running.files("dev-1")
    with running.to_dps(files) as older, running.to_dps(files) as newer:
        dps(older, "dev-1")
        dps(newer, "dev-1")
        assert older.receive() is None
        assert register(newer, "dev-1")[0].startswith(f"{RES}/202/")


def test_many_devices_at_once(running):
    files = {f"dev-{number}": running.files(f"dev-{number}") for number in range(24)}
    topics: dict[str, str] = {}

    def one(name: str) -> None:
        topics[name] = running.asked(name, files[name])[0]

    threads = [threading.Thread(target=one, args=(name,)) for name in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(topics.values()) == {f"{RES}/202/?$rid=1&retry-after=1"}
    assert set(topics) == set(files) == set(running.made.state.registrations)
    for name, (chain_file, _) in files.items():
        assert running.made.state.devices[HUB, name].leaf_sha256 == sha256_hex(_first_der(chain_file))


def _first_der(chain_file: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_certificates(chain_file.read_bytes())[0].public_bytes(Encoding.DER)


def test_too_many_connections_are_refused(running, monkeypatch):
    monkeypatch.setattr(mqtt_server, "MOST_CONNECTIONS", 1)
    files = running.files("dev-1")
    with running.to_dps(files) as first:
        dps(first, "dev-1")
        with running.to_dps(files) as second:
            second.send(HELLO)
            assert second.receive() is None
        first.send(Pingreq())
        assert first.receive() == Pingresp()


def test_the_end_gives_the_port_back_and_a_taken_port_is_told(running):
    port = running.server.port
    again = device_context(make_identity(running.folder), running.made.state.trust_anchors)
    with pytest.raises(OSError):
        MqttServer(running.made.state, running.faults, running.log.append, again, port=port)
    with running.to_dps(running.files("dev-1")) as client:
        dps(client, "dev-1")
        running.server.stop()
        assert client.receive() is None
    taken = MqttServer(running.made.state, running.faults, running.log.append, again, port=port)
    taken.start()
    with Client(DPS, taken.port, context_of(running.ca_file, running.files("dev-2"))) as client:
        dps(client, "dev-2")
    taken.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost", "hub.example"])
def test_only_loopback_is_listened_on(running, host):
    context = device_context(make_identity(running.folder), running.made.state.trust_anchors)
    with pytest.raises(CeremonyError) as refused:
        MqttServer(running.made.state, running.faults, running.log.append, context, host)
    assert refused.value.code == "SIMULATOR-NOT-LOOPBACK"
    running.made.state.hubs = [HUB, host]
    server = MqttServer(running.made.state, running.faults, running.log.append, context)
    assert server.hubs == [HUB]
    server.stop()
