"""`ceremony online disable NAME --hub HOST`: the devices that the group had let in are cut off at their hub, and no others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.errors import CeremonyError
from ceremony.online import world
from ceremony.online.disable_devices import MOST_SILENCES
from ceremony.simulator.faults import Drop, Fault
from ceremony.simulator.mqtt_packets import Refusal
from tests.online.disabling import at_hub, disable, enabled, states
from tests.online.factory_service import Factories
from tests.online.held_service import AT_ONCE, QUICK, HeldService, Ran
from tests.simulator.api_description import problems_with
from tests.simulator.mqtt_client import HUB, Client, context_of, hub

OTHER_HUB = "127.0.0.3"


def disable_quickly(held: HeldService, monkeypatch: pytest.MonkeyPatch, patience: Any = QUICK) -> Ran:
    """The command, with other patience than its own."""
    whole = world.connected
    with monkeypatch.context() as patch:
        patch.setattr(world, "connected", lambda config, credential: whole(config, credential, patience))
        return disable(held)


CUT_OFF = {"a-1": False, "a-2": False, "a-3": False, "b-1": True}


def told(held: HeldService) -> list[tuple[str, str, str]]:
    return [(line.kind, line.data["name"], line.data["how"]) for line in held.receipts()]


def test_devices_of_the_group_are_cut_off_and_others_go_on(held: HeldService, factories: Factories) -> None:
    files = {name: (held.folder / f"{name}.chain.pem", held.folder / f"{name}.key.pem") for name in ("a-1", "a-2", "b-1")}
    port = int(held.simulator.mqtt_host.rpartition(":")[2])

    def connected(name: str) -> Client:
        return Client(HUB, port, context_of(held.simulator.ca_file, files[name]))

    with connected("a-1") as live, connected("b-1") as other:
        assert (hub(live, "a-1"), hub(other, "b-1")) == (Refusal.ACCEPTED, Refusal.ACCEPTED)
        ran = disable(held)
        assert ran.code == 0, ran.err
        assert live.receive() is None
        assert other.subscribe("$iothub/twin/res/#") == (1,)
        assert other.ask("$iothub/twin/GET/?$rid=1")[0].startswith("$iothub/twin/res/200/")
    for name, answer in (("a-1", Refusal.NOT_AUTHORIZED), ("a-2", Refusal.NOT_AUTHORIZED), ("b-1", Refusal.ACCEPTED)):
        with connected(name) as again:
            assert hub(again, name) is answer, name
    assert not factories.registered("a-9", "alpha.1")
    assert states(held) == CUT_OFF
    assert [line.split()[0::4] for line in ran.out.splitlines()] == [[f"a-{number}", "disabled"] for number in (1, 2, 3)]
    assert f"{HUB}: 3 disabled." in ran.err
    assert problems_with(held.simulator.requests, refused_too=False) == []


def test_it_is_told_in_receipts_and_in_json(held: HeldService, factories: Factories) -> None:
    said = json.loads(disable(held, "--json").out)
    assert {(entry["registration_id"], entry["device_id"], entry["hub"], entry["at_hub"]) for entry in said["registrations"]} == {
        (f"a-{number}", f"a-{number}", HUB, "done") for number in (1, 2, 3)
    }
    assert said["hubs"] == [{"hub": HUB, "done": 3, "found": 0, "gone": 0, "left": 0}]
    first, *devices = held.receipts()
    assert (first.kind, first.data["name"]) == ("group-disabled", "alpha.1")
    assert told(held)[1:] == [("device-disabled", f"a-{number}", "done") for number in (1, 2, 3)]
    for line in devices:
        there = held.state.devices[HUB, line.data["name"]]
        assert (line.data["hub"], line.data["group"], line.data["service"]) == (HUB, "alpha.1", "example-dps")
        assert (line.data["etag_after"], line.data["status"]) == (there.etag, 200)
        assert line.data["etag_before"] != there.etag and line.data["request_id"]


def test_all_else_of_a_device_stays_as_it_was(held: HeldService, factories: Factories) -> None:
    held.state.devices[HUB, "a-1"].is_edge = True
    before = factories.caller.hub("GET", "a-1").body
    assert disable(held).code == 0
    after = factories.caller.hub("GET", "a-1").body
    assert {key for key in after if after[key] != before[key]} == {"status", "statusReason", "statusUpdatedTime", "etag"}
    assert after["statusReason"] == "root-ceremony: its enrollment group was disabled: alpha.1"
    sent = json.loads(at_hub(held, "PUT")[0].request.body)
    assert (sent["authentication"], "etag" in sent, "connectionState" in sent) == (before["authentication"], False, False)


def test_a_second_run_writes_nothing_to_the_hub_and_no_receipt_of_a_device_twice(held: HeldService, factories: Factories) -> None:
    disable(held)
    held.simulator.requests.clear()
    ran = disable(held)
    assert (ran.code, f"{HUB}: 3 found disabled." in ran.err, at_hub(held, "PUT")) == (0, True, [])
    assert [kind for kind, _, _ in told(held)] == ["group-disabled", *["device-disabled"] * 3, "group-disabled"]
    held.state.devices[HUB, "a-2"].is_enabled = True
    assert disable(held).code == 0
    assert states(held) == CUT_OFF
    assert told(held)[-1] == ("device-disabled", "a-2", "done")


@pytest.mark.parametrize("drop", ["before", "after"])
def test_cut_at_each_request_then_again(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch, drop: Drop
) -> None:
    assert disable_quickly(held, monkeypatch, AT_ONCE).code == 0
    count = len(held.simulator.requests)
    assert count == 4 + 1 + 3 * 2  # service, group read, written and read, registrations; each device read and written
    for nth in range(1, count + 1):
        held.state.groups["alpha.1"].record["provisioningStatus"] = "enabled"
        for device in held.state.devices.values():
            device.is_enabled, device.etag = True, device.etag + "1"
        (held.folder / "receipts.jsonl").unlink()
        held.simulator.requests.clear()
        held.simulator.faults.cut(nth, drop)
        disable_quickly(held, monkeypatch, AT_ONCE)
        assert disable_quickly(held, monkeypatch, AT_ONCE).code == 0
        assert (enabled(held), states(held)) == (False, CUT_OFF), f"cut {drop} request {nth}"
        written = sorted(name for kind, name, _ in told(held) if kind == "device-disabled")
        assert written == ["a-1", "a-2", "a-3"], f"cut {drop} request {nth}"
        taken = [made.request.path for made in at_hub(held, "PUT") if made.dropped != "before"]
        assert sorted(taken) == ["/devices/a-1", "/devices/a-2", "/devices/a-3"], f"cut {drop} request {nth}"


@pytest.mark.parametrize("drop", ["before", "after"])
def test_with_retries_one_run_comes_through_a_cut_at_any_device(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch, drop: Drop
) -> None:
    for method in ("GET", "PUT"):
        held.simulator.faults.add(Fault(drop=drop, face="hub", method=method, part="a-2"))
    assert disable_quickly(held, monkeypatch).code == 0
    assert states(held) == CUT_OFF
    assert told(held)[2] == ("device-disabled", "a-2", "found" if drop == "after" else "done")


@pytest.mark.parametrize(("leaves_enabled", "how"), [(True, "done"), (False, "found")])
def test_somebody_else_who_writes_the_device_meanwhile(held: HeldService, factories: Factories, leaves_enabled: bool, how: str) -> None:
    """The other one comes between our GET and our PUT; what is not ours in the device stays."""
    device = held.state.devices[HUB, "a-1"]

    def other_operator() -> None:
        made = held.simulator.requests[-1]
        if made.face == "hub" and made.request.method == "GET" and device.status_reason is None:
            device.etag, device.is_enabled, device.is_edge, device.status_reason = "other", leaves_enabled, True, "by hand"

    held.simulator.log.after_each = other_operator
    assert disable(held).code == 0
    held.simulator.log.after_each = None
    assert (states(held), device.is_edge) == (CUT_OFF, True)
    assert told(held)[1] == ("device-disabled", "a-1", how)
    assert [made.status for made in at_hub(held, "PUT")][0] == 412


def test_a_device_that_somebody_enables_again_and_again_is_told_and_the_others_are_disabled(
    held: HeldService, factories: Factories
) -> None:
    held.simulator.faults.add(Fault(status=412, face="hub", method="PUT", part="a-1", times=50))
    ran = disable(held)
    assert (ran.code, "AZURE-CONFLICT" in ran.err, f"NOT disabled at {HUB}: a-1." in ran.err) == (4, True, True)
    assert states(held) == CUT_OFF | {"a-1": True}


def test_bursts_of_429_lose_nothing(held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch) -> None:
    held.simulator.faults.add(Fault(status=429, retry_after=None, face="hub", times=3))
    held.simulator.faults.add(Fault(status=429, retry_after=1, face="hub", method="PUT", part="a-3"))
    assert disable_quickly(held, monkeypatch).code == 0
    assert [made.status for made in at_hub(held) if made.status == 429] == [429] * 4
    assert (states(held), len(told(held))) == (CUT_OFF, 4)


def test_a_hub_that_takes_no_more_calls_is_left_after_some_devices_and_the_next_run_goes_on(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4, 9):
        assert factories.registered(f"a-{number}", "alpha.1")
    held.simulator.requests.clear()
    held.simulator.faults.add(Fault(status=429, retry_after=None, face="hub", skip=2, times=99))
    ran = disable_quickly(held, monkeypatch, AT_ONCE)
    assert (ran.code, "AZURE-THROTTLED" in ran.err) == (4, True)
    assert len(at_hub(held)) == 2 + MOST_SILENCES
    assert f"{HUB}: 1 disabled, 7 NOT DISABLED." in ran.err
    assert "a-2, a-3, a-4, a-5, a-6, a-7, a-8." in ran.err
    held.simulator.faults.clear()
    assert disable(held).code == 0
    assert not any(states(held)[f"a-{number}"] for number in range(1, 9))
    assert sum(kind == "device-disabled" for kind, _, _ in told(held)) == 8


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=404), Fault(status=400), Fault(drop="before")])
def test_one_that_can_not_be_read_does_not_stop_the_others(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    fault.face, fault.part, fault.times = "hub", "a-1", 9
    held.simulator.faults.add(fault)
    ran = disable_quickly(held, monkeypatch, AT_ONCE)
    assert (ran.code, f"{HUB}: 2 disabled, 1 NOT DISABLED." in ran.err, f"NOT disabled at {HUB}: a-1." in ran.err) == (4, True, True)
    assert [line.split()[4] for line in ran.out.splitlines()] == ["NOT-DISABLED", "disabled", "disabled"]
    assert "The group alpha.1 IS disabled." in ran.err
    held.simulator.faults.clear()
    assert disable(held).code == 0
    assert states(held) == CUT_OFF


def test_a_device_that_the_hub_has_no_more_is_told_and_is_no_failure(held: HeldService, factories: Factories) -> None:
    del held.state.devices[HUB, "a-2"]
    ran = disable(held)
    assert (ran.code, f"{HUB}: 2 disabled, 1 no longer there." in ran.err) == (0, True)
    assert [line.split()[4] for line in ran.out.splitlines()] == ["disabled", "gone", "disabled"]


def test_a_device_that_is_deleted_before_it_is_written_is_gone(held: HeldService, factories: Factories) -> None:
    def other_operator() -> None:
        made = held.simulator.requests[-1]
        if made.request.path.endswith("a-1"):
            held.state.devices.pop((HUB, "a-1"), None)

    held.simulator.log.after_each = other_operator
    assert disable(held).code == 0
    held.simulator.log.after_each = None
    assert [line.data["name"] for line in held.receipts()] == ["alpha.1", "a-2", "a-3"]


def test_a_missing_role_is_named_after_one_call_and_the_group_is_disabled(held: HeldService, factories: Factories) -> None:
    held.simulator.faults.add(Fault(status=403, face="hub", times=9))
    ran = disable(held)
    assert (ran.code, "AZURE-ROLE-MISSING" in ran.err, "'IoT Hub Registry Contributor'" in ran.err) == (4, True, True)
    assert "is not authorized for GET on /devices/a-1" in ran.err
    assert (enabled(held), len(at_hub(held))) == (False, 1)
    assert f"{HUB}: 3 NOT DISABLED." in ran.err and f"NOT disabled at {HUB}: a-1, a-2, a-3." in ran.err


def test_a_token_that_the_hub_does_not_take(held: HeldService, factories: Factories) -> None:
    held.simulator.faults.add(Fault(status=401, face="hub", times=9))
    ran = disable(held)
    assert (ran.code, "AZURE-AUTHENTICATION" in ran.err, len(at_hub(held))) == (4, True, 1)


def test_the_hubs_own_tracking_id_is_told(held: HeldService, factories: Factories) -> None:
    held.simulator.faults.add(Fault(status=400, face="hub"))
    ran = disable(held)
    answer = at_hub(held)[0].answer
    tracking = answer["ExceptionMessage"].split("-G:")[0].removeprefix("Tracking ID:")
    assert (len(tracking), f"Error BadRequest, tracking id {tracking}." in ran.err) == (32, True)


def test_an_unknown_hub_is_told_after_the_group_is_disabled_with_those_that_there_are(held: HeldService, factories: Factories) -> None:
    ran = disable(held, hubs=("hub.example",))
    assert (ran.code, "ONLINE-HUB-UNKNOWN" in ran.err) == (2, True)
    assert f"is at hub.example. There are devices of it at: {HUB}." in ran.err
    assert f"{HUB}: 3 not touched; --hub {HUB} disables them too." in ran.err
    assert (enabled(held), at_hub(held), len(ran.out.splitlines())) == (False, [], 3)


def test_an_unknown_hub_does_not_stop_one_that_there_is_and_one_named_twice_is_one(held: HeldService, factories: Factories) -> None:
    ran = disable(held, hubs=("hub.example", HUB, HUB))
    assert (ran.code, "ONLINE-HUB-UNKNOWN" in ran.err) == (2, True)
    assert (states(held), len(at_hub(held))) == (CUT_OFF, 6)


def test_a_group_that_let_nobody_in_has_no_hub(held: HeldService) -> None:
    held.settled()
    ran = disable(held)
    assert (ran.code, "There are devices of it at: none." in ran.err, enabled(held)) == (2, True, False)


def test_each_hub_that_is_named_is_taken_and_no_other(held: HeldService, factories: Factories) -> None:
    held.state.registrations["a-1"].assigned_hub = "HUB.Example"
    held.state.registrations["a-2"].assigned_hub = OTHER_HUB
    ran = disable(held)
    assert (ran.code, states(held)) == (0, {"a-1": True, "a-2": True, "a-3": False, "b-1": True})
    assert f"{OTHER_HUB}: 1 not touched" in ran.err and "hub.example: 1 not touched" in ran.err
    assert [line.split()[4:] for line in ran.out.splitlines()] == [[], [], ["disabled"]]


def test_the_simulators_port_for_hubs_must_be_said(held: HeldService, factories: Factories) -> None:
    held.toml.write_text(held.toml.read_text().replace("hub_port", "# hub_port"))
    ran = disable(held)
    assert (ran.code, "simulator.hub_port" in ran.err, enabled(held)) == (2, True, False)


def spoil(path: Path) -> None:
    path.write_bytes(b"{}\n")


def forbid(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(("damage", "code"), [(spoil, "RECEIPTS-BROKEN"), (forbid, "RECEIPTS-UNWRITABLE")])
def test_receipts_that_fail_keep_no_device_connected(
    held: HeldService, factories: Factories, damage: Callable[[Path], None], code: str
) -> None:
    damage(held.folder / "receipts.jsonl")
    ran = disable(held)
    assert (ran.code != 0, code in ran.err, states(held)) == (True, True, CUT_OFF)
    assert len(ran.out.splitlines()) == 3
    ran = held.run("disable", "alpha.1", "--hub", HUB, "--receipts", held.folder / "again.jsonl")
    assert (ran.code, (held.folder / "again.jsonl").read_bytes().count(b'"how":"found"')) == (0, 4)


def test_a_full_disk_on_the_way_stops_no_device_and_both_troubles_are_told(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ceremony.online.receipts import Receipts

    whole, calls = Receipts.append, list[str]()

    def full_disk(self: Receipts, kind: Any, time: str, data: dict[str, Any]) -> Any:
        calls.append(kind)
        if len(calls) == 3:
            raise CeremonyError("RECEIPTS-UNWRITABLE", "No space left on device.")
        return whole(self, kind, time, data)

    monkeypatch.setattr(Receipts, "append", full_disk)
    held.simulator.faults.add(Fault(status=400, face="hub", part="a-3"))
    ran = disable(held)
    assert (ran.code, ran.err.count("Code: ")) == (4, 2)
    assert ran.err.index("RECEIPTS-UNWRITABLE") < ran.err.index("AZURE-REFUSED")
    assert (states(held), len(told(held))) == (CUT_OFF | {"a-3": True}, 2)
    assert disable(held).code == 0
    assert [entry for entry in told(held) if entry[0] == "device-disabled"] == [
        ("device-disabled", "a-1", "done"), ("device-disabled", "a-2", "found"), ("device-disabled", "a-3", "done"),
    ]  # fmt: skip


def test_registrations_without_device_or_hub_are_listed_and_left(held: HeldService, factories: Factories) -> None:
    held.state.registrations["a-1"].device_id = ""
    held.state.registrations["a-2"].assigned_hub = ""
    ran = disable(held)
    assert (ran.code, f"{HUB}: 1 disabled." in ran.err) == (0, True)
