"""100 groups at 50 ms a call and bursts of 429: nothing lost; the time beside calls x latency."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.answered import Patience
from ceremony.online.pipeline import BoundedTransport
from ceremony.simulator.faults import Fault
from tests.online.held_service import QUICK, ROOT_NAME, simulated

LATENCY = 0.05
NAMES = tuple(f"plant.{number:03d}" for number in range(100))


def test_hundred_groups_with_latency_and_bursts_of_429(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with simulated(tmp_path, names=NAMES) as held:
        held.proved()
        with held.connected() as service:
            plan = held.plan_2(service)
        assert "The service will hold 100 of at most 100 X.509 enrollment groups." in plan.notes
        faults = held.simulator.faults
        faults.latency = LATENCY
        for skip in (20, 45, 70, 95):
            faults.add(Fault(status=429, retry_after=None, skip=skip, times=3, face="service"))
        faults.add(Fault(status=429, retry_after=1, skip=150, times=2, face="service"))
        faults.add(Fault(status=429, retry_after=1, times=1, face="arm"))
        bundle = held.verified_2()
        held.simulator.requests.clear()
        begun = time.monotonic()
        with held.connected(Patience(backoff=0.05)) as service:
            applied = held.apply(service, plan, bundle)
        took = time.monotonic() - begun
        calls = len(held.simulator.requests)
        refused = [made for made in held.simulator.requests if made.status == 429]
        beside = f"{took:.1f} s beside calls x latency {calls * LATENCY:.1f} s"
        record_property("figure", f"apply of 100 groups: {calls} calls, {len(refused)} of them 429; {beside}")
        assert took >= calls * LATENCY
        assert len(refused) == 15
        assert (applied.done, applied.found) == (101, 0)
        assert sorted(held.state.groups) == sorted(NAMES)
        assert [line.data["name"] for line in held.receipts()] == [ROOT_NAME, ROOT_NAME, *NAMES]
        faults.clear()
        with held.connected() as service:
            assert held.plan_2(service).changes == []


def test_429_at_every_try_ends_with_a_word_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with simulated(tmp_path) as held:
        held.proved()
        with held.connected() as service:
            plan = held.plan_2(service)
        held.simulator.faults.add(Fault(status=429, retry_after=None, method="PUT", part="beta.1", times=3))
        with pytest.raises(CeremonyError) as refused, held.connected(Patience(retries=2, backoff=0.01)) as service:
            held.apply(service, plan)
        assert refused.value.code == "AZURE-THROTTLED"
        assert refused.value.state.startswith("2 of 3 changes are done")
        with held.connected() as service:
            assert held.apply(service, plan).done == 1


def test_more_operations_than_a_minute_has_are_waited_for_as_the_service_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute is the service's, and the sleeps move its clock: who wakes before its time is refused again."""
    slept: list[float] = []
    monkeypatch.setattr("ceremony.simulator.faults.monotonic", lambda: sum(slept))
    monkeypatch.setattr(BoundedTransport, "sleep", lambda _transport, seconds: slept.append(seconds))
    with simulated(tmp_path) as held:
        held.proved()
        with held.connected() as service:
            plan = held.plan_2(service)
        held.simulator.faults.most_a_minute = 5
        held.simulator.requests.clear()
        with held.connected(QUICK) as service:
            assert held.apply(service, plan).done == 3
        asked = [int(made.answer_headers["Retry-After"]) for made in held.simulator.requests if made.status == 429]
        assert len(asked) == (len(held.simulator.requests) - len(asked) - 1) // 5 > 1
        assert slept == asked


@pytest.mark.parametrize("status", [500, 503])
def test_failing_service_is_asked_again(tmp_path: Path, status: int) -> None:
    with simulated(tmp_path) as held:
        held.proved()
        with held.connected() as service:
            plan = held.plan_2(service)
            held.simulator.faults.add(Fault(status=status, part="verify", times=2))
            held.simulator.faults.add(Fault(status=status, method="PUT", times=2))
            assert held.apply(service, plan).done == 3
