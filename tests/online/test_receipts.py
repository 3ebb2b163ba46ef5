"""The chain of receipts: what is written is on the disk, what was changed is found, one writer at a time."""

import fcntl
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.receipts import NO_BUNDLE, Receipts, read_receipts, receipts_in

START, TIME = "ab" * 32, "2026-11-24T12:00:00Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Receipts(tmp_path / "receipts.jsonl", START) as receipts:
        for name in ("one", "two", "three"):
            receipts.append("group-made", TIME, {"name": name})
    return tmp_path / "receipts.jsonl"


def broken(octets: bytes) -> str:
    with pytest.raises(CeremonyError) as caught:
        read_receipts(octets)
    assert caught.value.code == "RECEIPTS-BROKEN"
    return caught.value.what


def test_chain_starts_from_the_fingerprint_and_each_line_holds_the_one_before(path: Path) -> None:
    lines, torn = read_receipts(path.read_bytes())
    assert torn == 0
    assert [line.prev for line in lines] == [START, lines[0].sha256, lines[1].sha256]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("line", [0, 1])
def test_changed_line_is_found_at_the_next(path: Path, line: int) -> None:
    whole = path.read_bytes().split(b"\n")
    whole[line] = whole[line].replace(b"group-made", b"group-disabled")
    assert f"Line {line + 2} " in broken(b"\n".join(whole))


def test_line_left_out_swapped_or_doubled_is_found(path: Path) -> None:
    one, two, three, end = path.read_bytes().split(b"\n")
    for spoilt in ([two, three, end], [one, three, end], [one, three, two, end], [one, one, two, end]):
        broken(b"\n".join(spoilt))


@pytest.mark.parametrize("line", [b"{}", b"nonsense", b'{"data":{},"kind":"other","prev":"","seq":1,"time":""}', b"x" * 70000])
def test_what_is_no_receipt(line: bytes) -> None:
    assert "Line 1 " in broken(line + b"\n")


def test_torn_last_line_was_never_announced_and_is_set_aside(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with Receipts(path, START) as receipts:
        assert [line.data["name"] for line in receipts.lines] == ["one", "two"]
        receipts.append("group-made", TIME, {"name": "three"})
    assert path.read_bytes() == whole


def test_one_writer_at_a_time(path: Path) -> None:
    with Receipts(path, START), pytest.raises(CeremonyError) as caught:
        Receipts(path, START)
    assert caught.value.code == "RECEIPTS-IN-USE"
    with Receipts(path, START):
        pass


def test_file_of_another_beginning_is_refused_unless_it_is_an_earlier_seal(path: Path) -> None:
    with pytest.raises(CeremonyError) as caught:
        Receipts(path, "cd" * 32)
    assert caught.value.code == "RECEIPTS-BROKEN"
    with Receipts(path, "cd" * 32, also=[START]) as receipts:
        assert len(receipts.lines) == 3


def test_emergency_needs_no_bundle(tmp_path: Path, path: Path) -> None:
    with Receipts(tmp_path / "new.jsonl", None) as receipts:
        assert receipts.append("group-disabled", TIME, {"name": "one"}).prev == NO_BUNDLE
    with Receipts(tmp_path / "new.jsonl", START) as receipts:
        assert len(receipts.lines) == 1
    with Receipts(path, None) as receipts:
        assert receipts.append("group-disabled", TIME, {"name": "one"}).seq == 4


def test_file_in_which_nothing_was_written_is_not_left_behind(tmp_path: Path) -> None:
    with Receipts(tmp_path / "new.jsonl", START):
        pass
    assert not (tmp_path / "new.jsonl").exists()


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError) as caught:
        Receipts(tmp_path / "none" / "receipts.jsonl", START)
    assert (caught.value.code, int(caught.value.exit_code)) == ("RECEIPTS-UNWRITABLE", 2)


def test_file_that_another_took_away_between_opening_and_locking_is_not_written_into_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = tmp_path / "receipts.jsonl", fcntl.flock

    def taken_away(descriptor: int, how: int) -> None:
        path.unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", taken_away)
    with pytest.raises(CeremonyError) as caught:
        Receipts(path, START)
    assert caught.value.code == "RECEIPTS-IN-USE"
    monkeypatch.undo()
    with Receipts(path, START) as receipts:
        receipts.append("group-made", TIME, {"name": "one"})
    assert len(receipts_in(path)[0]) == 1


def test_what_is_no_file_and_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    assert receipts_in(tmp_path / "none.jsonl") == ([], 0)
    with pytest.raises(CeremonyError) as caught:
        receipts_in(tmp_path)
    assert caught.value.code == "RECEIPTS-UNREADABLE"
    monkeypatch.setattr("ceremony.online.receipts.LARGEST_FILE", path.stat().st_size - 1)
    with pytest.raises(CeremonyError) as caught:
        receipts_in(path)
    assert caught.value.code == "RECEIPTS-BROKEN"
    with pytest.raises(CeremonyError) as caught:
        Receipts(path, START)
    assert caught.value.code == "RECEIPTS-BROKEN"
