"""A simulator that runs for long does not grow with each request."""

from pathlib import Path

import pytest

from ceremony.simulator import exchange, state, state_file
from ceremony.simulator.server import Simulator
from tests.simulator.calling import Caller
from tests.simulator.chains import device, intermediate, write_chain


@pytest.mark.parametrize("keeps_all", [False, True])
def test_the_newest_requests_are_kept_and_all_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps_all: bool) -> None:
    monkeypatch.setattr(exchange, "MOST_KEPT", 3)
    with Simulator(tmp_path, keeps_all=keeps_all) as simulator:
        for number in range(5):
            Caller(simulator).arm("GET", f"/certificates/{number}")
        assert simulator.log.count == 5
        kept = [made.request.path.rpartition("/")[2] for made in simulator.requests]
    assert kept == (["0", "1", "2", "3", "4"] if keeps_all else ["2", "3", "4"])


def test_the_oldest_operations_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_OPERATIONS", 2)
    with Simulator(tmp_path) as simulator:
        caller = Caller(simulator)
        caller.verified_root()
        caller.group("alpha.1", intermediate("alpha.1"))
        simulator.state.refuses_at_once = False
        begun = []
        for name, issuer in (("d-1", "alpha.1"), ("d-2", "nobody"), ("d-3", "alpha.1"), ("d-4", "alpha.1")):
            files = write_chain(tmp_path, name, device(name, intermediate(issuer)), [intermediate(issuer)])
            begun.append((name, files, caller.register(name, files).body["operationId"]))
        answers = [caller.device("GET", f"{name}/operations/{operation}", files).status for name, files, operation in begun]
    assert answers == [404, 404, 200, 200]
    assert simulator.state.failed_operations == {}


def test_no_token_is_kept_or_written(tmp_path: Path) -> None:
    """Real tokens must not come here, and people make mistakes: what is sent is neither in the log of requests nor in the state's file."""
    with Simulator(tmp_path, keeps_all=True) as simulator:
        caller = Caller(simulator)
        caller.token = f"{caller.token}-SENTINEL"
        caller.verified_root()
        for token in ("eyJSENTINEL", caller.token):
            caller.token = token
            caller.arm("GET", "")
            caller.service("GET", "/enrollmentGroups/SENTINEL-is-here")
        told = repr(simulator.requests)
        assert told.count("SENTINEL") == told.count("SENTINEL-is-here") > 0
        state_file.KeptIn(tmp_path / "state.json", simulator.state).save()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"SENTINEL" in path.read_bytes()] == []
