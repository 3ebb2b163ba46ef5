"""A hub's registry: devices as the provisioning service left them, by etag, and what becomes of one that is disabled."""

from pathlib import Path
from typing import Any

import pytest

from ceremony.simulator.faults import Fault
from ceremony.simulator.mqtt_packets import Refusal
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState
from ceremony.simulator.state_file import decoded, encoded
from tests.simulator.api_description import problems_with
from tests.simulator.calling import Caller, Said
from tests.simulator.chains import device, intermediate, write_chain
from tests.simulator.mqtt_client import Client, context_of, hub

DESIRED = "$iothub/twin/GET/?$rid=1"


def registered(caller: Caller, folder: Path, name: str) -> tuple[Path, Path]:
    """A device of a factory whose root is verified, let in; its chain and key."""
    if not caller.simulator.state.certificates:
        caller.verified_root()
        assert caller.group("factory-a", intermediate("A")).status == 200
    files = write_chain(folder, name, device(name, intermediate("A")), [intermediate("A")])
    assert caller.register(name, files).status == 202
    return files


def connected(simulator: Simulator, files: tuple[Path, Path]) -> Client:
    port = int(simulator.mqtt_host.rpartition(":")[2])
    return Client(simulator.state.hubs[0], port, context_of(simulator.ca_file, files))


def changed(caller: Caller, name: str, etag: str | None = None, **members: Any) -> Said:
    """The device put back with other members, by the etag it was read with unless said."""
    there = caller.hub("GET", name)
    return caller.hub("PUT", name, {**there.body, **members}, f'"{there.body["etag"]}"' if etag is None else etag)


def test_a_device_is_shown_as_the_provisioning_service_left_it(caller: Caller, tmp_path: Path) -> None:
    registered(caller, tmp_path, "device-1")
    said = caller.hub("GET", "device-1")
    leaf = caller.simulator.state.devices["127.0.0.2", "device-1"].leaf_sha256
    assert (said.status, said.body["status"], said.body["statusReason"]) == (200, "enabled", None)
    assert said.body["authentication"]["x509Thumbprint"]["primaryThumbprint"] == leaf.upper()
    assert said.headers["ETag"] == f'"{said.body["etag"]}"'


def test_a_write_needs_the_etag_that_was_read_in_quotes(caller: Caller, tmp_path: Path) -> None:
    registered(caller, tmp_path, "device-1")
    read = caller.hub("GET", "device-1").body
    assert changed(caller, "device-1", '"another"', status="disabled").status == 412
    assert changed(caller, "device-1", read["etag"], status="disabled").status == 412
    assert caller.hub("PUT", "device-1", read).status == 409
    assert caller.hub("GET", "device-1").body == read
    said = changed(caller, "device-1", status="disabled", statusReason="stolen")
    assert (said.status, said.body["status"], said.body["statusReason"]) == (200, "disabled", "stolen")
    assert (said.body["etag"] != read["etag"], said.body["generationId"]) == (True, read["generationId"])
    assert said.body["statusUpdatedTime"] > read["statusUpdatedTime"]


