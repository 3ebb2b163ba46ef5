"""Acts that go together, and results that reach the disk with what comes next: what is there, and when."""

import os
from pathlib import Path
from typing import Any

import pytest

from ceremony.engine.step import Act, Acts, Ask, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.machine import disk
from ceremony.transcript import Moment, Transcript, read_lines
from tests.engine.memory_room import MemoryRoom, World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import acts, assert_right_end, lines_of

GROUPS = [
    ["alpha.1/serial/1", "beta.1/serial/1"],
    ["alpha.1/store", "beta.1/store"],
    ["alpha.1/write", "alpha.1/chain", "beta.1/write", "beta.1/chain"],
]
"""What sign-intermediates does together."""


class Disk:
    """How many bytes of the record are on the disk for sure: as many as there were when it was flushed last."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world, self._flushed = world, 0
        flush = os.fsync

        def fsync(descriptor: int) -> None:
            flush(descriptor)
            if os.readlink(f"/proc/self/fd/{descriptor}") == str(world.record):
                self._flushed = world.record.stat().st_size

        monkeypatch.setattr(os, "fsync", fsync)

    @property
    def holds_all(self) -> bool:
        return not self._world.record.exists() or self._world.record.stat().st_size == self._flushed


class Told(People):
    """Asserts that all lines are on the disk whenever people are told or asked something."""

    on: Disk

    def ask(self, ask: Ask) -> Any:
        assert self.on.holds_all, ask.key
        return super().ask(ask)

    def tell(self, notice: Notice) -> None:
        assert self.on.holds_all, notice
        super().tell(notice)

    def secret(self, secret: Secret) -> Any:
        assert self.on.holds_all, secret.what
        return super().secret(secret)


def test_each_line_is_on_the_disk_before_the_screen_says_it_and_before_the_next_act(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    people = Told(world)
    people.on = on = Disk(world, monkeypatch)
    done = MemoryRoom.do

    def do(room: MemoryRoom, act: Act, *more: Any) -> Any:
        assert on.holds_all, f"the intent of {act.key} is not on the disk"
        return done(room, act, *more)

    monkeypatch.setattr(MemoryRoom, "do", do)
    held_to_the_end(world, people)
    assert_right_end(world)


def test_a_group_is_intended_whole_before_its_first_act_and_its_files_are_flushed_before_its_first_result(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, seen = disk.sync_file_system, list[list[tuple[str, str]]]()

    def flushed(place: Path) -> None:
        flush(place)
        lines = [line for line in read_lines(world.record.read_bytes())[0] if line.type in ("intent", "result")]
        seen.append([(line.type, line.data["key"]) for line in lines])

    monkeypatch.setattr("ceremony.machine.folder.sync_file_system", flushed)
    held_to_the_end(world, People(world))
    assert [lines[-len(group) :] for lines, group in zip(seen, GROUPS, strict=True)] == [
        [("intent", key) for key in group] for group in GROUPS
    ]
    assert_right_end(world)


@pytest.mark.parametrize(("key", "unknown"), [("beta.1/serial/1", False), ("alpha.1/store", True), ("beta.1/write", False)])
def test_an_act_of_a_group_that_fails_is_told_and_what_is_left_is_done_one_by_one(world: World, key: str, unknown: bool) -> None:
    failing = [CeremonyError("MEDIUM-FULL", "made up", outcome_unknown=unknown)]
    world.faults.act = lambda at, when: failing.pop() if failing and (at, when) == (key, "before") else None
    people = People(world)
    held_to_the_end(world, people)
    assert any("made up" in error for error in people.errors())
    errors = [line.data["key"] for line in lines_of(world) if line.type == "result" and "error" in line.data]
    assert errors == ([] if unknown else [key])
    (group,) = [group for group in GROUPS if key in group]
    after = group[group.index(key) + (not unknown) :]
    assert [line.data["key"] for line in lines_of(world) if line.type == "recovered"] == after
    assert_right_end(world)


def test_files_of_a_group_that_can_not_be_flushed_are_not_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, fails = disk.sync_file_system, [True, False, False, False]

    def failing(place: Path) -> None:
        flush(place)
        if fails.pop():
            raise OSError(28, "No space left on device")

    fails.reverse()
    monkeypatch.setattr("ceremony.machine.folder.sync_file_system", failing)
    people = People(world)
    held_to_the_end(world, people)
    assert any("No space left" in error for error in people.errors())
    refused = next(line for line in lines_of(world) if line.type == "result" and "error" in line.data)
    assert refused.data["key"] == GROUPS[0][0]
    assert not [line for line in acts(world, "serial-number", "result") if line.seq < refused.seq and line.step == refused.step]
    assert_right_end(world)


def test_a_record_that_can_not_be_flushed_stops_before_anything_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def failing(descriptor: int) -> None:
        place = os.readlink(f"/proc/self/fd/{descriptor}")
        if place == str(world.record) and GROUPS[1][-1] in [line.data["key"] for line in acts(world, "store", "result")]:
            raise OSError(28, "No space left on device")
        flush(descriptor)

    held(world, People(world))
    monkeypatch.setattr(os, "fsync", failing)
    people = People(world)
    outcome = held(world, people)
    assert outcome.reason == "error" and "No space left" in outcome.text, outcome
    assert lines_of(world)[-1].data["key"] == GROUPS[1][-1] and lines_of(world)[-1].type == "intent"
    monkeypatch.setattr(os, "fsync", flush)
    held_to_the_end(world, People(world))
    assert_right_end(world)


def test_lines_that_are_not_on_the_disk_are_taken_back_with_the_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript(tmp_path / "transcript.jsonl", lambda: Moment("2026-11-24T09:00:00Z", "boot", 0))
    transcript.append("opened", {}, prev="0" * 64)
    on_the_disk = transcript.path.read_bytes()
    transcript.append("intent", {}, flush=False)
    assert len(read_lines(transcript.path.read_bytes())[0]) == 2

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CeremonyError, match="No space left"):
        transcript.append("result", {})
    assert transcript.path.read_bytes() == on_the_disk and len(transcript.lines) == 1
    transcript.close()


def test_an_act_that_needs_care_after_a_crash_goes_into_no_group() -> None:
    with pytest.raises(ValueError, match="done again"):
        Acts(acts=(Act(key="a", verb="sign", after_crash="order-again"),))
