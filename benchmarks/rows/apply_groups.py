"""`online apply` of 100 enrollment groups on the simulator, which answers each call after 50 ms, against calls times latency.

A group takes three calls: read, write by its etag, read again. Beside it stands the same with a burst of refusals (429) in it, whose
waits are the service's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Final

from benchmarks.factories import working_folder
from benchmarks.row import Contest, Goal, Row, Took, clocked
from ceremony.online.answered import Patience
from tests.online.held_service import simulated

_LATENCY: Final = 0.05
_CALLS_BESIDE: Final = 7
"""Of the service, its certificates and groups, the proof of the root."""


@contextmanager
def _contest(size: int) -> Iterator[Contest]:
    names = tuple(f"plant.{number:03d}" for number in range(size))
    with working_folder() as folder, simulated(folder, names=names) as held:
        held.proved()
        with held.connected() as service:
            plan = held.plan_2(service)
        bundle = held.verified_2()
        certificates = deepcopy(held.state.certificates)
        calls = 3 * size + _CALLS_BESIDE

        def apply() -> None:
            with held.connected(Patience(backoff=0.05)) as service:
                assert held.apply(service, plan, bundle).done == size + 1

        def ours() -> Took:
            held.state.groups.clear()
            held.state.certificates.clear()
            held.state.certificates.update(deepcopy(certificates))
            held.simulator.requests.clear()
            held.simulator.faults.latency = _LATENCY
            took = clocked(apply)
            held.simulator.faults.latency = 0.0
            assert len(held.simulator.requests) == calls and len(held.state.groups) == size
            return took

        yield Contest(ours, {"latency": lambda: Took(calls * _LATENCY, 0.0)})


APPLY_GROUPS = Row(
    name="apply-groups",
    what="`online apply` of 100 groups, each call answered after 50 ms by the simulator in the same process",
    goals=(Goal("latency", "calls x latency", 1.1),),
    size=100,
    tiny=2,
    open=_contest,
    rounds=3,
)
