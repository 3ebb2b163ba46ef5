"""Rules 9 and 10 of the design's section 5: the machine check and who may override it, the clock and the window."""

import pytest

from ceremony.engine.step import Ask, Interrupt
from ceremony.machine.checks import Finding
from tests.engine.memory_room import Clock, World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import acts, assert_right_end, lines_of, of

ROUTE = Finding("routes", "found", "Routes to a network: 1 by eth0.")


def test_the_machine_is_checked_before_each_use_of_the_root(world: World) -> None:
    held_to_the_end(world, People(world))
    lines = lines_of(world)
    uses = [line for line in lines if line.type == "intent" and line.data["verb"] in ("generate-key", "sign")]
    for use in uses:
        assert any(
            line.step == use.step and line.seq < use.seq and line.data.get("verb") == "check-machine"
            for line in lines
            if line.type == "result"
        )


def test_after_an_interruption_within_the_step_it_is_checked_again_before_the_root_is_used(world: World) -> None:
    told = lambda ask: Interrupt(kind="pause") if ask.key == "root/confirm" else None  # noqa: E731
    assert held(world, People(world, told=told)).reason == "operator"
    resumed = len(lines_of(world))
    world.findings = [ROUTE]
    people = People(world, told=lambda ask: Interrupt(kind="abort") if "/unfit/" in ask.key else None)
    assert held(world, people).reason == "aborted"
    assert any(line.data.get("verb") == "check-machine" for line in lines_of(world)[resumed:])
    assert world.store.signed == []


def test_an_unfit_machine_stops_production_until_it_is_mended(world: World) -> None:
    world.findings = [ROUTE]
    turns: list[str] = []

    def told(ask: Ask) -> str | None:
        if "/unfit/" in ask.key:
            turns.append(ask.key)
            if len(turns) == 3:
                world.findings = []
            return "check again"
        return None

    held_to_the_end(world, People(world, told=told))
    assert turns == ["machine/unfit/1", "machine/unfit/2", "machine/unfit/3"]
    assert of(world, "deviation") == []
    assert_right_end(world)


def test_two_people_override_the_machine_check_with_a_reason(world: World) -> None:
    world.findings = [ROUTE]
    told = lambda ask: "override" if "/unfit/" in ask.key else "the cable cannot be pulled today" if ask.key.endswith("/reason") else None  # noqa: E731
    held_to_the_end(world, People(world, told=told))
    overrides = of(world, "deviation")
    assert len(overrides) == 6
    for line in overrides:
        assert line.data["class"] == "override" and "eth0" in line.data["text"] and "cannot be pulled" in line.data["text"]
        assert len({person["id"] for person in line.data["by"]}) == 2
    assert_right_end(world)


def test_an_override_needs_a_reason_and_the_second_person(world: World) -> None:
    world.findings = [ROUTE]
    said = iter(["", "short", "   ", "the cable cannot be pulled today"])

    def told(ask: Ask) -> str | Interrupt | None:
        if "/unfit/" in ask.key:
            return "override"
        if ask.key.endswith("/reason"):
            return next(said)
        return Interrupt(kind="abort") if ask.key.endswith("/agree") else None

    assert held(world, People(world, told=told)).reason == "aborted"
    assert next(said, None) is None
    assert of(world, "deviation") == []


def test_findings_do_not_stop_a_rehearsal_but_are_shown_and_recorded(world: World) -> None:
    world.rehearsal, world.findings = True, [ROUTE]
    people = People(world, told=lambda ask: "leave" if ask.key == "go-on" else None)
    held_to_the_end(world, people)
    assert any("REHEARSAL: in a ceremony each of these would stop it:" in notice.lines for notice in people.notices)
    assert acts(world, "check-machine", "result")[0].data["value"]["findings"][0]["verdict"] == "found"


def test_a_day_outside_the_window_is_refused_and_a_clock_that_went_back_too(world: World) -> None:
    world.clock = Clock("2027-03-01T10:00:00Z")
    with pytest.raises(AssertionError, match="asked for ever: clock/"):
        held(world, People(world))
    assert not [line for line in of(world, "step-finished") if line.step == 2]


def test_the_day_must_be_agreed_on_by_both(world: World) -> None:
    answers = {"clock/1/admin": "agrees", "clock/1/witness-1": "differs", "clock/2/admin": "differs", "clock/2/witness-1": "agrees"}
    people = People(world, told=lambda ask: answers.pop(ask.key, None))
    held_to_the_end(world, people)
    assert "clock/3/admin" in people.asked_keys()
