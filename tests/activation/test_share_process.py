"""The process that handles shares: the same as the plain functions, and nothing secret where others could see it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.activation import client, shares, wire
from ceremony.activation.shares import ShareProblem
from ceremony.errors import CeremonyError
from tests.memory import found_in_memory


def test_split_read_and_combine_come_back_as_they_are():
    secret = bytearray(os.urandom(16))
    made = client.split(secret, 2, 3, other_sets={1, 2})
    read = [client.read_share(share) for share in made]
    assert [(share.index, share.threshold, share.words) for share in read] == [(place, 2, made[place]) for place in range(3)]
    assert client.combine([read[2], read[0]], of_set=shares.set_of(read[0])) == secret == shares.combine(read[:2])


def test_a_problem_comes_back_with_its_places():
    words = shares.split(bytearray(16), 2, 2)[0].decode().split()
    words[3] = "nothere"
    with pytest.raises(ShareProblem) as caught:
        client.read_share(bytearray(" ".join(words).encode()))
    assert (caught.value.code, caught.value.words, caught.value.share) == ("SHARE-WORD", (4,), None)
    one, other = (client.read_share(client.split(bytearray(16), 2, 2, other_sets=numbers)[0]) for numbers in ((), ()))
    with pytest.raises(ShareProblem) as caught:
        client.combine([one, other])
    assert caught.value.share == 2


def test_a_process_that_ends_without_an_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ceremony.activation.client._CHILD", "import sys; sys.stdin.buffer.read(1)")
    with pytest.raises(CeremonyError) as caught:
        client.read_share(bytearray(b"abc"))
    assert caught.value.code == "SHARE-PROCESS"


def test_neither_argument_nor_environment_carries_anything(monkeypatch: pytest.MonkeyPatch):
    """Looked at while the child waits for its request."""
    monkeypatch.setenv("PYTHONVERBOSE", "1")
    started: list[list[bytes]] = []
    real = subprocess.Popen

    def looked_at(*args, **kwargs):
        child = real(*args, **kwargs)
        process = Path(f"/proc/{child.pid}")
        while process.joinpath("cmdline").read_bytes().split(b"\0")[1:2] != [b"-I"]:
            pass
        started.append([process.joinpath("environ").read_bytes(), process.joinpath("cmdline").read_bytes()])
        return child

    monkeypatch.setattr("ceremony.activation.client.subprocess.Popen", looked_at)
    share = bytes(client.split(bytearray(range(16)), 2, 2)[0])
    [[environment, arguments]] = started
    assert environment == b""
    assert len(arguments.rstrip(b"\0").split(b"\0")) == 5
    assert not set(share.split()) & set(arguments.split())


LOOKS_AT_ITSELF = """
import sys; sys.path.insert(0, sys.argv[1])
from ceremony.activation import share_process, wire
from ceremony.machine.hardening import is_dumpable
def look(_):
    with open("/proc/self/limits") as limits, open(sys.argv[2], "w") as report:
        report.write(f"dumpable: {is_dumpable()}\\n{limits.read()}")
    raise wire.WireClosed
wire.receive = look
share_process.main()
"""


def test_others_can_not_read_the_child_and_it_leaves_no_core(tmp_path: Path):
    """What it has made of itself when it takes the request."""
    root, report = Path(client.__file__).resolve().parents[2], tmp_path / "report"
    subprocess.run([sys.executable, "-I", "-c", LOOKS_AT_ITSELF, root, report], check=False, stdin=subprocess.DEVNULL)
    said = report.read_text()
    assert "dumpable: False" in said
    assert re.search(r"Max core file size +0 +0 ", said)


def test_what_is_no_message_ends_the_talk():
    for octets in (b"", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x09{"):
        reading, writing = os.pipe()
        os.write(writing, octets)
        os.close(writing)
        with pytest.raises(wire.WireClosed):
            wire.receive(reading)
        os.close(reading)


def test_neither_secret_nor_share_nor_pin_is_left_in_the_process_that_leads_the_ceremony():
    """All there is between a split and a login; what is ours is wiped, and no copy may be left beside it."""
    secret = bytearray(16)
    with open("/dev/urandom", "rb", buffering=0) as source:
        # into place: a `bytes` on the way would be found below
        source.readinto(secret)
    made = client.split(secret, 2, 2)
    read = [client.read_share(share) for share in made]
    again = client.combine(read)
    pin = shares.pin_of(again, 4, 255, "alphanumeric", False)
    # of a share its end: the beginning is common to all of its set, and public
    wanted = [bytes(octet ^ 0x55 for octet in held[-24:]) for held in (secret, pin, made[1])]
    assert all(found_in_memory(os.getpid(), masked) for masked in wanted), "the search finds what is there"
    for held in (secret, again, pin, *made, *(share.words for share in read)):
        held[:] = bytes(len(held))
    assert [found_in_memory(os.getpid(), masked) for masked in wanted] == [0, 0, 0]
