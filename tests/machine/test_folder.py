import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

from ceremony.errors import CeremonyError
from ceremony.machine.folder import CeremonyFolder


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def begun(path):
    with CeremonyFolder.create(path) as folder:
        folder.write("transcript.jsonl", b"{}\n")
    return path


def test_folders_are_0700_and_files_0600_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        with CeremonyFolder.create(tmp_path / "a" / "b") as folder:
            written = folder.write("work/artifacts/root.cert.pem", b"x")
    finally:
        os.umask(before)
    assert [mode_of(path) for path in (tmp_path / "a" / "b", folder.work, folder.work / "artifacts")] == [0o700] * 3
    assert mode_of(written) == 0o600


def test_an_empty_folder_that_others_may_read_is_closed_to_them(tmp_path):
    (tmp_path / "d").mkdir(mode=0o755)
    CeremonyFolder.create(tmp_path / "d").close()
    assert mode_of(tmp_path / "d") == 0o700


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path):
    begun(tmp_path / "d")
    with CeremonyFolder.open(tmp_path / "d"):
        for opening in (CeremonyFolder.open, CeremonyFolder.create):
            with pytest.raises(CeremonyError) as refused:
                opening(tmp_path / "d")
            assert refused.value.code == "RECORD-IN-USE"
        assert CeremonyFolder.reading(tmp_path / "d").read("transcript.jsonl") == b"{}\n"
    CeremonyFolder.open(tmp_path / "d").close()


def test_a_killed_writer_leaves_no_lock(tmp_path):
    begun(tmp_path / "d")
    code = (
        "import pathlib, sys, time; from ceremony.machine.folder import CeremonyFolder\n"
        "folder = CeremonyFolder.open(pathlib.Path(sys.argv[1])); print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "d"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(CeremonyError, match="Another process"):
            CeremonyFolder.open(tmp_path / "d")
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    CeremonyFolder.open(tmp_path / "d").close()


def test_a_folder_with_a_ceremony_is_not_made_anew(tmp_path):
    with pytest.raises(CeremonyError) as refused:
        CeremonyFolder.create(begun(tmp_path / "d"))
    assert refused.value.code == "RECORD-EXISTS"
    CeremonyFolder.open(tmp_path / "d").close()


def test_a_folder_with_foreign_files_is_not_taken(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "letter.txt").write_text("hello")
    with pytest.raises(CeremonyError) as refused:
        CeremonyFolder.create(tmp_path / "d")
    assert refused.value.code == "RECORD-EXISTS"
    assert (tmp_path / "d" / "letter.txt").read_text() == "hello"


@pytest.mark.parametrize("transcript", [None, b"", b'{"seq":1,"ti'])
def test_what_went_down_before_its_first_whole_line_is_a_new_folder_and_no_ceremony(tmp_path, transcript):
    with CeremonyFolder.create(tmp_path / "d") as folder:
        folder.write("script.toml", b"format = 1")
        if transcript is not None:
            folder.write("transcript.jsonl", transcript)
    with pytest.raises(CeremonyError) as refused:
        CeremonyFolder.open(tmp_path / "d")
    assert refused.value.code == "RECORD-MISSING"
    CeremonyFolder.create(tmp_path / "d").close()


@pytest.mark.parametrize("opening", [CeremonyFolder.open, CeremonyFolder.reading])
def test_a_folder_that_is_not_there_is_no_ceremony(tmp_path, opening):
    with pytest.raises(CeremonyError) as refused:
        opening(tmp_path / "nowhere")
    assert refused.value.code == "RECORD-MISSING"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_the_folders_place_is_said(tmp_path):
    (tmp_path / "d").write_text("a file")
    with pytest.raises(CeremonyError) as refused:
        CeremonyFolder.create(tmp_path / "d")
    assert refused.value.code == "RECORD-UNWRITABLE"


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    folder = CeremonyFolder.create(tmp_path / "d")
    folder.write("work/root.tbs", b"old")
    really_write = os.write

    def half_then_full(descriptor, octets):
        if len(octets) > 2:
            return really_write(descriptor, bytes(octets)[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(CeremonyError) as refused:
        folder.write("work/root.tbs", b"new!")
    assert refused.value.code == "RECORD-UNWRITABLE"
    assert "No space left" in refused.value.what
    assert {path.name: path.read_bytes() for path in folder.work.iterdir()} == {"root.tbs": b"old"}


def test_what_is_written_was_flushed_file_first_then_name(tmp_path, monkeypatch):
    flushed = []
    really_sync = os.fsync

    def note(descriptor):
        flushed.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        really_sync(descriptor)

    with CeremonyFolder.create(tmp_path / "d") as folder:
        monkeypatch.setattr(os, "fsync", note)
        folder.write("script.toml", b"x")
    assert flushed == ["file", "folder"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "work/../../x", ""])
def test_no_path_leaves_the_folder(tmp_path, path):
    with CeremonyFolder.create(tmp_path / "d") as folder:
        for act in (lambda: folder.write(path, b""), lambda: folder.read(path)):
            with pytest.raises(ValueError, match="not a path inside"):
                act()


def test_a_reader_does_not_write(tmp_path):
    with pytest.raises(ValueError, match="open for reading"):
        CeremonyFolder.reading(begun(tmp_path / "d")).write("site.toml", b"")


def test_the_places_are_those_of_the_contract(tmp_path):
    with CeremonyFolder.create(tmp_path / "d") as folder:
        folder.write("script.toml", b"s")
        folder.write("site.toml", b"t")
        places = [folder.script_path, folder.site_path, folder.transcript_path, folder.work, folder.request(1), folder.bundle(2)]
        assert (folder.script, folder.site) == (b"s", b"t")
    told = [str(place.relative_to(tmp_path / "d")) for place in places]
    assert told == ["script.toml", "site.toml", "transcript.jsonl", "work", "requests/1", "bundles/2"]
