"""A device and its hub: from the cache, anew when the hub or the leaf says so, and never because a network was down."""

import json
import socket
import threading

from ceremony.device.cache import Registration, read_cache
from ceremony.simulator.dps_mqtt import DpsSession
from ceremony.simulator.hub import HubSession
from ceremony.simulator.mqtt_packets import Refusal
from ceremony.words import sha256_hex
from tests.device.field import PORT, Field, failed, told
from tests.simulator.chains import device, intermediate


def test_without_a_cache_it_registers_then_connects_and_the_next_time_asks_nobody(field: Field) -> None:
    files = field.files("dev-1")
    failed(field.connect(files), 2, "DEVICE-NOT-REGISTERED")
    where = ("--host", field.host, "--id-scope", field.state.id_scope)
    first = told(field.connect(files, *where, "--message", '{"t": 20.5}', "--reported", '{"battery": 71}', "--json"))
    assert (first["fromCache"], first["renewed"], first["assignedHub"]) == (False, "", field.hub)
    assert first["twin"] == {"desired": {"$version": 1}, "reported": {"$version": 2, "battery": 71}}
    assert field.asked() == [("PUT", 202), ("GET", 200)]
    field.forget_what_was_asked()
    kept = files.cache.read_bytes()
    ended = field.connect(files)
    assert ended.code == 0, ended.err
    assert "known from the cache" in ended.out
    assert '"battery": 71' in ended.out
    assert field.asked() == []
    assert files.cache.read_bytes() == kept
    topics, messages = zip(*field.at_hub("dev-1").telemetry, strict=True)
    assert messages[0] == b'{"t": 20.5}'
    assert json.loads(messages[1]).keys() == {"connected"}
    assert all("application%2Fjson" in topic for topic in topics)


def test_a_hub_that_no_longer_knows_the_device_has_it_registered_anew_once(field: Field) -> None:
    files = field.remembered("dev-1")
    old = files.cache.read_bytes()
    del field.state.devices[field.hub, "dev-1"]
    field.forget_what_was_asked()
    found = told(field.connect(files, "--json"))
    assert (found["fromCache"], "refused the device" in found["renewed"]) == (False, True)
    assert [method for method, _ in field.asked()] == ["PUT", "GET"]
    assert files.cache.read_bytes() != old
    assert len(field.at_hub("dev-1").telemetry) == 1


def test_a_device_that_is_disabled_at_its_hub_is_registered_anew_once_and_no_more(field: Field) -> None:
    files = field.remembered("dev-1")
    field.at_hub("dev-1").is_enabled = False
    field.forget_what_was_asked()
    parts = failed(field.connect(files), 4, "DEVICE-HUB-REFUSED")
    assert "CONNACK 5" in parts["What happened"]
    assert [method for method, _ in field.asked()] == ["PUT", "GET"]


def test_a_new_leaf_has_the_device_registered_anew(field: Field) -> None:
    files = field.remembered("dev-1")
    field.forget_what_was_asked()
    renewed = field.files("dev-1", device("dev-1", intermediate("A")), intermediate("A"))
    found = told(field.connect(renewed, "--json"))
    assert "another certificate" in found["renewed"]
    assert [method for method, _ in field.asked()] == ["PUT", "GET"]
    kept = read_cache(files.cache)
    assert isinstance(kept, Registration)
    assert kept.leaf_sha256 == sha256_hex(renewed.leaf.der) == field.at_hub("dev-1").leaf_sha256


def test_after_a_compromise_the_first_device_works_and_a_second_is_not_let_in(field: Field) -> None:
    first, second = field.remembered("dev-1"), field.files("dev-2")
    field.disable()
    parts = failed(field.register(second), 4, "DEVICE-GROUP-DISABLED")
    assert "disabled" in parts["What happened"]
    assert not second.cache.exists()
    assert told(field.connect(first, "--json"))["fromCache"] is True
    # The first one asking again is refused, and keeps what it has: its hub still takes it.
    failed(field.register(first), 4, "DEVICE-GROUP-DISABLED")
    assert told(field.connect(first, "--json"))["fromCache"] is True
    # Only a hub that refuses, and then a service that refuses, leave it with nothing.
    del field.state.devices[field.hub, "dev-1"]
    parts = failed(field.connect(first), 4, "DEVICE-GROUP-DISABLED")
    assert parts["State"] == "The device is not registered. The cache was dropped."
    assert not first.cache.exists()


