"""first-ceremony on SoftHSM, cut at each line of its transcript and gone on with.

The processes are really killed at some lines. For all the others the folder, token included, is copied at that moment,
which is what SIGKILL would leave: between two calls the module's child waits and writes nothing.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.crossing.verify import verify_bundle
from ceremony.room.rehearsed import Rehearsed
from ceremony.transcript import Line, read_lines
from hsm.client import Module
from tests.engine.kinds import Sample, about
from tests.room.held import Enough, copied, is_closed, rehearsed, resumed

ALL = os.environ.get("CEREMONY_ALL_CRASHES") == "1"
"""Without it cuts are made as `kinds.Sample` chooses, and followed for a few lines, those at each sixtieth line to the very end."""

PARTS = 6
_FOLLOWED = 4
_TO_THE_END = 1 if ALL else 60
_PIN = b"rehearsal-user-pin"


def lines_of(folder: Path) -> list[Line]:
    return read_lines((folder / "transcript.jsonl").read_bytes())[0]


def keys_on_token(folder: Path) -> int:
    lines = lines_of(folder)
    place = Rehearsed.found(folder, Path(lines[0].data["module"]["path"]))
    with Module.start(place.module, place.environment) as module:
        (info,) = (info for info in module.tokens() if info.initialised)
        token = module.token(serial=info.serial)
        token.login(bytearray(_PIN))
        return sum(found.object_class == "PRIVATE_KEY" for found in token.inventory())


def assert_right_end(folder: Path) -> None:
    assert is_closed(folder)
    seal = [line for line in lines_of(folder) if line.type == "sealed"][-1]
    verdict = verify_bundle(folder / "bundles" / "2", fingerprint=seal.sha256)
    assert verdict.word == "GOOD", [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]
    assert keys_on_token(folder) == 1


@pytest.mark.usefixtures("softhsm")
@pytest.mark.parametrize("part", range(PARTS))
def test_cut_at_each_line_it_goes_on(tmp_path: Path, part: int) -> None:
    whole = tmp_path / "whole"
    cuts: list[tuple[int, str, Path]] = []
    sample = Sample(ALL)

    def keep(number: int, when: str) -> None:
        # Before a line is after the line before, but for what an act did in between.
        last = json.loads((whole / "transcript.jsonl").read_bytes().splitlines()[-1]) if (number, when) != (1, "before") else None
        if last is None or (when == "before" and last["type"] != "intent"):
            return
        to_the_end = (number + part) % _TO_THE_END == 0
        if (sample.takes(f"{when} {last['type']}", about(last["data"])) or to_the_end) and number % PARTS == part:
            cuts.append((number, when, copied(whole, tmp_path / f"{number}-{when}")))

    rehearsed(whole, keep)
    assert_right_end(whole)
    assert len(cuts) > 15
    for number, when, folder in cuts:
        if is_closed(folder):
            continue
        to_the_end = (number + part) % _TO_THE_END == 0
        until = len(lines_of(folder)) + _FOLLOWED

        def enough(line: int, moment: str, until: int = until, to_the_end: bool = to_the_end) -> None:
            if line >= until and moment == "after" and not to_the_end:
                raise Enough

        try:
            outcome = resumed(folder, enough)
        except Enough:
            continue
        assert outcome.reason == "closed", f"cut {when} line {number}: {outcome}"
        assert_right_end(folder)


@pytest.mark.usefixtures("softhsm")
@pytest.mark.parametrize(("line", "when"), [(29, "before"), (44, "after"), (63, "after"), (64, "before"), (96, "after"), (150, "before")])
def test_killed_with_its_process_group_it_goes_on(tmp_path: Path, line: int, when: str) -> None:
    folder = tmp_path / "ceremony"
    command = [sys.executable, "-m", "tests.room.held", str(folder), str(line), when]
    killed = subprocess.run(command, start_new_session=True, check=False, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(lines_of(folder)) == (line if when == "after" else line - 1)
    assert resumed(folder).reason == "closed"
    assert_right_end(folder)
