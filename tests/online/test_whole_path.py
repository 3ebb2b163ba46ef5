"""From a verified bundle to a service that lets devices in, by the commands as a person gives them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ceremony.canonical import canonical_json
from ceremony.online.config import GroupDefaults
from ceremony.online.plan import make_plan
from ceremony.simulator import groups
from tests.online.held_service import ROOT_NAME, HeldService
from tests.simulator.api_description import problems_with


def plan_2(held: HeldService, *more: str) -> tuple[int, str]:
    ran = held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2, "--detailed-exitcode", *more)
    return ran.code, ran.out


def signs(out: str) -> list[str]:
    return [line[0] for line in out.splitlines() if line[:2] in ("+ ", "~ ", "= ", "- ")]


def test_whole_path_then_nothing_to_do(held: HeldService) -> None:
    first, second = held.folder / "plan-1", held.folder / "plan-2"
    planned = held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", first, "--detailed-exitcode")
    assert (planned.code, signs(planned.out)) == (5, ["+"])
    assert "1 to add (+), 0 to change (~)" in planned.out
    assert held.state.certificates == {}
    assert held.run("apply", first).code == 0
    assert not held.state.certificates[ROOT_NAME].is_verified
    held.second_session()
    planned = held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2, "-o", second)
    assert (planned.code, signs(planned.out)) == (0, ["~", "+", "+"])
    applied = held.run("apply", second)
    assert applied.code == 0
    assert [line for line in applied.err.splitlines() if line.startswith("[")] == [
        "[1/3] ~ verify example-root-g1", "[2/3] + group alpha.1", "[3/3] + group beta.1",
    ]  # fmt: skip
    assert held.state.certificates[ROOT_NAME].is_verified
    assert sorted(held.state.groups) == ["alpha.1", "beta.1"]
    code, out = plan_2(held)
    assert (code, signs(out)) == (0, ["=", "=", "="])
    assert "Nothing to do: 3 as they are." in out
    kinds = [(line.kind, line.data["how"], line.data["name"]) for line in held.receipts()]
    assert kinds == [
        ("certificate-uploaded", "done", ROOT_NAME), ("certificate-verified", "done", ROOT_NAME),
        ("group-made", "done", "alpha.1"), ("group-made", "done", "beta.1"),
    ]  # fmt: skip
    assert held.receipts()[0].prev == held.fingerprint_1
    assert all(line.data["request_id"] and line.data["etag_after"] for line in held.receipts())
    assert problems_with(held.simulator.requests) == []


def test_second_apply_of_the_same_plan_writes_nothing(held: HeldService) -> None:
    plan = held.folder / "plan-1"
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan)
    held.run("apply", plan)
    receipts = (held.folder / "receipts.jsonl").read_bytes()
    held.simulator.requests.clear()
    again = held.run("apply", plan)
    assert (again.code, again.out) == (0, "Nothing to do.\n")
    assert {made.request.method for made in held.simulator.requests} <= {"GET", "POST"}
    assert all(made.request.method == "GET" or made.request.path.endswith("/query") for made in held.simulator.requests)
    assert (held.folder / "receipts.jsonl").read_bytes() == receipts


def test_drift_by_hand_is_exactly_one_change_and_is_put_right(held: HeldService) -> None:
    held.settled()
    before = held.end_state()
    group = held.state.groups["alpha.1"]
    body = groups.shown(held.state, group) | {"reprovisionPolicy": {"updateHubAssignment": False, "migrateDeviceData": True}}
    groups.put(held.state, "alpha.1", body, groups.quoted(group.etag))
    code, out = plan_2(held)
    assert (code, signs(out)) == (5, ["=", "~", "="])
    assert "updateHubAssignment no" in " ".join(out.split())
    assert "0 to add (+), 1 to change (~), 2 as they are (=)" in out
    plan_2(held, "-o", str(held.folder / "plan-3"))
    assert held.run("apply", held.folder / "plan-3").code == 0
    assert held.end_state() == before
    assert held.receipts()[-1].kind == "group-changed"
    assert "updateHubAssignment no" in held.receipts()[-1].data["changes"][0]
    assert plan_2(held)[0] == 0


def test_disabled_group_stays_disabled_unless_named(held: HeldService) -> None:
    held.settled()
    group = held.state.groups["alpha.1"]
    groups.put(held.state, "alpha.1", groups.shown(held.state, group) | {"provisioningStatus": "disabled"}, groups.quoted(group.etag))
    code, out = plan_2(held)
    assert (code, signs(out)) == (0, ["=", "=", "="])
    assert "DISABLED: stays so" in " ".join(out.split())
    code, out = plan_2(held, "--enable", "alpha.1", "-o", str(held.folder / "plan-3"))
    assert (code, signs(out)) == (5, ["=", "~", "="])
    assert "status: disabled -> enabled" in out
    assert held.run("apply", held.folder / "plan-3").code == 0
    assert held.state.groups["alpha.1"].record["provisioningStatus"] == "enabled"


def test_what_online_toml_does_not_name_is_left_alone(held: HeldService) -> None:
    held.settled()
    group = held.state.groups["alpha.1"]
    by_hand = {"initialTwin": {"tags": {"site": "north"}, "properties": {"desired": {"every": 1.5}}}, "iotHubs": ["127.0.0.2"]}
    groups.put(held.state, "alpha.1", groups.shown(held.state, group) | by_hand, groups.quoted(group.etag))
    assert plan_2(held)[0] == 0
    held.settings("allocation = 'geoLatency'\niot_edge = true")
    code, out = plan_2(held, "-o", str(held.folder / "plan-3"))
    assert (code, signs(out)) == (5, ["=", "~", "~"])
    assert held.run("apply", held.folder / "plan-3").code == 0
    record = held.state.groups["alpha.1"].record
    assert (record["allocationPolicy"], record["capabilities"], record["iotHubs"]) == ("geoLatency", {"iotEdge": True}, ["127.0.0.2"])
    assert record["initialTwin"]["properties"]["desired"] == {"every": 1.5}


def test_custom_allocation_that_was_set_by_hand_is_left_alone_when_told_so(held: HeldService) -> None:
    held.settled()
    group = held.state.groups["alpha.1"]
    webhook = {"webhookUrl": "https://allocator.example/api?code=KEYkeyKEY", "apiVersion": "2021-10-01"}
    by_hand = {"allocationPolicy": "custom", "customAllocationDefinition": webhook}
    groups.put(held.state, "alpha.1", groups.shown(held.state, group) | by_hand, groups.quoted(group.etag))
    code, out = plan_2(held)
    assert (code, "allocationPolicy: custom -> hashed" in out) == (5, True)
    held.settings('allocation = "by-hand"\niot_edge = true')
    code, out = plan_2(held, "-o", str(held.folder / "plan-3"))
    assert (code, "allocationPolicy" in out) == (5, False)
    assert held.run("apply", held.folder / "plan-3").code == 0
    record = held.state.groups["alpha.1"].record
    assert record["capabilities"] == {"iotEdge": True}
    assert (record["allocationPolicy"], record["customAllocationDefinition"]) == ("custom", webhook)
    files = held.folder / "plan-3", held.folder / "receipts.jsonl"
    told = [out, held.run("status", "--json", "--receipts", files[1]).out, *(path.read_text() for path in files)]
    assert not any("KEYkeyKEY" in text for text in told)


def test_settings_of_online_toml_reach_each_group(held: HeldService) -> None:
    held.settings(
        'update_hub_assignment = false\nmigrate_device_data = false\nallocation = "static"\nhubs = ["127.0.0.2"]\niot_edge = true\n'
        '[groups.initial_twin]\ntags = { site = "north" }\ndesired = { every = 60 }'
    )
    held.proved()
    plan_2(held, "-o", str(held.folder / "plan-2"))
    assert held.run("apply", held.folder / "plan-2").code == 0
    record = held.state.groups["beta.1"].record
    assert record["reprovisionPolicy"] == {"updateHubAssignment": False, "migrateDeviceData": False}
    assert (record["allocationPolicy"], record["iotHubs"], record["capabilities"]) == ("static", ["127.0.0.2"], {"iotEdge": True})
    assert record["initialTwin"] == {"tags": {"site": "north"}, "properties": {"desired": {"every": 60}}}
    assert plan_2(held)[0] == 0


def test_roll_over_puts_the_new_intermediate_second(held: HeldService) -> None:
    held.proved()
    rolling = GroupDefaults(secondaries={"alpha.1": "beta.1"})
    with held.connected(groups=rolling) as service:
        plan = held.plan_2(service)
        assert [(action.sign, action.name) for action in plan.actions] == [("~", ROOT_NAME), ("+", "alpha.1")]
        held.apply(service, plan)
        assert len(held.state.groups["alpha.1"].signing_certificates) == 2
        assert held.plan_2(service).changes == []


def test_roll_over_of_a_group_that_is_there_is_one_change(held: HeldService) -> None:
    held.settled()
    groups.delete(held.state, "beta.1", None)
    with held.connected(groups=GroupDefaults(secondaries={"alpha.1": "beta.1"})) as service:
        plan = held.plan_2(service)
        assert [(action.sign, action.name) for action in plan.changes] == [("~", "alpha.1")]
        held.apply(service, plan)
        assert held.plan_2(service).changes == []
    with held.connected() as service:
        # Settings that no longer name the second certificate do not take it away; beta.1 in a group of its own is refused.
        assert len(held.state.groups["alpha.1"].signing_certificates) == 2


def test_service_that_shows_no_certificates_is_compared_by_their_digests(held: HeldService) -> None:
    held.state.shows_certificates = False
    held.settled()
    assert plan_2(held)[0] == 0


def test_self_attestation_only_by_name_and_the_receipt_says_so(held: HeldService) -> None:
    held.upload()
    held.second_session()
    plan = held.folder / "plan-2"
    code, out = plan_2(held, "--self-attest", ROOT_NAME, "-o", str(plan))
    assert code == 5
    assert "SELF-ATTESTED" in out
    assert held.run("apply", plan).code == 0
    assert held.state.certificates[ROOT_NAME].is_verified
    assert [line.data["self_attested"] for line in held.receipts()] == [False, True, False, False]
    assert held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2, "--self-attest", "another").code == 2


def test_without_the_flag_no_request_ever_says_is_verified(held: HeldService) -> None:
    held.settled()
    assert all(b"isVerified" not in made.request.body for made in held.simulator.requests)


def test_no_group_ever_refers_to_the_root(held: HeldService) -> None:
    held.settled()
    assert all(b"caReferences" not in made.request.body for made in held.simulator.requests)
    assert all(group.ca_references == () for group in held.state.groups.values())


def test_group_that_refers_to_the_root_is_called_a_danger(held: HeldService) -> None:
    held.settled()
    attestation = {"type": "x509", "x509": {"caReferences": {"primary": ROOT_NAME}}}
    groups.put(held.state, "open-door", {"enrollmentGroupId": "open-door", "attestation": attestation}, None)
    assert f"! DANGER: the group open-door refers to the CA certificate {ROOT_NAME} itself" in " ".join(plan_2(held)[1].split())


def test_screen_has_80_columns_and_json_is_canonical(held: HeldService) -> None:
    held.proved()
    code, out = plan_2(held)
    assert code == 5
    assert max(map(len, out.splitlines())) <= 80
    code, out = plan_2(held, "--json")
    value = json.loads(out)
    assert canonical_json(value) + b"\n" == out.encode()
    assert (value["format"], value["changes_pending"], len(value["actions"])) == (1, True, 3)
    assert value["bundle"]["fingerprint"] == held.fingerprint_2


def test_expired_intermediate_gets_no_group(held: HeldService) -> None:
    held.proved()
    with held.connected() as service:
        world = service.observe()
        later = replace(world, time=world.time.replace(year=2032))
        held.state.certificates[ROOT_NAME].is_verified = True
        settled = replace(later, certificates=tuple(service.control.certificates()))
        plan = make_plan(held.verified_2(), service.config, settled)
    assert [action.kind for action in plan.actions] == ["upload"]
    assert "alpha.1 has expired: no group is made or changed for it." in plan.notes


WITHOUT_AZURE = "import sys; sys.modules['azure'] = None; from ceremony.cli import main; sys.exit(main(sys.argv[1:]))"


def test_machine_without_the_packages_is_told_so(held: HeldService) -> None:
    plan = held.folder / "plan-1"
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan)
    for arguments in (["plan", held.bundle_1, "--fingerprint", held.fingerprint_1], ["apply", plan]):
        command = [sys.executable, "-c", WITHOUT_AZURE, "online", *map(str, arguments), "--config", str(held.toml)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
        assert (ended.returncode, "Code: ONLINE-PACKAGES" in ended.stderr) == (2, True), ended.stderr
