"""wipe-token in memory: what was shown goes, by the SO PIN and two people, and nothing else; refused while a root lives there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.wiping import inventory_digest, roots_that_count
from ceremony.script import ScriptRefused, read_script
from ceremony.steps.wipe_token import WipeToken
from ceremony.words import sha256_hex
from hsm.errors import TokenError
from tests.crossing.forging import drop, failed, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, going_on, spki, whole_ceremony
from tests.crossing.held_crl import scripted
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.memory_token import Pair, Store
from tests.engine.people import PINS, People
from tests.engine.right_end import acts, lines_of, recovered
from tests.engine.test_issue_crl import SCRIPT as FIRST

_HEAD, _STEPS = FIRST.split(b"[[steps]]", 1)
_HEAD = _HEAD[: _HEAD.index(b"[profiles.factory]")] + _HEAD[_HEAD.index(b"[activation]") :]
_KINDS = {
    "roll-call": "admin",
    "check-clock": "admin",
    "check-machine": "admin",
    "unlock": "officer",
    "wipe-token": "officer",
    "close": "admin",
}
SCRIPT = (
    _HEAD.replace(b'token = "blank"', b'token = "ready"')
    + "\n".join(
        f'[[steps]]\nkind = "{kind}"\ntitle = "Now {kind}"\nactor = "{actor}"\n'
        + 'confirm = ["witness-1"]\n' * (kind not in ("roll-call", "unlock"))
        for kind, actor in _KINDS.items()
    ).encode()
)


@pytest.fixture
def world(place: Path) -> World:
    world = World(place / "world", script=SCRIPT).made()
    world.store = Store("used", initialised=True, user_pin=PINS["user PIN"], so_pin=PINS["SO PIN"])
    world.store.pairs["aa"] = Pair("somebody's", ec.generate_private_key(ec.SECP384R1()))
    return world


def test_everything_goes_by_the_order_of_two_and_the_so_pin(world: World) -> None:
    people = People(world)
    held_to_the_end(world, people)
    assert (world.store.pairs, world.store.user_pin, world.store.initialised) == ({}, b"", True)
    shown = next(ask.shown for ask in people.asked if ask.key == "confirm")
    assert any("somebody's" in line for line in shown) and any("Reason given" in line for line in shown)
    verdict = verify_bundle(world.folder / "bundles" / "1", fingerprint=world.paper[-1])
    assert [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed] == []


@pytest.mark.parametrize("cut", ["before", "after"])
def test_an_interruption_is_settled_by_what_is_on_the_token(world: World, cut: str) -> None:
    getattr(world.faults, cut)["wipe"] = [TokenError("MODULE-HANGS", "No answer.", outcome_unknown=True)]
    people = People(world)
    held_to_the_end(world, people)
    assert world.store.pairs == {}
    how = {"before": "done-again", "after": "adopted"}[cut]
    assert len(recovered(lines_of(world), "wipe-token", how)) == 1


def test_what_came_onto_the_token_since_it_was_shown_is_not_wiped(world: World) -> None:
    def slipped_in(what: str) -> None:
        if what == "line ordered" and lines_of(world)[-1].data["key"] == "confirm":
            world.store.pairs["bb"] = Pair("new", ec.generate_private_key(ec.SECP384R1()))

    world.changed = slipped_in
    people = People(world, told=lambda ask: {"after-error": "pause"}.get(ask.key))
    assert held(world, people).reason == "error"
    assert len(world.store.pairs) == 2 and "WIPE-NOT-SEEN" in " ".join(people.errors())
    assert not [line for line in acts(world, "wipe-token", "result") if "value" in line.data]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b'kind = "unlock"', b'kind = "lock"', "the token is locked"),
        (b'kind = "close"', b'kind = "unlock"', "the token is wiped: it has no user PIN"),
        (b'kind = "check-machine"', b'kind = "attest"\nstatement = "x"', "no check-machine"),
        (b'token = "ready"', b'token = "blank"', "the token is blank: there is nothing to wipe"),
    ],
)
def test_a_script_that_cannot_hold_is_told(before: bytes, after: bytes, told: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(SCRIPT.replace(before, after, 1))
    assert told in refused.value.what


def test_a_key_of_a_root_that_counts_keeps_the_token() -> None:
    keys = [{"key_id": "aa", "label": "k", "public_key_sha256": "1" * 64}]
    assert list(roots_that_count(keys, {"2" * 64: "other"})) == []
    assert "the key of the root g1, which is not destroyed" in "; ".join(roots_that_count(keys, {"1" * 64: "g1"}))


def wiped(folder: Path, previous: HeldCeremony, key: str) -> HeldCeremony:
    """A later ceremony that wipes a token on which the key with this digest lies, as the step does."""
    kinds = ("roll-call", "check-clock", "check-machine", "use-root", "wipe-token", "close")
    ceremony = HeldCeremony(folder, scripted(kinds, previous, ""), **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.begin("wipe-token")
    ceremony.log_in()
    ceremony.check_machine("machine")
    keys: list[dict[str, Any]] = [{"key_id": "aa", "label": "k", "public_key_sha256": key}]
    token = {"serial": "T9", "user_pin_set": True}
    ceremony.act("look", "look-at-token", {}, {"token": token, "objects": [], "keys": keys, "living": {}})
    digest = inventory_digest("T9", [], keys)
    ceremony.answered("reason", "it is no longer needed", "officer")
    ceremony.ordered("wipe", digest)
    args = {"serial": "T9", "digest": digest, "label": "wiped", "reason": "it is no longer needed", "holders": []}
    ceremony.act("wipe", "wipe-token", args, {"token": {"serial": "T9", "user_pin_set": False}})
    ceremony.finish()
    ceremony.seal("close")
    return ceremony


FORGED = {
    "not ordered by two": drop("ordered", key="wipe/order"),
    "nobody typed the reason": drop("confirmed", key="reason"),
    "not shown before": drop("result", verb="look-at-token"),
    "something else on it, than was shown": put(
        "result", {"verb": "look-at-token"}, value={"token": {"serial": "T8"}, "objects": [], "keys": []}
    ),
    "still has a user PIN": put("result", {"verb": "wipe-token"}, value={"token": {"serial": "T9", "user_pin_set": True}}),
    "ended without wiping": drop("result", verb="wipe-token"),
}


def test_verify_tells_a_wiping_that_was_not_as_it_must_be(tmp_path: Path) -> None:
    first = whole_ceremony(tmp_path / "first")

    def told(ceremony: HeldCeremony, name: str) -> tuple[set[str], str]:
        verdict = verify_bundle(ceremony.write_bundle(tmp_path / name), fingerprint=ceremony.fingerprint)
        return failed(verdict), next(check.detail for check in verdict.checks if check.name == "keys")

    good = wiped(tmp_path / "good", first, "1" * 64)
    assert told(good, "0") == (set(), told(good, "00")[1])
    found, detail = told(wiped(tmp_path / "living", first, _digest_of(first)), "1")
    assert found == {"keys"} and "the key of the root example-root-g1, which is not destroyed" in detail
    for number, (wanted, forge) in enumerate(FORGED.items(), 2):
        forged = good.forged()
        forge(forged)
        found, detail = told(forged, str(number))
        assert "keys" in found and wanted in detail, wanted
    assert lines_where(good, "ordered", key="wipe/confirm")


def _digest_of(ceremony: HeldCeremony) -> str:
    return sha256_hex(spki(ceremony.root_key))


def test_the_room_refuses_a_token_that_holds_the_root(world: World) -> None:
    """The step, on what the room found: a living root by the ledger."""
    keys = [{"key_id": "aa", "label": "k", "public_key_sha256": "1" * 64}]
    facts = {
        "serial": "T",
        "label": "l",
        "manufacturer": "m",
        "model": "o",
        "firmware_version": "1",
        "pin_tries": "ok",
        "so_pin_tries": "ok",
    }
    script = SimpleNamespace(previous=object())
    run = WipeToken(title="Wipe", actor="officer", confirm=("witness-1",)).run(
        SimpleNamespace(products={}, rehearsal=True, script=script)  # type: ignore[arg-type]
    )
    next(run)
    run.send({"findings": []})
    next(run)
    with pytest.raises(CeremonyError) as refused:
        run.send({"token": facts, "objects": [], "keys": keys, "living": {"1" * 64: "g1"}})
    assert refused.value.code == "KEY-STILL-NEEDED"