@pytest.mark.parametrize(
    "members",
    [
        {"authentication": None},
        {"authentication": {"type": "sas", "x509Thumbprint": {}}},
        {"authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "00"}}},
        {"status": "off"},
        {"statusReason": "x" * 129},
        {"statusReason": 1},
        {"deviceId": "device-2"},
        {"capabilities": {"iotEdge": "no"}},
    ],
)
def test_a_record_that_is_none_changes_nothing(caller: Caller, tmp_path: Path, members: dict[str, Any]) -> None:
    registered(caller, tmp_path, "device-1")
    read = caller.hub("GET", "device-1").body
    assert changed(caller, "device-1", **members).status == 400
    assert caller.hub("GET", "device-1").body == read


def test_a_device_that_is_not_there_is_404_in_any_case_of_its_letters(caller: Caller, tmp_path: Path) -> None:
    registered(caller, tmp_path, "device-1")
    for name in ("device-2", "DEVICE-1"):
        said = caller.hub("GET", name)
        assert (said.status, said.headers["iothub-errorcode"]) == (404, "DeviceNotFound")
        assert said.body["Message"] == f"ErrorCode:DeviceNotFound;{name}"
    assert caller.hub("PUT", "device-2", {"deviceId": "device-2"}, "*").status == 404


def test_who_may_not_is_told_401_as_by_the_live_service(caller: Caller, tmp_path: Path) -> None:
    registered(caller, tmp_path, "device-1")
    caller.simulator.faults.add(Fault(status=403, face="hub"))
    said = caller.hub("GET", "device-1")
    assert (said.status, said.headers["iothub-errorcode"]) == (401, "IotHubUnauthorized")
    assert "is not authorized for GET on /devices/device-1 due to no assigned permissions" in said.body["Message"]
    caller.token = "eyJ"
    said = caller.hub("GET", "device-1")
    assert (said.status, said.headers["iothub-errorcode"]) == (401, "IotHubUnauthorizedAccess")
    caller.token, caller.version = caller.simulator.token, "2016-02-03"
    assert caller.hub("GET", "device-1").status == 400


def test_a_disabled_device_is_dropped_and_refused_and_another_is_not(simulator: Simulator, caller: Caller, tmp_path: Path) -> None:
    first, second = (registered(caller, tmp_path, name) for name in ("device-1", "device-2"))
    with connected(simulator, first) as one, connected(simulator, second) as two:
        assert (hub(one, "device-1"), hub(two, "device-2")) == (Refusal.ACCEPTED, Refusal.ACCEPTED)
        assert caller.hub("GET", "device-1").body["connectionState"] == "Connected"
        assert changed(caller, "device-1", status="disabled").status == 200
        # Nothing is sent by the device: the hub itself ends the connection.
        assert one.receive() is None
        assert two.subscribe("$iothub/twin/res/#") == (1,)
        assert two.ask(DESIRED)[0].startswith("$iothub/twin/res/200/")
    with connected(simulator, first) as again:
        assert hub(again, "device-1") is Refusal.NOT_AUTHORIZED
    assert changed(caller, "device-1", status="enabled").status == 200
    with connected(simulator, first) as again:
        assert hub(again, "device-1") is Refusal.ACCEPTED


def test_a_disabled_device_stays_so_when_it_registers_again(caller: Caller, tmp_path: Path) -> None:
    files = registered(caller, tmp_path, "device-1")
    before = changed(caller, "device-1", status="disabled", statusReason="stolen").body
    assert caller.register("device-1", files).status == 202
    after = caller.hub("GET", "device-1").body
    assert {key for key in after if after[key] != before[key]} == {"etag"}


def test_each_hub_has_its_own_registry_at_one_port(tmp_path: Path) -> None:
    with Simulator(tmp_path, state=DpsState(hubs=["127.0.0.2", "127.0.0.3", "hub.azure-devices.net"])) as simulator:
        caller = Caller(simulator)
        caller.verified_root()
        caller.group("factory-a", intermediate("A"), iotHubs=["127.0.0.3"])
        registered(caller, tmp_path, "device-1")
        assert caller.hub("GET", "device-1", hub="127.0.0.2").status == 404
        assert caller.hub("GET", "device-1", hub="127.0.0.3").status == 200
        assert problems_with(simulator.requests, refused_too=False) == []


def test_no_hub_that_can_be_reached_has_no_registry(tmp_path: Path) -> None:
    with Simulator(tmp_path, state=DpsState(hubs=["hub.azure-devices.net"])) as simulator:
        assert simulator.hub_port is None


def test_faults_strike_and_most_a_minute_does_not_count_here(caller: Caller, tmp_path: Path) -> None:
    registered(caller, tmp_path, "device-1")
    caller.simulator.faults.most_a_minute = 1
    caller.simulator.faults.throttle(times=2, face="hub")
    assert [caller.hub("GET", "device-1").status for _ in range(4)] == [429, 429, 200, 200]


def test_state_file_keeps_what_a_registry_holds(caller: Caller, tmp_path: Path) -> None:
    registered(caller, tmp_path, "device-1")
    changed(caller, "device-1", status="disabled", statusReason="stolen")
    state = caller.simulator.state
    assert decoded(encoded(state)).devices == state.devices
