"""Flushing a whole file system: done where the system has the call, and an error is told."""

import ctypes
import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from ceremony.machine.disk import sync_file_system


def test_a_file_system_is_flushed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    sync_file_system(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_file_system(tmp_path / "none")


def test_what_could_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: SimpleNamespace(syncfs=lambda descriptor: -1))
    monkeypatch.setattr(ctypes, "get_errno", lambda: errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        sync_file_system(tmp_path)


def test_without_the_call_every_file_system_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: SimpleNamespace())
    monkeypatch.setattr("os.sync", lambda: called.append(1))
    sync_file_system(tmp_path)
    assert called == [1]
