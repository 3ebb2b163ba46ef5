"""`ceremony online disable`: the lever works without bundle, whatever else is broken, and cuts off no device that is in."""

import json

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.disable import disable_group
from ceremony.online.receipts import NO_BUNDLE, read_receipts
from ceremony.simulator import groups
from ceremony.simulator.faults import Drop, Fault
from tests.online.disabling import enabled
from tests.online.factory_service import Factories
from tests.online.held_service import AT_ONCE, QUICK, ROOT_NAME, HeldService, Ran
from tests.simulator.api_description import problems_with


def disable(held: HeldService, name: str = "alpha.1", *more: str) -> Ran:
    return held.run("disable", name, "--receipts", held.folder / "receipts.jsonl", *more)


def test_new_devices_are_refused_others_come_in_and_those_that_are_in_still_connect(held: HeldService) -> None:
    factories = Factories(held)
    assert factories.registered("old-1", "alpha.1")
    old = factories.leaf
    ran = disable(held)
    assert ran.code == 0, ran.err
    assert not factories.registered("new-1", "alpha.1")
    assert factories.registered("new-2", "beta.1")
    assert factories.connects("old-1", old, "alpha.1")
    assert ran.out.split()[:3] == ["old-1", held.state.hubs[0], "old-1"]
    assert len(ran.out.splitlines()) == 1
    assert "keep working" in ran.err and "Do not delete the group" in ran.err
    assert max(map(len, [line for line in ran.err.splitlines() if "Receipt" not in line])) <= 80
    assert problems_with(held.simulator.requests, refused_too=False) == []


def test_a_deleted_group_would_let_them_in_through_a_group_above_and_a_disabled_one_does_not(held: HeldService) -> None:
    factories = Factories(held)
    attestation = {"type": "x509", "x509": {"caReferences": {"primary": ROOT_NAME}}}
    groups.put(held.state, "open-door", {"enrollmentGroupId": "open-door", "attestation": attestation}, None)
    assert disable(held).code == 0
    assert not factories.registered("new-1", "alpha.1")
    groups.delete(held.state, "alpha.1", "*")
    assert factories.registered("new-2", "alpha.1")


def test_it_needs_neither_bundle_nor_receipts_and_leaves_a_receipt(held: HeldService) -> None:
    Factories(held)
    group = held.state.groups["alpha.1"]
    before = groups.shown(held.state, group)
    assert json.loads(disable(held, "alpha.1", "--json").out) == {
        "format": 1, "group": "alpha.1", "how": "done", "registrations": [], "hubs": [],
    }  # fmt: skip
    (receipt,) = held.receipts()
    assert (receipt.kind, receipt.prev, receipt.data["bundle"], receipt.data["how"]) == ("group-disabled", NO_BUNDLE, None, "done")
    assert receipt.data["request_id"] and receipt.data["etag_before"] != receipt.data["etag_after"]
    after = groups.shown(held.state, held.state.groups["alpha.1"])
    changed = {key for key in after if after[key] != before[key]}
    assert (changed, after["provisioningStatus"]) == ({"provisioningStatus", "etag", "lastUpdatedDateTimeUtc"}, "disabled")


def test_it_goes_on_with_the_receipts_of_a_bundle(held: HeldService) -> None:
    held.settled()
    assert disable(held).code == 0
    assert [line.kind for line in held.receipts()][-2:] == ["group-made", "group-disabled"]
    assert held.receipts()[0].prev == held.fingerprint_1


def test_a_second_run_finds_it_disabled(held: HeldService) -> None:
    held.settled()
    disable(held)
    held.simulator.requests.clear()
    ran = disable(held)
    assert (ran.code, "found so" in ran.err) == (0, True)
    assert all(made.request.method != "PUT" for made in held.simulator.requests)
    assert held.receipts()[-1].data["how"] == "found"


def test_an_unknown_group_is_told_with_those_that_there_are(held: HeldService) -> None:
    held.settled()
    ran = disable(held, "alpha.2")
    assert (ran.code, "AZURE-NOT-FOUND" in ran.err, "alpha.1, beta.1" in ran.err) == (4, True, True)


