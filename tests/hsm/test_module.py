"""What is refused before a module is loaded, and what is said of one that does not start."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hsm.client import Module
from hsm.errors import TokenError
from hsm.softhsm import find_softhsm, loader_environment, throw_away, unpacked_packages

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at ELF files")


def code_of(path: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(TokenError) as caught:
        Module.start(path, environment or {}).close()
    assert caught.value.do_now
    return caught.value.code


def test_missing(tmp_path: Path):
    assert code_of(tmp_path / "absent.so") == "MODULE-MISSING"
    (tmp_path / "loop.so").symlink_to(tmp_path / "loop.so")
    assert code_of(tmp_path / "loop.so") == "MODULE-MISSING"


def test_a_folder_a_pipe_and_a_text(tmp_path: Path):
    assert code_of(tmp_path) == "MODULE-NOT-PKCS11"
    os.mkfifo(tmp_path / "pipe.so")
    assert code_of(tmp_path / "pipe.so") == "MODULE-NOT-PKCS11"
    (tmp_path / "text.so").write_text("INPUT(libother.so)")
    assert code_of(tmp_path / "text.so") == "MODULE-NOT-PKCS11"


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "module.so"
    path.write_bytes(b"\x7fELF")
    path.chmod(0)
    if os.geteuid() == 0:
        # root may read everything: say what the system would say to another user
        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("hsm.module.os.open", refuse)
    assert code_of(path) == "MODULE-UNREADABLE"


@LINUX
def test_every_kind_of_cut(softhsm: Path, tmp_path: Path):
    octets = softhsm.read_bytes()
    path = tmp_path / "cut.so"
    for length in (0, 10, 63, 64, 4096, len(octets) // 2, len(octets) - 1):
        path.write_bytes(octets[:length])
        assert code_of(path) == "MODULE-TRUNCATED", f"{length} of {len(octets)} bytes"


@LINUX
@pytest.mark.parametrize(("place", "value"), [(18, 0x28), (4, 1), (5, 2)])
def test_another_machine_word_size_and_byte_order(softhsm: Path, tmp_path: Path, place: int, value: int):
    octets = bytearray(softhsm.read_bytes())
    octets[place] = value
    path = tmp_path / "other.so"
    path.write_bytes(octets)
    assert code_of(path) == "MODULE-WRONG-ARCHITECTURE"


@LINUX
def test_a_library_that_is_no_module(fault_module: Path, tmp_path: Path):
    source, path = tmp_path / "empty.c", tmp_path / "empty.so"
    source.write_text("int nothing;\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source], check=True)
    assert code_of(path) == "MODULE-NOT-PKCS11"


@LINUX
def test_a_library_that_needs_another(fault_module: Path, tmp_path: Path):
    source, needed, path = tmp_path / "empty.c", tmp_path / "libneeded.so", tmp_path / "needing.so"
    source.write_text("int nothing;\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", needed, source], check=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,--no-as-needed", "-o", path, source, needed], check=True)
    needed.unlink()
    with pytest.raises(TokenError, match="libneeded") as caught:
        Module.start(path, {})
    assert caught.value.code == "MODULE-UNLOADABLE"


def test_a_module_that_does_not_start(softhsm: Path, tmp_path: Path):
    configuration = tmp_path / "conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'absent'}\n")
    assert code_of(softhsm, {"SOFTHSM2_CONF": str(configuration)}) == "MODULE-NOT-STARTED"


def test_pkcs11_spy_is_refused_by_name_by_content_and_by_environment(softhsm: Path, tmp_path: Path):
    by_name = tmp_path / "pkcs11-spy.so"
    by_name.symlink_to(softhsm)
    assert code_of(by_name) == "MODULE-LOGS-PINS"
    by_content = tmp_path / "harmless.so"
    by_content.write_bytes(softhsm.read_bytes() + b"PKCS11SPY_OUTPUT")
    assert code_of(by_content) == "MODULE-LOGS-PINS"
    assert code_of(softhsm, {"PKCS11SPY": "/usr/lib/libother.so"}) == "MODULE-LOGS-PINS"
    with pytest.raises(TokenError) as caught:
        Module.start(by_name, {})
    assert caught.value.exit_code == 7


def test_the_child_sees_no_more_of_the_environment_than_it_is_given(
    softhsm: Path, store: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("UNWANTED", "sentinel")
    monkeypatch.setenv("PYTHONPATH", "/sentinel")
    given: list[dict[str, str]] = []
    popen = subprocess.Popen

    def watched(*args: Any, **kwargs: Any) -> Any:
        given.append(kwargs["env"])
        return popen(*args, **kwargs)

    monkeypatch.setattr("hsm.client.subprocess.Popen", watched)
    Module.start(softhsm, store).close()
    (names,) = (set(environment) for environment in given)
    assert names <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "SOFTHSM2_CONF", "LD_LIBRARY_PATH"}
    assert "SOFTHSM2_CONF" in names


def test_softhsm_is_named_with_the_line_to_type_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hsm.softhsm.sys.prefix", str(tmp_path / "venv"))
    with pytest.raises(TokenError) as caught:
        find_softhsm(tmp_path / "system")
    assert caught.value.code == "MODULE-MISSING"
    assert "apt-get install softhsm2" in caught.value.do_now


def test_what_setup_unpacked_comes_first_and_brings_its_libraries(softhsm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hsm.softhsm.sys.prefix", str(tmp_path / "venv"))
    system, unpacked = (root / "usr/lib/softhsm/libsofthsm2.so" for root in (tmp_path / "system", unpacked_packages()))
    for place in (system, unpacked):
        place.parent.mkdir(parents=True)
        shutil.copy(softhsm, place)
    beside = unpacked_packages() / "usr/lib/x86_64-linux-gnu/libcrypto.so.3"
    beside.parent.mkdir(parents=True)
    beside.touch()
    assert find_softhsm(tmp_path / "system") == unpacked
    assert loader_environment(unpacked) == {"LD_LIBRARY_PATH": str(beside.parent)}
    assert loader_environment(system) == {}


def test_a_throw_away_store_is_new_and_private(tmp_path: Path):
    environment = throw_away(tmp_path / "softhsm")
    assert Path(environment["SOFTHSM2_CONF"]).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "softhsm" / "tokens").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        throw_away(tmp_path / "softhsm")
