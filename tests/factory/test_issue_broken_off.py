"""An order that is broken off anywhere, and given again: each id once, every file whole, nothing left over."""

import datetime as dt
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ceremony.errors import CeremonyError
from ceremony.factory import issue as issue_module
from ceremony.factory.few import Here
from ceremony.factory.folder import Accepted
from ceremony.factory.index import Index
from ceremony.factory.issue import Issued
from ceremony.factory.issuer_key import open_issuer_key
from ceremony.factory.messages import Batch, Start
from ceremony.factory.output import Output
from ceremony.factory.terms import Terms
from ceremony.factory.workers import Crew, Worker, started
from tests.e2e.commands import Ended, ceremony, command_line, environment, refused
from tests.e2e.openssl import openssl
from tests.e2e.secrets_kept import files_with, processes_with
from tests.factory.given import PASSPHRASE, secret_file
from tests.factory.issuing import accepted_in_file, broken_off, check_whole, entries, history, issue_here, issued, summary

TEN = [f"dev-{number}" for number in range(10)]


class Broken(BaseException):
    """The machine goes down here."""


@pytest.fixture
def accepted(tmp_path: Path) -> Accepted:
    return accepted_in_file(tmp_path / "alpha")


def whole_pairs(out: Path) -> None:
    """Whatever is in its place is a certificate with its own key, at any moment."""
    for chain in (out / "devices").rglob("*.chain.pem"):
        leaf, _ = x509.load_pem_x509_certificates(chain.read_bytes())
        key = load_pem_private_key(chain.with_name(chain.name.replace(".chain.", ".key.")).read_bytes(), None)
        form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        assert key.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "step", "call"),
    [
        (Index, "begin", 1),
        (Output, "work_folder", 2),
        (Worker, "tell", 3),
        (Output, "flush", 2),
        (Index, "enter", 2),
        (Output, "put_in_place", 2),
        (Output, "write_listing", 1),
        (Index, "finish", 1),
    ],
)
def test_down_at_each_step(
    accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, step: str, call: int, when: str
) -> None:
    """In the second of four batches, say; then the same order once more."""
    out, done, count = tmp_path / "out", getattr(owner, step), 0
    monkeypatch.setattr(issue_module, "BATCH", 3)

    def spoilt(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == call and when == "before":
            raise Broken
        result = done(*args, **kwargs)
        if count == call:
            raise Broken
        return result

    with monkeypatch.context() as patched, pytest.raises(Broken):
        patched.setattr(owner, step, spoilt)
        issue_here(accepted, out, TEN)
    whole_pairs(out)
    assert issue_here(accepted, out, TEN).complete
    check_whole(out, accepted, TEN)
    # One worker has one batch at a time: no more than that was made in vain.
    assert broken_off(out) <= 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_down_while_a_few_are_made_in_this_process(
    accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    out, few, tell = tmp_path / "out", TEN[:5], Here.tell

    def spoilt(here: Here, batch: Batch) -> None:
        if when == "after":
            tell(here, batch)
        raise Broken

    with monkeypatch.context() as patched, pytest.raises(Broken):
        patched.setattr(Here, "tell", spoilt)
        issue_here(accepted, out, few)
    assert not list((out / "devices").iterdir())
    monkeypatch.setattr(issue_module, "started", Mock(side_effect=AssertionError("a process for a few")))
    assert issue_here(accepted, out, few).complete
    check_whole(out, accepted, few)
    assert broken_off(out) == 1


def test_down_between_the_last_commit_and_its_move(accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to make, and no key is asked for: the next run puts in place what counts already."""
    out, ids = tmp_path / "out", tmp_path / "ids"
    ids.write_text("\n".join(TEN))
    with monkeypatch.context() as patched, pytest.raises(Broken):
        patched.setattr(Output, "put_in_place", Mock(side_effect=Broken))
        issue_here(accepted, out, TEN)
    assert not list((out / "devices").iterdir())
    ended = ceremony("factory", "issue", accepted.factory.folder, "-o", out, "--ids", ids, "--json")
    assert summary(ended) | {"made": 0, "there_before": 10, "complete": True} == summary(ended)
    check_whole(out, accepted, TEN)


def line(accepted: Accepted, out: Path, count: int) -> list[str]:
    """The command for so many ids, by two workers."""
    secret = secret_file(accepted.factory.folder.parent, PASSPHRASE)
    where = ("factory", "issue", accepted.factory.folder, "-o", out, "--count", str(count), "--prefix", "dev-")
    return command_line(*where, "--jobs", "2", "--passphrase-file", secret)


def counted(count: int) -> list[str]:
    return [f"dev-{number:06}" for number in range(1, count + 1)]


def until(reached: Callable[[], bool], run: "subprocess.Popen[bytes]") -> None:
    """Waits for it, while the command runs."""
    while not reached():
        assert run.poll() is None, "the command ended before"
        time.sleep(0.005)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def batches_there(out: Path) -> int:
    return len(list((out / "devices").iterdir())) if (out / "devices").exists() else 0


def test_killed_in_the_middle_of_two_thousand_and_given_again(accepted: Accepted, tmp_path: Path) -> None:
    """kill -9 three times, each time a little later; meanwhile no secret is in an argument or an environment."""
    out = tmp_path / "out"
    for batches in (1, 3, 5):
        run = subprocess.Popen(line(accepted, out, 2000), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda enough=batches: batches_there(out) >= enough, run)  # type: ignore[misc]  # bound at once
        workers = children(run.pid)
        assert len(workers) == 2 and processes_with([run.pid, *workers], PASSPHRASE) == []
        run.kill()
        assert run.wait() == -signal.SIGKILL
        whole_pairs(out)
    assert summary(issued(accepted, out, "--count", "2000", "--prefix", "dev-", "--json"))["there_before"] in range(1250, 2000)
    check_whole(out, accepted, counted(2000))
    root = tmp_path / "root.pem"
    root.write_bytes(accepted.root.public_bytes(Encoding.PEM))
    for row in entries(out)[::400]:
        chain = out / row["chain"]
        assert openssl("verify", "-purpose", "sslclient", "-CAfile", root, "-untrusted", chain, chain).endswith(": OK\n")
    assert files_with(out, PASSPHRASE) == []
    with open_issuer_key(accepted.factory, bytearray(PASSPHRASE.encode())) as key:
        private = key._key.private_numbers().private_value.to_bytes(32)  # type: ignore[union-attr]  # it is an EC key in a file
    assert not [path for path in out.rglob("*") if path.is_file() and private in path.read_bytes()]


def stopped(accepted: Accepted, out: Path, by: signal.Signals) -> Ended:
    """An order of 2,000 that got this signal when a part of it was made; as from a terminal, which sends it to the whole group."""
    order, pipe = [*line(accepted, out, 2000), "--json"], subprocess.PIPE
    run = subprocess.Popen(order, env=environment(), start_new_session=True, stdout=pipe, stderr=pipe)
    until(lambda: batches_there(out) >= 1, run)
    os.killpg(run.pid, by)
    said, talk = run.communicate()
    return Ended(run.returncode, said.decode(), talk.decode())


def test_ctrl_c_stops_it_in_order_and_says_how_to_go_on(accepted: Accepted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = stopped(accepted, out, signal.SIGINT)
    assert ended.code == 130 and "The same command, given again, makes the rest." in ended.err
    # What was in hand came to its end: nothing is left over, and the listing is of all that is there.
    rows = entries(out)
    assert json.loads(ended.out) | {"made": len(rows), "left": 2000 - len(rows), "complete": False} == json.loads(ended.out)
    assert 0 < len(rows) < 2000 and broken_off(out) == 0
    check_whole(out, accepted, [row["registration_id"] for row in rows])
    assert summary(issued(accepted, out, "--count", "2000", "--prefix", "dev-", "--json"))["made"] == 2000 - len(rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_it_too(accepted: Accepted, tmp_path: Path, number: signal.Signals) -> None:
    ended = stopped(accepted, tmp_path / "out", number)
    assert ended.code == 128 + number and json.loads(ended.out)["complete"] is False


def test_a_worker_that_dies_costs_its_batch_alone(accepted: Accepted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen(line(accepted, out, 2000), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: batches_there(out) >= 1, run)
    os.kill(children(run.pid)[0], signal.SIGKILL)
    said, talk = run.communicate()
    told = refused(Ended(run.returncode, said.decode(), talk.decode()), 1, "FACTORY-WORKER-DIED")
    made = len(entries(out))
    assert "ended by signal 9" in told and f"{made:,} of 2,000 certificates are made" in talk.decode()
    assert broken_off(out) == 1 and list((out / ".work").iterdir()) == []
    assert summary(issued(accepted, out, "--count", "2000", "--prefix", "dev-", "--json"))["made"] == 2000 - made


def test_an_index_that_cannot_grow(accepted: Accepted, tmp_path: Path) -> None:
    """The system refuses what is written beyond a limit, as a full disk would; the files of devices are smaller."""
    out = tmp_path / "out"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    run = subprocess.run(line(accepted, out, 800), env=environment(), capture_output=True, text=True, preexec_fn=limit, check=False)
    refused(Ended(run.returncode, run.stdout, run.stderr), 2, "FACTORY-OUT-UNWRITABLE")
    whole_pairs(out)
    assert summary(issued(accepted, out, "--count", "800", "--prefix", "dev-", "--json"))["complete"]
    check_whole(out, accepted, counted(800))


def test_a_list_that_finds_no_room_makes_nothing(accepted: Accepted, tmp_path: Path) -> None:
    """The same limit on the temporary file that a long list of ids is kept in."""
    out = tmp_path / "out"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    run = subprocess.run(
        line(accepted, out, 100_000), env=environment(), capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert "TMPDIR" in run.stderr
    refused(Ended(run.returncode, run.stdout, run.stderr), 2, "FACTORY-OUT-UNWRITABLE")
    assert not out.exists()


@pytest.mark.parametrize("options", ["size=2m", "nr_inodes=600"])
def test_a_disk_that_is_full(accepted: Accepted, tmp_path: Path, options: str) -> None:
    """On a file system of its own, in a name space of its own; then it gets room, and the order goes on."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this machine does not let a process have mounts of its own")
    out, copy = tmp_path / "out", tmp_path / "copy"
    out.mkdir()
    script = (
        f'mount -t tmpfs -o {options} none "$OUT" && "$@"; echo "first $?"; find "$OUT" -name "*.pem" -path "*.work*"; '
        'mount -o remount,size=100m,nr_inodes=100000 none "$OUT" && "$@"; echo "second $?"; cp -a "$OUT" "$COPY"'
    )
    given = environment({"OUT": str(out), "COPY": str(copy)})
    order = line(accepted, out, 800)
    run = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", *order], env=given, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["first 2", str(out), "second 0"], run
    assert "FACTORY-OUT-UNWRITABLE" in run.stderr
    check_whole(copy, accepted, counted(800))


def test_an_order_goes_on_only_on_its_own_terms(accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off half-way: the same order goes on with the dates it was begun with, another one is refused."""
    out = tmp_path / "out"
    monkeypatch.setattr(issue_module, "BATCH", 3)
    made = list[int]()
    # It is told of the first batch when the second is handed out.
    assert issue_here(accepted, out, TEN, stopping=lambda: bool(made), tell=made.append) == Issued(6, complete=False)
    dates = {(row["not_before"], row["not_after"]) for row in entries(out)}
    with pytest.raises(CeremonyError) as failed:
        issue_here(accepted, out, [*TEN, "one-more"])
    assert failed.value.code == "FACTORY-ID-TAKEN" and "6 of the ids" in failed.value.what
    time.sleep(1.1)
    assert issue_here(accepted, out, list(reversed(TEN))).made == 4
    assert {(row["not_before"], row["not_after"]) for row in entries(out)} == dates
    check_whole(out, accepted, TEN)
    made.clear()
    other = tmp_path / "other"
    assert not issue_here(accepted, other, TEN, terms=Terms(days=1), stopping=lambda: bool(made), tell=made.append).complete
    with pytest.raises(CeremonyError) as failed:
        issue_here(accepted, other, TEN, terms=Terms(days=2))
    assert failed.value.code == "FACTORY-ID-TAKEN"
    with pytest.raises(CeremonyError) as failed:
        issue_here(accepted, other, TEN, terms=Terms(days=1), now=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(days=2))
    assert failed.value.code == "FACTORY-VALIDITY" and "--renew 0" in failed.value.do_now


def test_a_renewal_that_goes_on_days_later_renews_nothing_twice(
    accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was renewed by then would be due again by the day on which it goes on."""
    out, made = tmp_path / "out", list[int]()
    monkeypatch.setattr(issue_module, "BATCH", 3)
    assert issue_here(accepted, out, TEN, terms=Terms(days=1)).complete
    terms = Terms(days=31, renew=30)
    assert issue_here(accepted, out, TEN, terms=terms, stopping=lambda: bool(made), tell=made.append) == Issued(6, complete=False)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    assert issue_here(accepted, out, TEN, terms=terms, now=lambda: later) == Issued(4, complete=True)
    assert sorted(status for _, _, status in history(out)) == ["issued"] * 10 + ["superseded"] * 10


def test_files_are_on_the_disk_before_they_count_and_count_before_they_are_seen(
    accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the acts is what a power cut can't break; each act is watched, with the real ones behind it."""
    out, acts = tmp_path / "out", list[str]()
    monkeypatch.setattr(issue_module, "BATCH", 3)

    def watch(owner: type, name: str) -> None:
        done = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            acts.append(name)
            return done(*args, **kwargs)

        monkeypatch.setattr(owner, name, watched)

    for owner, name in ((Output, "flush"), (Index, "enter"), (Output, "put_in_place"), (Output, "write_listing"), (Index, "finish")):
        watch(owner, name)
    issue_here(accepted, out, TEN)
    assert acts == ["flush", "enter", "put_in_place"] * 4 + ["flush", "write_listing", "finish"]


def test_the_place_of_a_batch_that_somebody_took_is_not_written_over(accepted: Accepted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert issue_here(accepted, out, TEN[:1]).complete
    (out / "devices" / "000002").mkdir()
    (out / "devices" / "000002" / "letter").touch()
    with pytest.raises(CeremonyError) as failed:
        issue_here(accepted, out, TEN[1:])
    assert failed.value.code == "FACTORY-OUT-BROKEN"
    with pytest.raises(CeremonyError) as failed:
        issue_here(accepted, out, TEN[1:])
    assert failed.value.code == "FACTORY-OUT-BROKEN"
    (out / "devices" / "000002").rename(tmp_path / "away")
    assert issue_here(accepted, out, TEN[1:]).complete
    check_whole(out, accepted, TEN)


def test_what_a_worker_that_is_about_to_end_still_writes_is_removed_too(
    accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that gets another file between its last look and its removal."""
    out, remove, late = tmp_path / "out", shutil.rmtree, 3
    assert issue_here(accepted, out, TEN[:1]).complete
    (out / ".work" / "000099").mkdir()

    def with_one_more(folder: Path) -> None:
        nonlocal late
        late -= 1
        if late > 0:
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", with_one_more)
    assert issue_here(accepted, out, TEN[1:]).complete
    assert late == 0
    check_whole(out, accepted, TEN)


def test_the_key_is_wiped_when_the_workers_have_it(accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytearray] = []

    def told(count: int, start: Start, secrets: tuple[bytearray, ...], crew: Crew) -> Any:
        given.extend(secrets)
        return started(count, start, secrets, crew)

    monkeypatch.setattr(issue_module, "started", told)
    assert issue_here(accepted, tmp_path / "out", TEN).complete
    pkcs8 = given[0]
    assert len(pkcs8) > 100 and not any(pkcs8)