@pytest.mark.parametrize("damage", ["broken", "unwritable", "of another root"])
def test_receipts_that_fail_do_not_keep_it_from_happening(held: HeldService, damage: str) -> None:
    held.settled()
    path = held.folder / "receipts.jsonl"
    if damage == "broken":
        path.write_bytes(b"{}\n")
    elif damage == "unwritable":
        path.unlink()
        path.mkdir()
    else:
        octets = path.read_bytes().replace(held.fingerprint_1.encode(), b"f" * 64, 1)
        path.write_bytes(octets.splitlines(keepends=True)[0])
    ran = disable(held)
    assert not enabled(held)
    assert (ran.code == 0) == (damage == "of another root")
    assert ran.code == 0 or "The group alpha.1 IS disabled." in ran.err


@pytest.mark.parametrize("drop", ["before", "after"])
def test_cut_at_each_request_it_ends_disabled_at_the_latest_by_the_next_run(held: HeldService, drop: Drop) -> None:
    held.settled()
    held.simulator.requests.clear()
    with held.connected(AT_ONCE) as service:
        disable_group(service, "alpha.1")
    count = len(held.simulator.requests)
    assert count >= 3
    for nth in range(1, count + 1):
        held.state.groups["alpha.1"].record["provisioningStatus"] = "enabled"
        held.simulator.faults.cut(nth, drop)
        try:
            with held.connected(AT_ONCE) as service:
                disable_group(service, "alpha.1")
        except CeremonyError as cut:
            assert cut.code == "AZURE-UNREACHABLE"
            with held.connected(QUICK) as service:
                disable_group(service, "alpha.1")
        assert not enabled(held)


def test_somebody_who_changes_the_group_meanwhile_does_not_stop_it(held: HeldService) -> None:
    held.settled()
    held.simulator.faults.add(Fault(status=412, method="PUT", part="enrollmentGroups", times=3))
    assert disable(held).code == 0
    assert not enabled(held)


def test_somebody_who_changes_it_again_and_again_is_told(held: HeldService) -> None:
    held.settled()
    held.simulator.faults.add(Fault(status=412, method="PUT", part="enrollmentGroups", times=50))
    ran = disable(held)
    assert (ran.code, "AZURE-CONFLICT" in ran.err, "It is ENABLED" in ran.err) == (4, True, True)
    assert enabled(held)


def test_a_missing_role_is_told_and_that_it_is_enabled_still(held: HeldService) -> None:
    held.settled()
    held.simulator.faults.add(Fault(status=403, method="PUT", part="enrollmentGroups"))
    ran = disable(held)
    assert (ran.code, "AZURE-ROLE-MISSING" in ran.err, "was ENABLED" in ran.err) == (4, True, True)


def test_registrations_that_can_not_be_read_do_not_hide_that_it_is_disabled(held: HeldService) -> None:
    held.settled()
    held.simulator.faults.add(Fault(status=403, method="POST", part="registrations"))
    ran = disable(held)
    assert (ran.code, "The group alpha.1 IS disabled." in ran.err) == (4, True)
    assert held.receipts()[-1].kind == "group-disabled"


def test_all_of_many_registrations_are_listed(held: HeldService) -> None:
    factories = Factories(held)
    assert factories.registered("d-0", "alpha.1")
    known = held.state.registrations["d-0"]
    from dataclasses import replace

    for number in range(1, 250):
        held.state.registrations[f"d-{number}"] = replace(known, registration_id=f"d-{number}", device_id=f"d-{number}")
    assert len(disable(held).out.splitlines()) == 250


def test_a_service_that_shows_no_certificates(held: HeldService) -> None:
    held.settled()
    held.state.shows_certificates = False
    certificates = held.state.groups["alpha.1"].signing_certificates
    assert disable(held).code == 0
    assert (enabled(held), held.state.groups["alpha.1"].signing_certificates) == (False, certificates)
    assert read_receipts((held.folder / "receipts.jsonl").read_bytes())[1] == 0
