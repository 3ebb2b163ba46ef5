"""The crash matrix of first-ceremony: every state that a crash can leave on disk and token, each resumed to the end.

A crash leaves what was made durable so far, and nothing else: so each durable change (a line, half a line, a file, an object
on the token, a bundle, a medium, the paper) gives one state to resume from, before whatever comes next.
"""

import itertools
import json
import os
from pathlib import Path

import pytest

from tests.engine.kinds import Sample, about
from tests.engine.memory_room import World, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import assert_right_end, lines_of

ALL = os.environ.get("CEREMONY_ALL_CRASHES") == "1"
"""Without it states are cut at as `kinds.Sample` chooses, half lines at each third of them, and a second time at each sixth."""

PARTS = 8
"""The matrix is cut in parts, for the processes of pytest-xdist."""
_SECOND_CUTS = (1, 4, 9, 16, 30, 60)


class Snapshots:
    """Keeps the world as it was after the durable changes that are asked for."""

    def __init__(self, world: World, place: Path, wanted: "set[int] | range") -> None:
        self._world, self._place, self._wanted = world, place, wanted
        self._numbers = itertools.count()
        self._sample = Sample(ALL or len(wanted) == 1)
        self.taken: list[tuple[str, World]] = []
        world.changed = self._changed

    def _changed(self, what: str) -> None:
        number = next(self._numbers)
        kind, _, more = what.partition(" ")
        if kind == "line":
            more = about(json.loads(self._world.record.read_bytes().splitlines()[-1])["data"])
        # Each change of token, file and paper is taken; of lines and acts some.
        taken = kind not in ("line", "act") or self._sample.takes(what, more)
        if number not in self._wanted or not taken:
            return
        self._keep(f"{number} {what}", "whole")
        if what.startswith("line") and (ALL or number % 3 == 0):
            torn = self._keep(f"{number} {what}, torn", "torn")
            octets = torn.record.read_bytes()
            last = octets.rstrip(b"\n").rfind(b"\n") + 1
            torn.record.write_bytes(octets[: last + (len(octets) - last) // 2])

    def _keep(self, what: str, kind: str) -> World:
        copy = self._world.copy_to(self._place / f"{len(self.taken)}-{kind}")
        self.taken.append((what, copy))
        return copy


def states(place: Path, part: int) -> list[tuple[str, World]]:
    """One part of all the states that a crash of the whole ceremony can leave."""
    world = World(place / "whole").made()
    snapshots = Snapshots(world, place, range(part, 10_000, PARTS))
    held_to_the_end(world, People(world))
    assert_right_end(world)
    return snapshots.taken


@pytest.mark.parametrize("part", range(PARTS))
def test_every_crash_is_resumed_to_one_right_end(place: Path, part: int) -> None:
    taken = states(place, part)
    assert len(taken) > 20
    for what, world in taken:
        people = People(world)
        held_to_the_end(world, people)
        try:
            assert_right_end(world)
        except AssertionError as wrong:
            raise AssertionError(f"cut after {what}") from wrong


@pytest.mark.parametrize("part", range(PARTS))
def test_a_crash_of_the_resumed_run_is_resumed_to_one_right_end(place: Path, part: int) -> None:
    for number, (what, world) in enumerate(states(place, part)):
        if not ALL and number % 6:
            continue
        second = _SECOND_CUTS[(number + part) % len(_SECOND_CUTS)]
        snapshots = Snapshots(world, place / f"second-{number}", {second})
        held_to_the_end(world, People(world))
        for again, cut in snapshots.taken[:1]:
            held_to_the_end(cut, People(cut))
            try:
                assert_right_end(cut)
            except AssertionError as wrong:
                raise AssertionError(f"cut after {what}, then after {again} of the resumed run") from wrong


def test_giving_up_after_every_crash_also_comes_to_an_end(place: Path) -> None:
    """Where people would rather not sign the same bytes again, an intermediate is left out, and the bundle still verifies."""
    world = World(place / "whole").made()
    snapshots = Snapshots(world, place, range(10_000))
    held_to_the_end(world, People(world))
    undecided = [
        (what, cut)
        for what, cut in snapshots.taken
        if what.endswith(("signature", "line intent"))
        and (last := lines_of(cut)[-1]).data.get("key", "").startswith("batch/1/sign/")
        and last.type == "intent"
    ]
    assert len(undecided) == 4
    for _, cut in undecided:
        given_up = People(cut, told=lambda ask: "give up" if ask.key.endswith("/recover") else None)
        held_to_the_end(cut, given_up)
        lines = lines_of(cut)
        assert [line.data["how"] for line in lines if line.type == "recovered" and line.data["verb"] == "sign"] == ["given-up"]
        (left,) = {"alpha.1", "beta.1"} - {
            path.name.removesuffix(".cert.pem") for path in (cut.folder / "bundles/2/intermediates").glob("*.cert.pem")
        }
        serial = next(line.data["serial"] for line in lines if line.type == "recovered" and line.data["how"] == "given-up")
        assert f'"serial":"{serial}","state":"possibly-signed"' in (cut.folder / "bundles/2/record/ledger.json").read_text()
        assert left in next(line.data["key"] for line in lines if line.type == "recovered" and line.data["how"] == "given-up")
