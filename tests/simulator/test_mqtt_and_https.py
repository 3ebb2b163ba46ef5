"""One state behind both ways: what the operator does over HTTPS holds for devices over MQTT, and the other way round."""

import time
from pathlib import Path

from ceremony.simulator.faults import Fault
from ceremony.simulator.mqtt_packets import Refusal
from ceremony.simulator.server import Simulator
from tests.simulator.calling import Caller
from tests.simulator.chains import device, intermediate, write_chain
from tests.simulator.mqtt_client import HUB, Client, context_of, dps, hub, register, status


def connected(simulator: Simulator, files: tuple[Path, Path], host: str = "127.0.0.1") -> Client:
    return Client(host, int(simulator.mqtt_host.rpartition(":")[2]), context_of(simulator.ca_file, files))


def answer(simulator: Simulator, name: str, files: tuple[Path, Path]) -> tuple[str, str]:
    """The status of a registration over MQTT, and the operation or the message."""
    with connected(simulator, files) as client:
        dps(client, name)
        topic, body = register(client, name)
        return topic.split("/")[3], body.get("operationId") or body["message"]


def test_from_an_empty_service_to_a_connected_device_and_a_compromise(simulator: Simulator, caller: Caller, tmp_path: Path) -> None:
    files = {name: write_chain(tmp_path, name, device(name, intermediate(by)), [intermediate(by)]) for name, by in
             (("one", "A"), ("two", "A"), ("three", "B"))}  # fmt: skip
    root = caller.verified_root()
    assert root.der in simulator.state.trust_anchors()
    assert answer(simulator, "one", files["one"])[0] == "401"
    assert caller.group("factory-a", intermediate("A")).status == 200
    assert caller.group("factory-b", intermediate("B")).status == 200

    code, operation_id = answer(simulator, "one", files["one"])
    assert code == "202"
    over_https = caller.device("GET", f"one/operations/{operation_id}", files["one"])
    with connected(simulator, files["one"]) as client:
        dps(client, "one")
        assert status(client, operation_id)[1] == over_https.body
    assert caller.service("GET", "/registrations/one").body["assignedHub"] == HUB

    group = caller.service("GET", "/enrollmentGroups/factory-a").body
    caller.service("PUT", "/enrollmentGroups/factory-a", group | {"provisioningStatus": "disabled"}, group["etag"])
    code, message = answer(simulator, "two", files["two"])
    assert (code, "disabled" in message) == ("401", True)
    assert answer(simulator, "three", files["three"])[0] == "202"
    with connected(simulator, files["one"], HUB) as client:
        assert hub(client, "one") is Refusal.ACCEPTED
    with connected(simulator, files["two"], HUB) as client:
        assert hub(client, "two") is Refusal.NOT_AUTHORIZED
    assert [told.status for told in simulator.requests if told.face == "device" and told.request.method == "PUT"] == [401, 202, 401, 202]


def test_a_device_registered_over_https_connects_to_its_hub(simulator: Simulator, caller: Caller, tmp_path: Path) -> None:
    caller.verified_root()
    caller.group("factory-a", intermediate("A"))
    files = write_chain(tmp_path, "one", device("one", intermediate("A")), [intermediate("A")])
    assert caller.register("one", files).status == 202
    with connected(simulator, files, HUB) as client:
        assert hub(client, "one") is Refusal.ACCEPTED


def test_at_a_hub_latency_is_felt_and_faults_do_not_strike(simulator: Simulator, caller: Caller, tmp_path: Path) -> None:
    caller.verified_root()
    caller.group("factory-a", intermediate("A"))
    files = write_chain(tmp_path, "one", device("one", intermediate("A")), [intermediate("A")])
    assert caller.register("one", files).status == 202
    simulator.faults.latency = 0.2
    simulator.faults.add(Fault(status=503, times=9))
    simulator.faults.add(Fault(drop="before", times=9))
    with connected(simulator, files, HUB) as client:
        began = time.monotonic()
        assert hub(client, "one") is Refusal.ACCEPTED
        assert client.subscribe("$iothub/twin/res/#") == (1,)
        assert client.ask("$iothub/twin/GET/?$rid=1")[0] == "$iothub/twin/res/200/?$rid=1"
        assert time.monotonic() - began >= 0.6
