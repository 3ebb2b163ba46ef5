"""Bags, seals, media and counts: typed in their form by two people, held against what was before."""

from typing import Any

import msgspec
import pytest

from ceremony.custody import FORMS, problem_with_fact, same_fact
from ceremony.engine.answers import problem_with
from ceremony.engine.step import Act, Ask, Step, World, Write
from ceremony.pki.lost_ledger import PreviousTable
from ceremony.script import ScriptRefused, read_script
from ceremony.steps.inventory import Inventory, Item
from ceremony.steps.record import Fact, Record
from tests.engine.memory_room import FIRST_CEREMONY
from tests.steps import test_steps
from tests.steps.test_steps import run

_WHO: dict[str, Any] = {"title": "Bag", "actor": "officer", "confirm": ("witness-1",)}
TAKEN_OUT = Record(**_WHO, custody="taken-out", facts=(Fact(name="token-bag", what="bag", text="Number on the bag"),))
COUNTED_OUT = Inventory(**_WHO, count="out", items=(Item(name="bags", text="Unused bags", change=-1),))
REASON = "the bag tore in the safe"
OVERRIDDEN = (REASON, "agreed", *({"line": "0" * 64, "signature": "0" * 128},) * 2, "0" * 64)
"""What an override asks for: a reason, agreement, the signatures of both who stand behind it, and its line."""


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("bag", ["A-1", "NO 00123.4/5"], ["", "A", "bag", "A-1\u202e", "-A1", "x" * 40 + "1", "Ä-12"]),
        ("seal", ["0001234"], ["seal", "12\x1b"]),
        ("safe", ["Safe 2, drawer 4", "Hvælv 1"], ["", "x", "-- 1"]),
        ("medium", ["AA00000000000489", "S/N 7"], ["", "x" * 65, "Å1"]),
        ("token", ["0123456789abcdef"], ["0123456789abcdef0"]),
        ("video-start", ["2026-11-24 09:30", "2026-11-24T09:30:15Z"], ["9:30", "2026-11-31 09:30", "2026-11-24 25:00", "now"]),
        ("count", ["0", "12"], ["-1", "1.5", "two", "12345"]),
        ("other", ["anything at all"], []),
    ],
)  # fmt: skip
def test_each_kind_takes_what_is_written_so_and_nothing_else(kind: str, good: list[str], bad: list[str]) -> None:
    assert [problem_with_fact(kind, value) for value in good] == [None] * len(good)
    assert all(problem_with_fact(kind, value) for value in bad)
    ask = Ask(key="k", text="?", by="officer", least=1, form=kind)
    assert problem_with(ask, good[0]) is None and all(problem_with(ask, value) for value in bad)


def test_every_kind_but_other_has_a_form_and_spelling_does_not_matter() -> None:
    assert set(FORMS) == {"bag", "seal", "safe", "medium", "token", "video-start", "video-stop", "time", "count"}
    assert same_fact("no  0012,A", "NO 0012 a") and not same_fact("0012", "012")


def test_what_is_as_it_was_put_away_asks_nothing_more() -> None:
    asked, products = run(TAKEN_OUT, "a-17", "A-17", custody={"token-bag": {"what": "bag", "value": "A-17"}})
    assert [request.key for request in asked] == ["token-bag/1/first", "token-bag/1/second"]
    assert products["physical"] == [
        {"name": "token-bag", "what": "bag", "text": "Number on the bag", "value": "a-17", "custody": "taken-out"}
    ]
    assert "custody" not in products


def test_a_difference_is_shown_and_goes_on_only_by_two_people_with_a_reason() -> None:
    last = {"token-bag": {"what": "bag", "value": "A-17"}}
    asked, _ = run(TAKEN_OUT, "A-71", "A-71", "look again", "A-71", "A-71", "deviation", *OVERRIDDEN, custody=last)
    assert "A-17" not in str(asked[:2]), "nobody copies the old number"
    assert [request.key for request in asked[2:]] == [
        "token-bag/2/custody", "token-bag/2/first", "token-bag/2/second", "token-bag/3/custody",
        "token-bag/3/custody/reason", "token-bag/3/custody/agree", "token-bag/3/custody/signed/officer",
        "token-bag/3/custody/signed/witness-1", "token-bag/3/custody/deviation",
    ]  # fmt: skip
    assert any("A-17" in line for line in asked[2].shown) and any("A-71" in line for line in asked[2].shown)
    assert (asked[-5].by, asked[-4].by) == ("officer", "witness-1")
    assert isinstance(asked[-1], Write) and asked[-1].data["class"] == "override" and REASON in asked[-1].data["text"]
    assert {person["id"] for person in asked[-1].data["by"]} == {"officer", "witness-1"}


