"""Step kinds alone, as the generators that they are: fed with answers, no room and no record."""

from typing import Any

import pytest

from ceremony.engine.step import Act, Ask, Known, Person, Show
from ceremony.script import Script, read_script
from ceremony.steps.attest import Attest
from ceremony.steps.record import Fact, Record
from ceremony.steps.roll_call import IDENTIFIED, RollCall
from ceremony.steps.signing import batches
from tests.engine.memory_room import FIRST_CEREMONY, World, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import lines_of
from tests.engine.test_model import requests_of


def script() -> Script:
    return read_script(FIRST_CEREMONY.read_bytes())


def known(**products: Any) -> Known:
    people = {"officer": Person("Nils Berg", "crypto-officer"), "witness-1": Person("Eva Lund", "witness")}
    return Known(script=script(), products=products, opened={"rehearsal": False, "ceremony": "0" * 32}, step=4, people=people)


def run(step: Any, *answers: Any, **products: Any) -> tuple[list[Any], dict[str, Any]]:
    """The requests of a step that gets these answers, and its products."""
    given = iter(answers)
    generator = step.run(known(**products))
    asked = [next(generator)]
    while True:
        try:
            asked.append(generator.send(None if isinstance(asked[-1], Show) else next(given)))
        except StopIteration as end:
            return asked, end.value


def test_a_physical_fact_is_typed_by_two_and_typed_anew_when_they_differ() -> None:
    step = Record(title="Bag", actor="officer", confirm=("witness-1",), facts=(Fact(name="bag", what="bag", text="Number"),))
    asked, products = run(step, "A-1", "differs", "A-2", "A-2", physical=[{"name": "safe"}])
    assert [(ask.key, ask.by, ask.accept, ask.blind) for ask in asked] == [
        ("bag/1/first", "officer", None, False),
        ("bag/1/second", "witness-1", "A-1", True),
        ("bag/2/first", "officer", None, False),
        ("bag/2/second", "witness-1", "A-2", True),
    ]
    assert all("A-" not in " ".join((ask.text, *ask.shown)) for ask in asked), "the second does not see what the first typed"
    assert [fact["name"] for fact in products["physical"]] == ["safe", "bag"]
    assert products["physical"][1]["value"] == "A-2"


def test_an_attestation_is_asked_of_everyone_named() -> None:
    asked, products = run(
        Attest(title="Bag", actor="officer", confirm=("witness-1", "auditor"), statement="It was so."),
        "confirmed",
        "confirmed",
        "confirmed",
    )
    assert [(ask.by, ask.accept, ask.shown) for ask in asked] == [
        (person, "confirmed", ("It was so.",)) for person in ("officer", "witness-1", "auditor")
    ]
    assert products == {}


def test_the_roll_call_offers_exactly_the_names_of_the_script() -> None:
    answers = ("Kari Holm", "Nils Berg", "Ida Moe", "Jon Vik", *["present"] * 4, *[IDENTIFIED[0]] * 4)
    asked, products = run(RollCall(title="Roll-call", actor="admin"), *answers)
    assert [ask.choices for ask in asked[:4]] == [("Kari Holm", "Per Aas"), ("Nils Berg",), ("Eva Lund", "Ida Moe"), ("Jon Vik",)]
    assert products["people"]["witness-1"] == {"name": "Ida Moe", "role": "witness", "stands_in": True}
    by = {"admin": "officer", "officer": "admin", "witness-1": "admin", "auditor": "admin"}
    assert [(ask.key, ask.by) for ask in asked[8:]] == [(f"identified/{id}", who) for id, who in by.items()]


@pytest.mark.parametrize(("number", "most", "sizes"), [(0, 25, []), (3, 25, [3]), (26, 25, [25, 1]), (4, 2, [2, 2])])
def test_batches_are_in_order_and_at_most_so_large(number: int, most: int, sizes: list[int]) -> None:
    cut = [list(some) for some in batches(list(range(number)), most)]
    assert [len(some) for some in cut] == sizes
    assert [item for some in cut for item in some] == list(range(number))


def test_only_harmless_acts_are_simply_repeated_after_an_interruption(tmp_path: Any) -> None:
    world = World(tmp_path / "world").made()
    held_to_the_end(world, People(world))
    lines = lines_of(world)
    after = {
        request.verb: request.after_crash
        for number in range(1, len(script().steps) + 1)
        for request in requests_of(script(), lines, number)
        if isinstance(request, Act)
    }
    assert {verb for verb, how in after.items() if how == "order-again"} == {"sign"}
    assert {verb for verb, how in after.items() if how == "destroy-first"} == {"generate-key", "initialise-token"}
    ordered = [
        request for number in (10, 19, 21) for request in requests_of(script(), lines, number) if isinstance(request, Ask) and request.order
    ]
    assert all(ask.digest and ask.accept for ask in ordered) and len(ordered) == 6
