"""A medium that is full, read-only, not empty or gone; a folder that is in use or on a full disk: told, recorded, and gone on with."""

import fcntl
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.commands import PATIENCE, SCRIPTS, Ended, ceremony, command_line, done, environment, four_parts, last_bundle, refused
from tests.e2e.held import copied, gone_on_to_the_end, lines_of, nothing_half_written, paused_for, status

SCRIPT = SCRIPTS / "root-generation.toml"
ANSWERS = SCRIPT.with_suffix(".answers.toml")


@pytest.fixture(scope="session")
def before_export(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A rehearsal all but its export: no medium was there."""

    def make(folder: Path) -> None:
        ended = ceremony("rehearse", SCRIPT, "--answers", ANSWERS, "--dir", folder / "D", "--outbox", folder / "gone")
        assert ended.code == 2 and four_parts(ended.err)["Code"] == "MEDIUM-GONE", ended
        paused_for(folder / "D", "error", "MEDIUM-GONE")

    return once("before-export", make) / "D"


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """A tiny file system in memory at `place`, where this test may mount one."""
    place.mkdir()
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", place], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def resumed(folder: Path, outbox: Path) -> Ended:
    return ceremony("resume", "--dir", folder, "--answers", ANSWERS, "--outbox", outbox)


def refused_and_gone_on(folder: Path, outbox: Path, code: str, tmp_path: Path, *, exit_code: int = 2) -> None:
    """The export fails under this code, nothing of it is left on the medium; with a good medium the ceremony closes."""
    before = sorted(path.relative_to(outbox) for path in outbox.rglob("*")) if outbox.exists() else []
    ended = resumed(folder, outbox)
    assert ended.code == exit_code and four_parts(ended.err)["Code"] == code, ended
    paused_for(folder, "error", code)
    assert (sorted(path.relative_to(outbox) for path in outbox.rglob("*")) if outbox.exists() else []) == before
    nothing_half_written(folder)
    (tmp_path / "good").mkdir()
    bundle = gone_on_to_the_end(folder, ANSWERS, "--outbox", tmp_path / "good")
    [copy] = (tmp_path / "good").iterdir()
    assert subprocess.run(["diff", "-r", bundle, copy], check=False).returncode == 0


def test_a_medium_that_is_gone(before_export: Path, tmp_path: Path) -> None:
    folder = copied(before_export, tmp_path / "D")
    refused_and_gone_on(folder, tmp_path / "gone", "MEDIUM-GONE", tmp_path)


def test_a_medium_that_is_not_empty(before_export: Path, tmp_path: Path) -> None:
    folder = copied(before_export, tmp_path / "D")
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "holiday.jpg").write_bytes(b"\xff\xd8")
    refused_and_gone_on(folder, tmp_path / "medium", "MEDIUM-NOT-EMPTY", tmp_path)


def test_a_medium_with_the_bundle_of_another_ceremony(before_export: Path, root_generation: Path, tmp_path: Path) -> None:
    folder = copied(before_export, tmp_path / "D")
    shutil.copytree(root_generation / "D" / "work/rehearsal/outbox", tmp_path / "medium")
    refused_and_gone_on(folder, tmp_path / "medium", "MEDIUM-NOT-EMPTY", tmp_path)


def test_a_medium_that_is_full(before_export: Path, tmp_path: Path) -> None:
    folder = copied(before_export, tmp_path / "D")
    with mounted(tmp_path / "medium", "size=64k"):
        refused_and_gone_on(folder, tmp_path / "medium", "MEDIUM-FULL", tmp_path)


def test_a_medium_that_is_read_only(before_export: Path, tmp_path: Path) -> None:
    folder = copied(before_export, tmp_path / "D")
    with mounted(tmp_path / "medium", "ro"):
        refused_and_gone_on(folder, tmp_path / "medium", "MEDIUM-READ-ONLY", tmp_path)


def test_a_medium_that_takes_no_large_file(root_generation: Path, tmp_path: Path) -> None:
    """Without a mount: the system refuses what is written beyond a limit, as a full medium would."""
    folder = root_generation / "D"
    (tmp_path / "medium").mkdir()
    largest = max(path.stat().st_size for path in (folder / "bundles/1").rglob("*") if path.is_file())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, largest - 1))

    line = command_line("export", "--dir", folder, "--outbox", tmp_path / "medium")
    ended = subprocess.run(line, capture_output=True, text=True, env=environment(), preexec_fn=limit, timeout=PATIENCE, check=False)  # noqa: PLW1509
    refused(Ended(ended.returncode, ended.stdout, ended.stderr), 2, "MEDIUM-FULL")
    assert list((tmp_path / "medium").iterdir()) == []
    done("export", "--dir", folder, "--outbox", tmp_path / "medium")


def test_export_refuses_the_same_media(root_generation: Path, tmp_path: Path) -> None:
    folder = root_generation / "D"
    refused(ceremony("export", "--dir", folder, "--outbox", tmp_path / "gone"), 2, "MEDIUM-GONE")
    refused(ceremony("export", "--dir", folder, "--outbox", tmp_path, "--bundle", "2"), 2, "BUNDLE-MISSING")
    (tmp_path / "notes").touch()
    refused(ceremony("export", "--dir", folder, "--outbox", tmp_path), 2, "MEDIUM-NOT-EMPTY")
    refused(ceremony("export", "--dir", tmp_path / "none", "--outbox", tmp_path), 2, "RECORD-MISSING")
    (tmp_path / "notes").unlink()
    done("export", "--dir", folder, "--outbox", tmp_path)
    # A second time: the copy is there and the same, and is read back.
    done("export", "--dir", folder, "--outbox", tmp_path)


def test_a_folder_on_a_full_disk(tmp_path: Path) -> None:
    """The record's own disk is full: what was announced stays, and with room the ceremony goes on."""
    with mounted(tmp_path / "disk", "size=256k"):
        folder = tmp_path / "disk" / "D"
        ended = ceremony("rehearse", SCRIPT, "--answers", ANSWERS, "--dir", folder)
        assert ended.code in (2, 3), ended
        assert four_parts(ended.err)["Code"] in ("RECORD-UNWRITABLE", "FOLDER-UNWRITABLE", "TOKEN-FULL", "TOKEN-FAILED"), ended
        lines_of(folder)
        nothing_half_written(folder)
        subprocess.run(["mount", "-o", "remount,size=16m", tmp_path / "disk"], check=True)
        gone_on_to_the_end(folder, ANSWERS)


def test_a_folder_that_is_in_use(before_export: Path, tmp_path: Path) -> None:
    folder = copied(before_export, tmp_path / "D")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        refused(resumed(folder, tmp_path), 2, "RECORD-IN-USE")
        assert status(folder)["state"] == "paused"
    finally:
        os.close(descriptor)


def test_a_folder_that_holds_a_ceremony_already(root_generation: Path, tmp_path: Path) -> None:
    folder = root_generation / "D"
    before = (folder / "transcript.jsonl").read_bytes()
    refused(ceremony("rehearse", SCRIPT, "--answers", ANSWERS, "--dir", folder), 2, "RECORD-EXISTS")
    refused(ceremony("resume", "--dir", folder, "--answers", ANSWERS), 2, "RECORD-ENDED")
    assert (folder / "transcript.jsonl").read_bytes() == before
    assert last_bundle(folder).name == "1"
    (tmp_path / "notes").touch()
    refused(ceremony("rehearse", SCRIPT, "--answers", ANSWERS, "--dir", tmp_path), 2, "RECORD-EXISTS")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
