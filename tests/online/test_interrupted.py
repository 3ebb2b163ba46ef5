"""The connection cut at each request in turn: `apply` again ends in the same state, no duplicate, receipts complete."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.answered import Patience
from ceremony.online.config import GroupDefaults
from ceremony.online.plan import Plan, make_plan
from ceremony.online.receipts import Receipts
from ceremony.simulator import groups
from ceremony.simulator.faults import Drop, Fault
from tests.online.held_service import AT_ONCE, QUICK, ROOT_NAME, HeldService

WANTED = [("certificate-verified", ROOT_NAME), ("group-made", "alpha.1"), ("group-made", "beta.1")]


class Snapshot:
    """The service and the receipts before an apply, to begin again from."""

    def __init__(self, held: HeldService) -> None:
        self.held = held
        self.kept: dict[str, Any] = {name: copy.deepcopy(getattr(held.state, name)) for name in ("certificates", "groups")}
        self.receipts = (held.folder / "receipts.jsonl").read_bytes()

    def restore(self) -> None:
        for name, value in self.kept.items():
            setattr(self.held.state, name, copy.deepcopy(value))
        (self.held.folder / "receipts.jsonl").write_bytes(self.receipts)
        self.held.simulator.requests.clear()


def apply(held: HeldService, plan: Plan, patience: Patience) -> None:
    with held.connected(patience) as service:
        held.apply(service, plan)


def requests_of_a_whole_apply(held: HeldService, plan: Plan, before: Snapshot) -> tuple[int, dict[str, Any]]:
    held.simulator.requests.clear()
    apply(held, plan, AT_ONCE)
    count, end = len(held.simulator.requests), held.end_state()
    before.restore()
    return count, end


@pytest.mark.parametrize("drop", ["before", "after"])
def test_cut_at_each_request_then_again(held: HeldService, drop: Drop) -> None:
    held.proved()
    with held.connected() as service:
        plan = held.plan_2(service)
    before = Snapshot(held)
    count, end = requests_of_a_whole_apply(held, plan, before)
    assert count > 10
    for nth in range(1, count + 1):
        before.restore()
        held.simulator.faults.cut(nth, drop)
        with pytest.raises(CeremonyError) as cut:
            apply(held, plan, AT_ONCE)
        assert (cut.value.code, int(cut.value.exit_code)) == ("AZURE-UNREACHABLE", 4)
        apply(held, plan, AT_ONCE)
        assert held.end_state() == end, f"cut {drop} request {nth}"
        assert [(line.kind, line.data["name"]) for line in held.receipts()[1:]] == WANTED, f"cut {drop} request {nth}"
        taken = [made.request.path for made in held.simulator.requests if made.request.method == "PUT" and made.dropped != "before"]
        assert len(taken) == 2, f"cut {drop} request {nth}: a group was written twice, or not at all"
        length = len(held.receipts())
        apply(held, plan, AT_ONCE)
        assert len(held.receipts()) == length


def test_cut_at_each_request_of_the_upload_then_again(held: HeldService) -> None:
    for drop in ("before", "after"):
        for nth in range(1, 7):
            held.state.certificates.clear()
            (held.folder / "receipts.jsonl").unlink(missing_ok=True)
            with held.connected() as service:
                plan = make_plan(held.verified_1(), service.config, service.observe())
            held.simulator.faults.add(Fault(drop="before" if drop == "before" else "after", skip=nth - 1))
            with pytest.raises(CeremonyError), held.connected(AT_ONCE) as service:
                held.apply(service, plan, held.verified_1())
            with held.connected(AT_ONCE) as service:
                held.apply(service, plan, held.verified_1())
            assert [line.kind for line in held.receipts()] == ["certificate-uploaded"], f"cut {drop} request {nth}"
            assert list(held.state.certificates) == [ROOT_NAME]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_with_retries_one_run_comes_through_each_cut(held: HeldService, drop: Drop) -> None:
    held.proved()
    with held.connected() as service:
        plan = held.plan_2(service)
    before = Snapshot(held)
    count, end = requests_of_a_whole_apply(held, plan, before)
    for nth in range(1, count + 1):
        before.restore()
        held.simulator.faults.cut(nth, drop)
        apply(held, plan, QUICK)
        assert held.end_state() == end, f"cut {drop} request {nth}"
        assert [(line.kind, line.data["name"]) for line in held.receipts()[1:]] == WANTED, f"cut {drop} request {nth}"


def test_write_whose_answer_was_lost_is_told_as_found(held: HeldService) -> None:
    held.proved()
    with held.connected() as service:
        plan = held.plan_2(service)
        held.simulator.faults.add(Fault(drop="after", method="PUT", part="alpha.1"))
        held.apply(service, plan)
    hows = {line.data["name"]: line.data["how"] for line in held.receipts()}
    assert (hows["alpha.1"], hows["beta.1"]) == ("found", "done")


def test_receipt_that_could_not_be_written_is_written_by_the_next_run(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    held.proved()
    with held.connected() as service:
        plan = held.plan_2(service)
    whole = Receipts.append
    calls: list[str] = []

    def full_disk(self: Receipts, kind: Any, time: str, data: dict[str, Any]) -> Any:
        calls.append(kind)
        if len(calls) == 2:
            raise CeremonyError("RECEIPTS-UNWRITABLE", "No space left on device.")
        return whole(self, kind, time, data)

    monkeypatch.setattr(Receipts, "append", full_disk)
    with pytest.raises(CeremonyError) as full:
        apply(held, plan, QUICK)
    assert full.value.state.startswith("1 of 3 changes are done and have receipts; alpha.1 may be half-way")
    apply(held, plan, QUICK)
    assert [(line.kind, line.data["name"], line.data["how"]) for line in held.receipts()[1:]] == [
        ("certificate-verified", ROOT_NAME, "done"), ("group-made", "alpha.1", "found"), ("group-made", "beta.1", "done"),
    ]  # fmt: skip


def test_two_operators_with_one_plan_end_in_one_state(held: HeldService) -> None:
    """The second one comes between the first one's GET and its PUT."""
    held.proved()
    with held.connected() as service:
        plan = held.plan_2(service)

        def other_operator() -> None:
            made = held.simulator.requests[-1].request
            if made.method == "GET" and made.path.endswith("alpha.1") and "alpha.1" not in held.state.groups:
                record = {"provisioningStatus": "enabled", **plan.actions[1].settings, "enrollmentGroupId": "alpha.1"}
                pem = held.verified_2().intermediates["alpha.1"].pem.decode()
                record["attestation"] = {"type": "x509", "x509": {"signingCertificates": {"primary": {"certificate": pem}}}}
                with held.state.lock:
                    groups.put(held.state, "alpha.1", record, None)

        held.simulator.log.after_each = other_operator
        held.apply(service, plan)
    assert [line.data["how"] for line in held.receipts()] == ["done", "done", "found", "done"]


