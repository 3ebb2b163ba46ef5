"""`ceremony verify BUNDLE --receipts FILE`: the chain from the bundle's fingerprint, offline."""

import contextlib
import io
from pathlib import Path

import pytest

from ceremony.cli import _run
from ceremony.crossing.bundle import REPORTS
from ceremony.errors import CeremonyError
from ceremony.online.receipts import Receipts
from ceremony.online.verify_receipts import checks_of_receipts
from tests.crossing.held_ceremony import whole_ceremony
from tests.online.held_service import HeldService


def failed(held: HeldService, bundle: Path | None = None, receipts: Path | None = None) -> list[str]:
    checks = checks_of_receipts(bundle or held.bundle_2, receipts or held.folder / "receipts.jsonl")
    return [check.name for check in checks if not check.passed]


def lines_of(held: HeldService) -> list[bytes]:
    return (held.folder / "receipts.jsonl").read_bytes().splitlines(keepends=True)


def test_receipts_of_a_whole_path_are_good(held: HeldService) -> None:
    held.settled()
    held.run("disable", "alpha.1", "--receipts", held.folder / "receipts.jsonl")
    assert failed(held) == []


def test_the_command_tells_each_check_and_fails_when_one_does(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    held.settled()
    # The reports of a ceremony that was held in memory are made up: they are not what is looked at here.
    as_they_are = {path: (held.bundle_2 / path).read_bytes() for path in REPORTS}
    monkeypatch.setattr("ceremony.report.rendering.reports_of_bundle", lambda bundle: as_they_are)
    path = held.folder / "receipts.jsonl"
    arguments = [str(held.bundle_2), "--fingerprint", held.fingerprint_2, "--receipts", str(path)]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert _run("verify", arguments, ()) == 0
    assert "ok      receipts-chain: 4 lines" in out.getvalue()
    path.write_bytes(b"".join(lines_of(held)[1:]))
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert _run("verify", arguments, ()) == 1
    assert "FAILED  receipts-chain" in out.getvalue()


@pytest.mark.parametrize("line", range(4))
def test_a_changed_line_is_found(held: HeldService, line: int) -> None:
    held.settled()
    lines = lines_of(held)
    lines[line] = lines[line].replace(b'"status":200', b'"status":201')
    (held.folder / "receipts.jsonl").write_bytes(b"".join(lines))
    # The last line has no line after it: only who keeps its digest elsewhere sees a change of it.
    assert failed(held) == ([] if line == 3 else ["receipts-chain"])


def test_a_line_that_was_taken_out_is_found(held: HeldService) -> None:
    held.settled()
    lines = lines_of(held)
    (held.folder / "receipts.jsonl").write_bytes(b"".join([*lines[:1], *lines[2:]]))
    assert failed(held) == ["receipts-chain"]


def test_a_torn_last_line_was_never_announced(held: HeldService) -> None:
    held.settled()
    (held.folder / "receipts.jsonl").write_bytes(b"".join(lines_of(held)) + b'{"data"')
    checks = checks_of_receipts(held.bundle_2, held.folder / "receipts.jsonl")
    assert all(check.passed for check in checks) and "torn line of 7 bytes" in checks[0].detail


def test_receipts_of_another_ceremony_are_refused(held: HeldService) -> None:
    held.settled()
    other = whole_ceremony(held.folder / "other").write_bundle(held.folder / "other-bundle")
    assert failed(held, bundle=other) == ["receipts-beginning", "receipts-bundle"]


def test_receipts_of_a_later_bundle_need_that_bundle(held: HeldService) -> None:
    held.settled()
    assert failed(held, bundle=held.bundle_1) == ["receipts-bundle"]


def test_receipts_that_began_without_a_bundle_are_bound_to_none(held: HeldService) -> None:
    held.settled()
    path = held.folder / "emergency.jsonl"
    held.run("disable", "alpha.1", "--receipts", path)
    assert failed(held, receipts=path) == ["receipts-beginning"]


def test_a_receipt_about_another_file_is_found(held: HeldService) -> None:
    held.settled()
    with Receipts(held.folder / "receipts.jsonl", None) as receipts:
        data = {"service": "example-dps", "name": "x", "bundle": held.fingerprint_2, "file_sha256": "0" * 64}
        receipts.append("group-made", "2026-11-24T12:00:00Z", data)
    assert failed(held) == ["receipts-bundle"]


def test_empty_or_missing(held: HeldService) -> None:
    held.settled()
    empty = held.folder / "empty.jsonl"
    empty.write_bytes(b"")
    assert failed(held, receipts=empty) == ["receipts-chain"]
    with pytest.raises(CeremonyError) as missing:
        checks_of_receipts(held.bundle_2, held.folder / "nowhere.jsonl")
    assert missing.value.code == "RECEIPTS-UNREADABLE"


def test_a_device_whose_group_was_not_disabled_before_is_found(held: HeldService) -> None:
    held.settled()
    path = held.folder / "receipts.jsonl"
    whole = path.read_bytes()
    for group, wrong in (("alpha.1", []), ("beta.1", ["receipts-bundle"])):
        path.write_bytes(whole)
        held.run("disable", "alpha.1", "--receipts", path)
        with Receipts(path, None) as receipts:
            data = {"service": "example-dps", "name": "d-1", "bundle": None, "hub": "127.0.0.2", "group": group}
            receipts.append("device-disabled", "2026-11-24T12:00:00Z", data)
        assert failed(held) == wrong