def test_a_network_that_is_down_leaves_the_cache_as_it_is(field: Field) -> None:
    files = field.remembered("dev-1")
    kept = files.cache.read_bytes()
    renewed = field.files("dev-1r", device("dev-1", intermediate("A")), intermediate("A"))
    field.simulator.stop()
    parts = failed(field.connect(files), 4, "DEVICE-UNREACHABLE")
    assert "kept" in parts["State"]
    assert files.cache.read_bytes() == kept
    # A new leaf makes it void; but there is no other until the service gives one.
    failed(field.connect(renewed, "--cache", files.cache), 4, "DEVICE-UNREACHABLE")
    assert files.cache.read_bytes() == kept


def test_a_mistyped_option_does_not_cost_the_registration(field: Field) -> None:
    files = field.remembered("dev-1")
    kept = files.cache.read_bytes()
    parts = failed(field.connect(files, "--id-scope", "0ne00OTHER"), 4, "DEVICE-ID-SCOPE")
    assert "kept" in parts["State"]
    assert files.cache.read_bytes() == kept


def test_a_hub_that_cuts_the_connection_is_no_refusal(field: Field, monkeypatch) -> None:
    def cut(*_) -> None:
        raise ConnectionAbortedError

    files = field.remembered("dev-1")
    kept = files.cache.read_bytes()
    monkeypatch.setattr(HubSession, "received", cut)
    parts = failed(field.connect(files), 4, "DEVICE-CONNECTION-LOST")
    assert "connected" in parts["State"]
    assert files.cache.read_bytes() == kept


def test_a_hub_that_is_not_available_or_ends_the_handshake_is_no_refusal(field: Field, monkeypatch) -> None:
    files = field.remembered("dev-1")
    kept = files.cache.read_bytes()
    monkeypatch.setattr(HubSession, "connect", lambda *_: Refusal.SERVER_UNAVAILABLE)
    failed(field.connect(files), 4, "DEVICE-SERVICE-FAILED")
    assert files.cache.read_bytes() == kept
    with socket.create_server((f"{field.hub}2", PORT)) as elsewhere:
        threading.Thread(target=lambda: elsewhere.accept()[0].close(), daemon=True).start()
        files.cache.write_bytes(kept.replace(field.hub.encode(), f"{field.hub}2".encode()))
        failed(field.connect(files), 4, "DEVICE-UNREACHABLE")
        assert files.cache.exists()


def test_a_service_that_is_not_available_does_not_cost_a_void_registration_either(field: Field, monkeypatch) -> None:
    files = field.remembered("dev-1")
    kept = files.cache.read_bytes()
    field.files("dev-1", device("dev-1", intermediate("A")), intermediate("A"))
    monkeypatch.setattr(DpsSession, "connect", lambda *_: Refusal.SERVER_UNAVAILABLE)
    ended = field.connect(files, "--https-port", "1")
    assert "It gave none: " in ended.err
    failed(ended, 4, "DEVICE-ID-SCOPE")
    assert files.cache.read_bytes() == kept


def test_a_damaged_cache_is_told_and_set_aside(field: Field) -> None:
    files = field.remembered("dev-1")
    files.cache.write_bytes(b'{"format":1,\x1b[2J')
    failed(field.connect(files), 2, "DEVICE-NOT-REGISTERED")
    aside = files.cache.with_name(f"{files.cache.name}.damaged-1")
    assert aside.read_bytes() == b'{"format":1,\x1b[2J'
    files.cache.write_bytes(b"[]")
    ended = field.connect(files, "--host", field.host, "--id-scope", field.state.id_scope)
    assert ended.code == 0, ended.err
    assert f"is damaged (it is not of format 1); it is now {files.cache}.damaged-2" in ended.err
    assert isinstance(read_cache(files.cache), Registration)


def test_what_is_to_be_sent_is_checked_first(field: Field) -> None:
    files = field.remembered("dev-1")
    for more in (("--message", "hello"), ("--message", "NaN"), ("--reported", "[1]"), ("--reported", "")):
        failed(field.connect(files, *more), 2, "USAGE")
    assert field.at_hub("dev-1").telemetry == []
