"""What is kept in a file is what comes back, and a broken file is refused whole."""

from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState
from ceremony.simulator.state_file import KeptIn, decoded, encoded, load
from tests.simulator.calling import Caller
from tests.simulator.chains import device, intermediate, issue, root, write_chain


def test_a_service_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "state.json"
    chain = write_chain(tmp_path, "device-1", device("device-1", intermediate("A")), [intermediate("A")])
    with Simulator(tmp_path) as simulator:
        caller = Caller(simulator)
        caller.verified_root()
        caller.group("factory-a", intermediate("A"), initialTwin={"properties": {"desired": {"rate": 1.5}}})
        caller.upload("second", root("Second"))
        code = caller.code("second")
        assert caller.register("device-1", chain).status == 202
        KeptIn(kept, simulator.state).save()
        before = encoded(simulator.state)
    with Simulator(tmp_path, state=load(kept)) as simulator:
        assert encoded(simulator.state) == before
        caller = Caller(simulator)
        assert caller.prove("second", issue(code, root("Second"))).status == 200
        assert caller.service("GET", "/registrations/device-1").body["status"] == "assigned"
        assert caller.group("factory-a", intermediate("A")).status == 409
    assert sorted(path.name for path in tmp_path.glob("state*")) == ["state.json"]


def test_no_file_is_a_new_service(tmp_path: Path) -> None:
    assert encoded(load(tmp_path / "none.json")) == encoded(DpsState())


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"\xff",
        encoded(DpsState()).replace(b'"format": 1', b'"format": 2'),
        encoded(DpsState()).replace(b'"hubs"', b'"hobs"'),
        encoded(DpsState()).replace(b'"groups": []', b'"groups": [{}]'),
    ],
)
def test_what_is_no_state_is_refused(octets: bytes) -> None:
    with pytest.raises(CeremonyError) as refused:
        decoded(octets)
    assert refused.value.code == "SIMULATOR-STATE"


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError, match="could not be read"):
        load(tmp_path)
    with pytest.raises(CeremonyError, match="could not be written"):
        KeptIn(tmp_path / "none" / "state.json", DpsState()).save()


def test_it_is_written_when_something_changed(tmp_path: Path) -> None:
    state, path = DpsState(), tmp_path / "state.json"
    kept = KeptIn(path, state)
    kept.save()
    path.unlink()
    kept.save()
    assert not path.exists()
    state.hubs.append("127.0.0.3")
    kept.save()
    assert load(path).hubs == ["127.0.0.2", "127.0.0.3"]
