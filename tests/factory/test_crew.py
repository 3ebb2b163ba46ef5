"""Processes that are called up before it is known whether there is anything to make: they end with the command, whatever comes of it."""

import subprocess
from argparse import Namespace
from pathlib import Path

import pytest

from ceremony.commands.factory_issue import _ask
from ceremony.errors import CeremonyError
from ceremony.factory import workers
from ceremony.factory.few import FEW
from ceremony.factory.order import Asked
from ceremony.factory.shards import WHOLE
from ceremony.factory.workers import Crew
from tests.factory.issuing import accepted_in_file
from tests.factory.test_issue_csrs import pem, request


@pytest.fixture
def called_up(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ids of all that were called up."""
    new, pids = workers._new_process, list[int]()

    def counted() -> "subprocess.Popen[bytes]":
        process = new()
        pids.append(process.pid)
        return process

    monkeypatch.setattr(workers, "_new_process", counted)
    return pids


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_who_got_no_order_ends_with_the_crew_and_who_got_one_does_not(called_up: list[int]) -> None:
    with Crew() as crew:
        crew.call_up(2)
        (taken,) = crew.taken(1)
        assert len(called_up) == 2
    assert gone(called_up[1:]) and not gone(called_up[:1])
    taken.close()
    taken.wait()
    assert gone(called_up)


def test_a_process_is_called_up_while_many_requests_are_read_and_ends_when_they_are_refused(tmp_path: Path, called_up: list[int]) -> None:
    accepted = accepted_in_file(tmp_path / "alpha")
    requests = tmp_path / "requests"
    requests.mkdir()
    for number in range(FEW + 1):
        (requests / f"dev-{number}.csr.pem").write_bytes(pem(request(f"dev-{number}")))
        if number < FEW:
            with Asked(WHOLE) as asked, Crew() as crew:
                _ask(Namespace(csrs=requests), asked, accepted, crew)
            assert called_up == []
    (requests / "dev-1.csr.pem").write_bytes(b"no request")
    with Asked(WHOLE) as asked, Crew() as crew, pytest.raises(CeremonyError, match="of the requests are refused"):
        _ask(Namespace(csrs=requests), asked, accepted, crew)
    assert len(called_up) == 1 and gone(called_up)
