"""Rule 8 and the chain: a record that was rolled back, cut, copied, changed or torn; and replay that believes nothing blindly."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ceremony.canonical import canonical_json
from ceremony.engine.step import Interrupt
from ceremony.errors import CeremonyError
from ceremony.words import sha256_hex, words_of
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import assert_right_end, lines_of


def cut_at(world: World, number: int) -> None:
    """An older state of the record, as a copy of the folder from before would have it."""
    octets = world.record.read_bytes().splitlines(keepends=True)
    world.record.write_bytes(b"".join(octets[:number]))


def crossed(world: World) -> World:
    assert held(world, People(world)).reason == "crossing"
    return world


def changed_line(
    world: World, wanted: Callable[[dict[str, Any]], bool], change: Callable[[dict[str, Any]], None], *, mend: bool = True
) -> None:
    """One line changed; with `mend` the chain after it is made to fit, as somebody with the disk in hands could."""
    stored = []
    done = False
    prev = None
    for line in world.record.read_bytes().splitlines():
        value = json.loads(line)
        if not done and wanted(value):
            change(value)
            done = True
        if mend and prev is not None:
            value["prev"] = prev
        octets = canonical_json(value) + b"\n"
        prev = sha256_hex(octets)
        stored.append(octets)
    assert done
    world.record.write_bytes(b"".join(stored))


def test_the_fingerprint_is_asked_for_before_anything_of_the_record_is_shown(world: World) -> None:
    people = People(crossed(world))
    held(world, people)
    first = people.asked[0]
    assert first.key == "resume/fingerprint" and first.blind and first.digest is None
    assert world.paper[0] not in " ".join((first.text, *first.shown))


def test_the_fingerprint_can_be_typed_as_hex_or_as_words(world: World) -> None:
    crossed(world)
    seal = world.paper[-1]
    typed = iter([" ".join(words_of(seal)), seal.upper()])
    for _ in range(2):
        told = {"resume/fingerprint": next(typed), "who/admin": Interrupt(kind="pause")}
        assert held(world, People(world, told=lambda ask, told=told: told.get(ask.key))).reason == "operator"  # type: ignore[misc]  # bound early
        assert next(line for line in reversed(lines_of(world)) if line.type == "resumed").data["fingerprint_typed"] == seal


@pytest.mark.parametrize("typed", ["0" * 64, "", "none", "aardvark adroitness", "f" * 63, "ä"])
def test_a_wrong_fingerprint_does_not_open_the_record(world: World, typed: str) -> None:
    crossed(world)
    before = world.record.read_bytes()
    with pytest.raises(CeremonyError) as refused:
        held(world, People(world, told=lambda ask: typed if ask.key == "resume/fingerprint" else None))
    assert refused.value.code == "RECORD-ROLLED-BACK"
    assert world.record.read_bytes() == before


def test_a_fingerprint_that_never_went_onto_paper_is_not_taken(world: World) -> None:
    crossed(world)
    other = lines_of(world)[4].sha256
    with pytest.raises(CeremonyError, match="not in this transcript"):
        held(world, People(world, told=lambda ask: other if ask.key == "resume/fingerprint" else None))


def test_a_record_cut_back_to_an_earlier_announced_line_is_refused(world: World) -> None:
    crossed(world)
    told = lambda ask: Interrupt(kind="pause") if ask.key.startswith("who/") else None  # noqa: E731
    assert held(world, People(world, told=told)).reason == "operator"
    seal = next(line for line in lines_of(world) if line.type == "sealed")
    assert world.paper[-1] != seal.sha256
    cut_at(world, seal.seq)
    with pytest.raises(CeremonyError) as refused:
        held(world, People(world))
    assert refused.value.code == "RECORD-ROLLED-BACK"


def test_an_older_copy_whose_paper_is_older_too_shows_its_last_lines_to_two_people(world: World) -> None:
    """Receipts of the export need nobody; anything else after the fingerprint is shown and confirmed by two."""
    crossed(world)
    receipts = People(world)
    told = lambda ask: Interrupt(kind="pause") if ask.key == "who/admin" else None  # noqa: E731
    receipts.told = told
    held(world, receipts)
    assert not any(key.startswith("resume/lines/") for key in receipts.asked_keys())
    world.paper.pop()
    crash = People(world)
    held_to_the_end(world, crash)
    confirmed = [ask for ask in crash.asked if ask.key.startswith("resume/lines/")]
    assert len({ask.by for ask in confirmed}) == 2
    assert any("paused" in line for line in confirmed[0].shown)
    assert len([line for line in lines_of(world) if line.type == "resumed"][1].data["confirmed_by"]) == 2
    assert_right_end(world)


def test_no_paper_is_believed_only_where_the_record_knows_of_none(world: World) -> None:
    told = lambda ask: Interrupt(kind="pause") if ask.key == "clock/1/admin" else None  # noqa: E731
    assert held(world, People(world, told=told)).reason == "operator"
    world.paper.clear()
    people = People(world)
    held_to_the_end(world, people)
    assert any(key.startswith("resume/lines/") for key in people.asked_keys())
    assert_right_end(world)


def test_a_torn_last_line_is_set_aside_and_told(world: World) -> None:
    crossed(world)
    with world.record.open("ab") as record:
        record.write(b'{"half":')
    people = People(world)
    held_to_the_end(world, people)
    assert next(line for line in lines_of(world) if line.type == "resumed").data["torn"] == {"length": 8, "sha256": sha256_hex(b'{"half":')}
    assert any("8 bytes" in line for ask in people.asked for line in ask.shown)
    assert_right_end(world)


@pytest.mark.parametrize(
    ("wanted", "change"),
    [
        (lambda line: line["type"] == "confirmed", lambda line: line["data"].update(value="Mallory")),
        (lambda line: line["type"] == "opened", lambda line: line["data"].update(rehearsal=True)),
        (lambda line: line["seq"] == 20, lambda line: line.update(time="2030-01-01T00:00:00Z")),
    ],
)
def test_a_changed_line_stops(world: World, wanted: Any, change: Any) -> None:
    changed_line(crossed(world), wanted, change, mend=False)
    with pytest.raises(CeremonyError) as broken:
        held(world, People(world))
    assert broken.value.code == "RECORD-BROKEN"


def test_a_changed_line_with_a_mended_chain_is_not_the_record_on_paper(world: World) -> None:
    changed_line(crossed(world), lambda line: line["type"] == "confirmed", lambda line: line["data"].update(value="Mallory"))
    with pytest.raises(CeremonyError) as refused:
        held(world, People(world))
    assert refused.value.code == "RECORD-ROLLED-BACK"


def _in_the_middle_of_certify_root(world: World) -> None:
    """A crash after the order: nothing is on paper yet, so the disk alone could be changed unseen by the chain."""

    class Cut(Exception):
        pass

    def changed(what: str) -> None:
        last = lines_of(world)[-1] if world.record.exists() and world.record.stat().st_size else None
        if last and what.startswith("line") and last.data.get("key") == "root/confirm":
            raise Cut

    world.changed = changed
    with pytest.raises(Cut):
        held(world, People(world))
    world.changed = lambda what: None


@pytest.mark.parametrize(
    ("wanted", "change"),
    [
        (
            lambda line: line["data"].get("key") == "root/order",
            lambda line: line["data"].update(value="aardvark adroitness aardvark adroitness"),
        ),
        (lambda line: line["data"].get("key") == "root/order", lambda line: line.update(type="confirmed")),
        (lambda line: line["data"].get("key") == "root/order", lambda line: line["data"].update(by="witness-1")),
        (lambda line: line["data"].get("key") == "root/order", lambda line: line["data"].update(key="root/other")),
        (
            lambda line: line["type"] == "result" and line["data"]["key"] == "root/store",
            lambda line: line["data"].update(verb="write-artifact"),
        ),
        (
            lambda line: line["type"] == "intent" and line["data"]["key"] == "root/store",
            lambda line: line["data"]["args"].update(path="work/other.tbs"),
        ),
    ],
)
def test_a_replay_takes_only_what_the_step_would_take_today(world: World, wanted: Any, change: Any) -> None:
    _in_the_middle_of_certify_root(world)
    changed_line(world, wanted, change)
    before = lines_of(world)
    people = People(world)
    outcome = held(world, people)
    assert outcome.reason == "error"
    assert "RECORD-MISMATCH" in " ".join(people.errors())
    assert [line.type for line in lines_of(world)[len(before) :]] == ["resumed"], "nothing is written after a mismatch"
    assert world.store.signed == []


def test_an_inserted_line_with_a_mended_chain_is_not_passed_over(world: World) -> None:
    _in_the_middle_of_certify_root(world)
    lines = [json.loads(line) for line in world.record.read_bytes().splitlines()]
    extra = {**lines[-1], "data": {**lines[-1]["data"], "key": "root/more"}, "seq": lines[-1]["seq"] + 1}
    extra["prev"] = sha256_hex(canonical_json(lines[-1]) + b"\n")
    world.record.write_bytes(world.record.read_bytes() + canonical_json(extra) + b"\n")
    people = People(world)
    assert held(world, people).reason == "error"
    assert "RECORD-MISMATCH" in " ".join(people.errors())
    assert world.store.signed == []


def test_an_open_intent_for_another_act_stops(world: World) -> None:
    _in_the_middle_of_certify_root(world)
    last = json.loads(world.record.read_bytes().splitlines()[-1])
    data = {"key": "root/sign/example-root-g1", "verb": "sign", "args": {"sha256": "0" * 64}}
    extra = {**last, "type": "intent", "actor": None, "data": data, "seq": last["seq"] + 1, "prev": lines_of(world)[-1].sha256}
    world.record.write_bytes(world.record.read_bytes() + canonical_json(extra) + b"\n")
    people = People(world)
    assert held(world, people).reason == "error"
    assert "intends something else" in " ".join(people.errors())
    assert world.store.signed == []


def test_a_pause_before_the_record_is_resumed_writes_nothing(world: World) -> None:
    crossed(world)
    before = world.record.read_bytes()
    outcome = held(world, People(world, told=lambda ask: Interrupt(kind="abort")))
    assert (outcome.reason, outcome.exit_code) == ("not-resumed", 6)
    assert world.record.read_bytes() == before
