"""cross-certify on one token with two keys: cut anywhere, or given up, it comes to one right end, and each key signs what is its own."""

import tomllib
from pathlib import Path

import pytest
import tomlkit
from cryptography import x509

from ceremony.crossing.artifacts import public_key_der
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.roll_over import cross_path
from ceremony.shipped import path_of
from ceremony.words import sha256_hex
from tests.credentials import with_credentials
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import assert_no_signature_unnoticed, lines_of, recovered

G1, G2 = "example-root-g1", "example-root-g2"
_LEFT_OUT = ("record", "attest", "import-request", "prove-possession", "sign-intermediates", "crossing", "inventory")


def shortened(name: str, previous: str | None = None) -> bytes:
    """A shipped script up to the end of its first session, without bags and requests."""
    document = tomllib.loads(with_credentials(path_of(name).read_bytes()).decode())
    steps = document["steps"]
    end = next((number for number, step in enumerate(steps) if step["kind"] == "crossing"), len(steps) - 1)
    document["steps"] = [step for step in steps[:end] if step["kind"] not in _LEFT_OUT] + [steps[-1]]
    for table in ("intermediates", "proofs", "profiles"):
        document.pop(table, None)
    if previous:
        document["previous"]["fingerprint"] = previous
    return tomlkit.dumps(document).encode()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("first"), script=shortened("root-generation")).made()
    held_to_the_end(world, People(world))
    return world


def after(first: World, base: Path) -> World:
    """The roll-over's world, ready to be held."""
    bundle = first.folder / "bundles" / "1"
    script = shortened("roll-over-root", first.paper[-1])
    world = World(base, script=script, store=first.store.copy(), previous=(bundle,))
    world.clock.moment = first.clock.moment
    world.made()
    world.store.signed.clear()
    # The medium of the first ceremony left with its bundle: the next one is another.
    (base / "away-1").mkdir()
    return world


def assert_right(world: World) -> None:
    bundle = world.folder / "bundles" / "1"
    verdict = verify_bundle(bundle, fingerprint=world.paper[-1])
    assert verdict.word == "GOOD", [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]
    keys = {pair.label: pair.public_der for pair in world.store.pairs.values()}
    assert keys.keys() == {G1, G2}
    asked = [line.data["args"] for line in lines_of(world) if line.type == "intent" and line.data["verb"] == "sign"]
    signers = {args["subject"] + args["serial"]: args["public_key"] for args in asked}
    for of, by in ((G1, G2), (G2, G1)):
        cross = x509.load_pem_x509_certificate((bundle / cross_path(of, by)).read_bytes())
        assert public_key_der(cross) == keys[of]
        assert keys[by].hex() in signers.values()
    assert_no_signature_unnoticed(world, lines_of(world))


def test_every_cut_while_the_roots_certify_each_other_is_resumed_to_one_right_end(first: World, place: Path) -> None:
    world = after(first, place / "whole")
    step = next(number for number, one in enumerate(tomllib.loads(world.script.decode())["steps"], 1) if one["kind"] == "cross-certify")
    taken: list[tuple[str, World]] = []

    def changed(what: str) -> None:
        if world.record.exists() and (lines := lines_of(world)) and lines[-1].step == step:
            taken.append((what, world.copy_to(place / str(len(taken)))))

    world.changed = changed
    held_to_the_end(world, People(world))
    assert_right(world)
    assert len(taken) > 20
    # The first cut of each kind, and the last of all.
    for copy in [*dict(taken[::-1]).values(), taken[-1][1]]:
        held_to_the_end(copy, People(copy))
        assert_right(copy)


def test_one_that_is_given_up_is_drafted_anew_and_waits_for_the_crl_of_its_own_root(first: World, place: Path) -> None:
    world = after(first, place / "given-up")

    def fault(at: str, when: str) -> CeremonyError | None:
        unknown = CeremonyError("FOLDER-UNWRITABLE", "made up", outcome_unknown=True)
        return unknown if (at, when) == ("cross/1/sign/new-with-old", "before") else None

    world.faults.act = fault
    held_to_the_end(world, People(world, told=lambda ask: "give up" if ask.key.endswith("/recover") else None))
    assert_right(world)
    (given_up,) = recovered(lines_of(world), "sign", "given-up")
    entries = read_ledger((world.folder / "bundles" / "1" / LEDGER).read_bytes()).ceremonies[-1].entries
    possibly = next(entry for entry in entries if entry.state == "possibly-signed")
    old = next(pair.public_der for pair in world.store.pairs.values() if pair.label == G1)
    assert (possibly.serial, possibly.purpose, possibly.issuer) == (given_up.data["serial"], "cross", sha256_hex(old))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b"path_length = 1\noverlap", b"path_length = 2\noverlap"), "ROLL-OVER-DIFFERS"),
        ((b"not_after = 2046", b"not_after = 2045"), "ROLL-OVER-DIFFERS"),
    ],
)
def test_another_old_root_than_the_approved_one_is_refused_before_anything_is_made(
    first: World, place: Path, change: tuple[bytes, bytes], code: str
) -> None:
    world = after(first, place / "other")
    head, table, rest = world.script.partition(b"[roll_over]")
    world.script = head + table + rest.replace(*change, 1)
    assert world.script != head + table + rest
    people = People(world, told=lambda ask: "abort" if ask.key == "after-refusal" else None)
    held(world, people)
    assert code in " ".join(people.errors())
    assert len(world.store.pairs) == 1 and not world.store.signed
