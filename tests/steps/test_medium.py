"""The media of a crossing: a fresh one of known serial goes out, one that is mounted read-only comes in."""

from typing import Any

import pytest

from ceremony.engine.step import Act, Ask, Known, Person, Show, Write
from ceremony.script import read_script
from ceremony.steps.medium import inbound_medium, outbound_medium
from tests.engine.memory_room import FIRST_CEREMONY

PEOPLE = ("officer", "witness-1")
GOOD = {"place": "/media/out", "device": "/dev/sdb1", "file_system": "a1", "read_only": False, "serial": "S-1", "used": []}
REASON = "a disc that is burnt elsewhere"
OVERRIDDEN = (REASON, "agreed", *({"line": "0" * 64, "signature": "0" * 128},) * 2, "0" * 64)


def played(run: Any, *answers: Any) -> tuple[list[Any], Any]:
    given = iter(answers)
    asked = [next(run)]
    while True:
        try:
            asked.append(run.send(None if isinstance(asked[-1], Show) else next(given)))
        except StopIteration as end:
            return asked, end.value


def known(*, rehearsal: bool = False) -> Known:
    people = {"officer": Person("Nils Berg", "crypto-officer"), "witness-1": Person("Eva Lund", "witness")}
    opened = {"rehearsal": rehearsal, "ceremony": "c0ffee00" * 4}
    return Known(script=read_script(FIRST_CEREMONY.read_bytes()), products={}, opened=opened, step=4, people=people)


def of(asked: list[Any], verb: str) -> list[Act]:
    return [request for request in asked if isinstance(request, Act) and request.verb == verb]


def test_a_fresh_medium_whose_serial_the_system_knows_is_taken_without_a_question_more() -> None:
    asked, medium = played(outbound_medium(known(), 2, PEOPLE), "in", GOOD, {"serial": "S-1"})
    assert [request.key for request in asked] == ["outbound/1", "outbound/1/look/1", "outbound/1/take"]
    assert of(asked, "take-medium")[0].args == {"bundle": 2, "serial": "S-1"}
    assert medium == {"serial": "S-1", "device": "/dev/sdb1", "file_system": "a1"}


def test_a_serial_that_the_system_does_not_know_is_typed_by_two_people_and_made_up_in_a_rehearsal() -> None:
    asked, medium = played(outbound_medium(known(), 1, PEOPLE), "in", {**GOOD, "serial": ""}, "L 77", "L 77", {"serial": "L 77"})
    assert [(ask.by, ask.form, ask.blind) for ask in asked if isinstance(ask, Ask)][1:] == [
        ("officer", "medium", False), ("witness-1", "", True)
    ]  # fmt: skip
    assert medium["serial"] == "L 77"
    asked, medium = played(outbound_medium(known(rehearsal=True), 1, PEOPLE), "in", {**GOOD, "serial": "", "device": ""}, {})
    assert medium["serial"] == "REHEARSAL-" + "c0ffee00" * 4 + "-1" and len([ask for ask in asked if isinstance(ask, Ask)]) == 1
    assert sum("REHEARSAL" in line for show in asked if isinstance(show, Show) for line in show.lines) == 2


def test_a_medium_that_took_a_bundle_before_is_refused_and_another_asked_for() -> None:
    used = {**GOOD, "used": ["s-1"]}
    asked, medium = played(outbound_medium(known(), 1, PEOPLE), "in", used, "seen", "in", {**used, "serial": "S-2"}, {"serial": "S-2"})
    assert medium["serial"] == "S-2" and len(of(asked, "take-medium")) == 1


@pytest.mark.parametrize(
    ("run", "seen"),
    [
        (lambda: outbound_medium(known(), 1, PEOPLE), {**GOOD, "device": ""}),
        (lambda: inbound_medium(known(), "inbound/1", PEOPLE), {**GOOD, "device": ""}),
        (lambda: inbound_medium(known(), "inbound/1", PEOPLE), GOOD),
    ],
    ids=["a folder for what leaves", "a folder for what comes in", "mounted for writing"],
)
def test_an_unfit_medium_is_used_only_by_an_override_of_two(run: Any, seen: dict[str, Any]) -> None:
    start = ["in"] if run().send(None).key == "outbound/1" else []
    asked, _ = played(run(), *start, seen, "look again", seen, "override", *OVERRIDDEN, {})
    (line,) = [request for request in asked if isinstance(request, Write)]
    assert line.data["class"] == "override" and REASON in line.data["text"]
    assert {person["id"] for person in line.data["by"]} == set(PEOPLE)


def test_an_inbound_medium_that_is_read_only_asks_nothing_and_an_unfit_one_only_says_so_in_a_rehearsal() -> None:
    assert len(played(inbound_medium(known(), "inbound/1", PEOPLE), {**GOOD, "read_only": True})[0]) == 1
    asked, _ = played(inbound_medium(known(rehearsal=True), "inbound/1", PEOPLE), GOOD)
    assert isinstance(asked[-1], Show) and "mounted for writing" in asked[-1].lines[0]
