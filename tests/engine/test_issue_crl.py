"""issue-crl in a first ceremony, cut, failed and given up: one CRL in the end, its number used once, what was given up on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ceremony.crossing.artifacts import read_crl_file
from ceremony.errors import CeremonyError
from ceremony.pki.crl import Crl
from ceremony.transcript import read_lines
from hsm.errors import TokenError
from tests.credentials import with_credentials
from tests.engine.memory_room import FIRST_CEREMONY, World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import assert_no_signature_unnoticed, assert_right_end, lines_of, recovered

SIGN = "crl/1/sign/example-root-g1"
CRL = "crl/example-root-g1.crl.pem"
_STEPS = """[[steps]]
kind = "unlock"
title = "Unlock for the CRL"
actor = "officer"

[[steps]]
kind = "issue-crl"
title = "Sign the CRL"
actor = "officer"
confirm = ["witness-1"]

"""


def with_crl(script: str) -> str:
    """The script, with a CRL signed after the intermediates."""
    after = script.index("[[steps]]", script.index('kind = "sign-intermediates"'))
    script = script[:after] + _STEPS + script[after:]
    return script.replace("[activation]", "[crl]\nnext_update = 2027-12-31T00:00:00Z\n\n[activation]", 1)


SCRIPT = with_crl(with_credentials(FIRST_CEREMONY.read_bytes()).decode()).encode()
ISSUES = 1 + next(number for number, part in enumerate(SCRIPT.decode().split("[[steps]]")[1:]) if 'kind = "issue-crl"' in part)


@pytest.fixture
def world(place: Path) -> Iterator[World]:
    yield World(place / "world", script=SCRIPT).made()


def crl_of(world: World) -> Crl:
    assert_right_end(world)
    return read_crl_file((world.folder / "bundles" / "2" / CRL).read_bytes())


def test_the_first_ceremony_may_leave_with_a_first_crl(world: World) -> None:
    held_to_the_end(world, People(world))
    crl = crl_of(world)
    assert (crl.number, crl.revoked, f"{crl.next_update:%Y-%m-%d}") == (1, (), "2027-12-31")


def test_an_intermediate_given_up_in_this_ceremony_is_on_its_crl(world: World) -> None:
    def fault(at: str, when: str) -> CeremonyError | None:
        unknown = CeremonyError("FOLDER-UNWRITABLE", "made up", outcome_unknown=True)
        return unknown if (at, when) == ("batch/1/sign/beta.1", "before") else None

    world.faults.act = fault
    held_to_the_end(world, People(world, told=lambda ask: "give up" if ask.key.endswith("/recover") else None))
    (entry,) = crl_of(world).revoked
    (given_up,) = recovered(lines_of(world), "sign", "given-up")
    assert (f"{entry.serial:040x}", entry.reason) == (given_up.data["serial"], "cessationOfOperation")


def test_a_crl_given_up_is_drafted_anew_with_the_next_number(world: World) -> None:
    world.faults.act = lambda at, when: (
        CeremonyError("FOLDER-UNWRITABLE", "made up", outcome_unknown=True) if (at, when) == (SIGN, "before") else None
    )
    people = People(world, told=lambda ask: "give up" if ask.key.endswith("/recover") else None)
    held_to_the_end(world, people)
    assert crl_of(world).number == 2
    assert [line.data.get("crl_number") for line in recovered(lines_of(world), "sign", "given-up")] == [1]
    shown = next(ask.shown for ask in people.asked if ask.key == f"{SIGN}/recover")
    assert any("CRL with the next number" in line for line in shown)


def test_the_same_bytes_are_signed_again_only_after_a_new_order(world: World) -> None:
    def changed(what: str) -> None:
        if what == "line intent" and lines_of(world)[-1].data["key"] == SIGN:
            world.faults.after["sign"] = [TokenError("MODULE-HANGS", "No answer.", outcome_unknown=True)]

    world.changed = changed
    people = People(world)
    held_to_the_end(world, people)
    assert crl_of(world).number == 1
    assert f"{SIGN}/order-again" in people.asked_keys() and f"{SIGN}/confirm-again" in people.asked_keys()


def test_every_cut_while_the_crl_is_made_is_resumed_to_one_right_end(place: Path) -> None:
    world = World(place / "whole", script=SCRIPT).made()
    taken: list[tuple[str, World]] = []

    def changed(what: str) -> None:
        if not world.record.exists():
            return
        lines, _ = read_lines(world.record.read_bytes())
        if lines and lines[-1].step == ISSUES:
            taken.append((what, world.copy_to(place / str(len(taken)))))

    world.changed = changed
    held_to_the_end(world, People(world))
    assert len(taken) > 15
    for what, copy in taken:
        held_to_the_end(copy, People(copy))
        crl = crl_of(copy)
        assert crl.number == 1, what
        assert_no_signature_unnoticed(copy, lines_of(copy))


def test_a_crl_that_ends_before_the_day_is_refused_and_nothing_is_signed(world: World) -> None:
    world.script = SCRIPT.replace(b"next_update = 2027-12-31", b"next_update = 2026-12-19")
    world.rehearsal = True
    world.clock.moment = world.clock.moment.replace(year=2027)
    people = People(world, told=lambda ask: "abort" if ask.key == "after-refusal" else None)
    held(world, people)
    assert "CRL-DATES" in " ".join(people.errors())
    assert len(world.store.signed) == 4, "root, proof and the two intermediates"