def test_a_later_ceremony_asks_the_room_for_the_ledgers_custody_and_this_ceremonys_own_goes_before(monkeypatch: Any) -> None:
    later = msgspec.structs.replace(read_script(FIRST_CEREMONY.read_bytes()), previous=PreviousTable(fingerprint="0" * 64))
    monkeypatch.setattr(test_steps, "script", lambda: later)
    in_ledger = {"custody": {"token-bag": {"what": "bag", "value": "A-1"}}}
    asked, _ = run(TAKEN_OUT, in_ledger, "A-1", "A-1")
    assert isinstance(asked[0], Act) and asked[0].verb == "read-custody" and len(asked) == 3
    asked, _ = run(TAKEN_OUT, in_ledger, "A-2", "A-2", custody={"token-bag": {"what": "bag", "value": "A-2"}})
    assert len(asked) == 3


def test_what_is_put_away_goes_on() -> None:
    away = Record(**_WHO, custody="put-away", facts=TAKEN_OUT.facts)
    safe = {"what": "safe", "value": "Safe 1"}
    _, products = run(away, "A-2", "A-2", custody={"safe": safe, "token-bag": {"what": "bag", "value": "A-1"}})
    assert products["custody"] == {"safe": safe, "token-bag": {"what": "bag", "value": "A-2"}}


def test_a_count_that_balances_asks_nothing_more_and_one_that_does_not_needs_two_people() -> None:
    counted_in = {"bags": 4, "tokens": 1}
    asked, products = run(COUNTED_OUT, "3", "3", counted_in=counted_in)
    assert len(asked) == 3 and products == {"counted_in": {"tokens": 1}, "counted_out": {"bags": 3}}
    asked, products = run(COUNTED_OUT, "4", "4", "count again", "2", "2", "deviation", *OVERRIDDEN, counted_in=counted_in)
    (line,) = [request for request in asked if isinstance(request, Write)]
    assert line.data["class"] == "override" and "(in 4, foreseen 3, out 2)" in line.data["text"]
    assert products["counted_out"] == {"bags": 2}


@pytest.mark.parametrize(
    ("step", "world", "problem"),
    [
        (TAKEN_OUT, World(taken_out=frozenset({"token-bag"})), "taken out already"),
        (Record(**_WHO, custody="put-away", facts=(Fact(name="t", what="time", text="?"),)), World(), "a moment"),
        (Record(**_WHO, facts=(Fact(name="v", what="video-stop", text="?"),)), World(), "no step before recorded its start"),
        (COUNTED_OUT, World(), "was not counted in"),
        (Inventory(**_WHO, count="in", items=(Item(name="bags", text="?"),)), World(counted_in=frozenset({"bags"})), "counted in already"),
        (Inventory(**_WHO, count="in", items=COUNTED_OUT.items), World(), "only where it is counted out"),
        (Inventory(**_WHO, count="in", items=()), World(), "nothing to count"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_hold_is_told(step: Step, world: World, problem: str) -> None:
    assert any(problem in told for told in step.requires(world, read_script(FIRST_CEREMONY.read_bytes())))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('title = "Put the token into a new bag"', "", "not put away again, by no step of kind record: token-bag, token-seal"),
        ('count = "out"', "", "counted in and not out again: bags, media, tokens"),
        ('"token-seal", what = "seal"', '"token-seal", what = "video-start"', "a camera was started"),
        ('name = "token-bag", what = "bag"', 'name = "Token Bag", what = "bag"', "facts"),
    ],
)  # fmt: skip
def test_what_is_recorded_at_the_start_must_be_recorded_at_the_end(old: str, new: str, problem: str) -> None:
    head, *steps = FIRST_CEREMONY.read_text().split("[[steps]]")
    if new:
        steps = [step.replace(old, new).replace('custody = "taken-out"\n', "").replace('custody = "put-away"\n', "") for step in steps]
    else:
        steps = [step for step in steps if old not in step]
    with pytest.raises(ScriptRefused) as refused:
        read_script("[[steps]]".join([head, *steps]).encode())
    assert any(problem in f"{told.where}: {told.what}" for told in refused.value.problems)
