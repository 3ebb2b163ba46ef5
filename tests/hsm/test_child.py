"""The child that holds the module: how it ends, what it lets out, what it keeps to itself."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hsm.client import Module, Token
from tests.hsm.conftest import Faulty
from tests.hsm.given import SO_PIN, USER_PIN, is_running, refusal, token_logged_in_to
from tests.memory import found_in_memory


@pytest.mark.parametrize("octets", [b"noise", b"\0\0\0\x02{}", b"\0\0\0\x01{"])
def test_an_answer_that_is_none_ends_the_child(softhsm: Path, monkeypatch: pytest.MonkeyPatch, octets: bytes):
    monkeypatch.setattr("hsm.client._CHILD", f"import os, time; os.write(1, {octets!r}); time.sleep(600)")
    started = time.monotonic()
    error = refusal(Module.start, softhsm, {})
    assert (error.code, error.outcome_unknown) == ("MODULE-DIED", False)
    assert time.monotonic() - started < 30


def test_a_defect_in_the_child_is_told_by_its_type_and_place_only(softhsm: Path, store: dict[str, str]):
    with Module.start(softhsm, store) as module:
        error = refusal(module.call, "no such verb: secret", type(None), token=1)
    assert error.code == "MODULE-MISUSED"
    assert "IndexError at worker.py:" in error.what
    assert "secret" not in error.what


def test_close_ends_a_child_that_no_longer_listens(faulty: Faulty):
    module = faulty.start()
    os.kill(module.process_id, signal.SIGSTOP)
    started = time.monotonic()
    module.close()
    assert time.monotonic() - started < 20
    assert not is_running(module.process_id)


HOLDING = """
import sys, time
from pathlib import Path
from hsm.client import Module
module = Module.start(Path(sys.argv[1]), dict(item.split("=", 1) for item in sys.argv[2:]))
token = module.token(label="test")
print(module.process_id, flush=True)
token.login(bytearray(b"user-pin-1"))
token.generate_key("ec:secp256r1", "late", b"\\2")
"""


def test_nothing_is_done_any_more_when_the_parent_was_killed(faulty: Faulty, fault_module: Path, tmp_path: Path, softhsm: Path):
    token_logged_in_to(faulty.module).logout()
    faulty.err("C_GenerateKeyPair sleep 3000")
    environment = {"SOFTHSM2_CONF": tmp_path / "softhsm" / "softhsm2.conf", "FAULT_TARGET": softhsm, "FAULT_RULES": tmp_path / "rules"}
    command = [sys.executable, "-c", HOLDING, str(fault_module), *(f"{name}={value}" for name, value in environment.items())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent.parent, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(1)
        parent.kill()
    deadline = time.monotonic() + 2
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child), "the child went on with making a key that nobody waits for"
    faulty.err()
    token = faulty.start().token(label="test")
    token.login(bytearray(USER_PIN))
    assert token.inventory() == []


def test_signals_of_the_terminal_do_not_reach_the_child(token: Token, module: Module):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(module.process_id, number)
    assert token.logged_in


def test_an_answer_to_a_call_that_was_broken_off_is_not_taken_for_the_next_one(faulty: Faulty):
    token = token_logged_in_to(faulty.module)
    faulty.err("C_GenerateRandom sleep 600")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            token.random(8)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert token.info().label == "test"
    assert len(token.random(20)) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_leaves_no_core(module: Module):
    limits = Path(f"/proc/{module.process_id}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any memory")
def test_others_of_the_same_user_cannot_read_the_memory_of_the_child(module: Module):
    with pytest.raises(PermissionError):
        Path(f"/proc/{module.process_id}/mem").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_pin_is_in_neither_process_after_the_call(faulty: Faulty):
    sentinel = bytearray(24)
    with open("/dev/urandom", "rb", buffering=0) as source:
        # into place: a `bytes` on the way would be found below
        source.readinto(sentinel)
    wanted = bytes(octet ^ 0x55 for octet in sentinel)
    token = faulty.module.token(blank=True)
    token.initialise("test", bytearray(SO_PIN), sentinel)
    token.login(sentinel)
    refusal(token.generate_key, "unknown", "root", b"\1")
    assert token.logged_in
    sentinel[:] = bytes(len(sentinel))
    for process_id in (faulty.module.process_id, os.getpid()):
        try:
            assert found_in_memory(process_id, wanted) == 0, "the PIN is still in memory"
        except PermissionError:
            pytest.skip("this user may not read the memory of the child, as PR_SET_DUMPABLE wants it")


def test_the_search_for_a_pin_would_find_it():
    kept = bytearray(b"sentinel-" + os.urandom(8).hex().encode())
    masked = bytes(octet ^ 0x55 for octet in kept)
    try:
        assert found_in_memory(os.getpid(), masked) >= 1
    except PermissionError:
        pytest.skip("this system does not let us read our own memory")