def test_other_operator_who_wants_something_else_stops_the_apply(held: HeldService) -> None:
    held.settled()
    group = held.state.groups["alpha.1"]
    by_hand = groups.shown(held.state, group) | {"allocationPolicy": "geoLatency"}
    groups.put(held.state, "alpha.1", by_hand, groups.quoted(group.etag))
    with held.connected() as service:
        plan = held.plan_2(service)

        def other_operator() -> None:
            made = held.simulator.requests[-1].request
            with held.state.lock:
                there = held.state.groups["alpha.1"]
                if made.method == "GET" and made.path.endswith("alpha.1") and there.record["capabilities"] == {"iotEdge": False}:
                    changed = groups.shown(held.state, there) | {"capabilities": {"iotEdge": True}}
                    groups.put(held.state, "alpha.1", changed, groups.quoted(there.etag))

        held.simulator.log.after_each = other_operator
        with pytest.raises(CeremonyError) as stopped:
            held.apply(service, plan)
    assert stopped.value.code == "AZURE-CONFLICT"
    assert held.state.groups["alpha.1"].record["allocationPolicy"] == "geoLatency"


def test_an_emergency_meanwhile_is_not_undone(held: HeldService) -> None:
    """A group is disabled by somebody between our GET and our PUT of a change to it."""
    held.settled()
    group = held.state.groups["alpha.1"]
    groups.put(held.state, "alpha.1", groups.shown(held.state, group) | {"allocationPolicy": "geoLatency"}, groups.quoted(group.etag))
    with held.connected() as service:
        plan = held.plan_2(service)
        assert [action.name for action in plan.changes] == ["alpha.1"]

        def emergency() -> None:
            made = held.simulator.requests[-1].request
            there = held.state.groups["alpha.1"]
            if made.method == "GET" and made.path.endswith("alpha.1") and there.is_enabled:
                with held.state.lock:
                    body = groups.shown(held.state, there) | {"provisioningStatus": "disabled"}
                    groups.put(held.state, "alpha.1", body, groups.quoted(there.etag))

        held.simulator.log.after_each = emergency
        with pytest.raises(CeremonyError) as stopped:
            held.apply(service, plan)
    assert stopped.value.code == "AZURE-CONFLICT"
    assert not held.state.groups["alpha.1"].is_enabled


@pytest.mark.parametrize(("method", "part"), [("POST", "/enrollmentGroups/query"), ("PUT", "/enrollmentGroups/alpha.1")])
def test_an_emergency_before_our_look_or_after_our_write_stands_and_stops_us(held: HeldService, method: str, part: str) -> None:
    """Not the service's refusal stops us here: before it is the etag that the plan was made from, after it what is read again."""
    held.settled()
    group = held.state.groups["alpha.1"]
    groups.put(held.state, "alpha.1", groups.shown(held.state, group) | {"allocationPolicy": "geoLatency"}, groups.quoted(group.etag))
    with held.connected() as service:
        plan, told = held.plan_2(service), len(held.receipts())

        def emergency() -> None:
            made, there = held.simulator.requests[-1].request, held.state.groups["alpha.1"]
            if (made.method, made.path) == (method, part) and there.is_enabled:
                with held.state.lock:
                    body = groups.shown(held.state, there) | {"provisioningStatus": "disabled"}
                    groups.put(held.state, "alpha.1", body, groups.quoted(there.etag))

        held.simulator.log.after_each = emergency
        with pytest.raises(CeremonyError) as stopped:
            held.apply(service, plan)
    assert stopped.value.code == "AZURE-CONFLICT"
    assert (held.state.groups["alpha.1"].is_enabled, len(held.receipts())) == (False, told)


def test_long_texts_of_the_service_do_not_break_the_receipts(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    held.settled()
    group = held.state.groups["alpha.1"]
    twin = {"tags": {"x": "y" * 70_000}, "properties": {"desired": {}}}
    groups.put(held.state, "alpha.1", groups.shown(held.state, group) | {"initialTwin": twin}, groups.quoted(group.etag))
    monkeypatch.setattr("ceremony.simulator.http_server.uuid", SimpleNamespace(uuid4=lambda: "i" * 60_000))
    with held.connected(groups=GroupDefaults(initial_twin={"tags": {"x": "z" * 70_000}, "properties": {"desired": {}}})) as service:
        held.apply(service, held.plan_2(service))
    assert [line.data["name"] for line in held.receipts()[-2:]] == ["alpha.1", "beta.1"]
