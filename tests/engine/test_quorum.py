"""PINs in shares, from paper to token: who must be here, what is refused before the token sees it, and no crash that loses a PIN."""

from pathlib import Path

import msgspec
import pytest

from ceremony.activation.arrangement import WHICH
from ceremony.activation.shares import split
from ceremony.crossing.held_pins import BothPins, Holder, PinHeldBy
from ceremony.engine.step import Ask, Secret
from ceremony.errors import CeremonyError
from ceremony.script import read_script
from ceremony.session import require_as_left
from hsm.errors import TokenError
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.quorum import FIRST, LATER, PAD, PAD_CHANGED, RECOVER, RESHARE, assert_right_quorum, world_of
from tests.engine.right_end import acts, lines_of
from tests.engine.test_crashes import Snapshots

SCRIPTS = pytest.mark.parametrize("script", [FIRST, RESHARE, RECOVER], ids=["first", "reshare", "recover"])


def step_of(world: World) -> int | None:
    """The step that is open, or was the last to end."""
    return lines_of(world)[-1].step if world.record.exists() and world.record.stat().st_size else None


@SCRIPTS
def test_every_crash_while_a_pin_is_made_is_resumed_to_one_right_end(place: Path, script: bytes) -> None:
    whole = world_of(World(place / "whole").made(), script)
    snapshots = Snapshots(whole, place, range(10_000))
    held_to_the_end(whole, People(whole))
    assert_right_quorum(whole)
    cut = [(what, world) for what, world in snapshots.taken if not what.endswith("torn") and step_of(world) in (4, 5)]
    assert len(cut) > 20
    for what, world in cut:
        world.script = script
        held_to_the_end(world, People(world))
        try:
            assert_right_quorum(world)
        except AssertionError as wrong:
            raise AssertionError(f"cut after {what}") from wrong


def test_whoever_gets_a_share_must_be_here_and_of_the_others_enough(place: Path) -> None:
    may_be_absent: dict[bytes, set[str]] = {}
    for script in (FIRST, RESHARE, RECOVER, LATER):
        world = world_of(World(place / str(len(may_be_absent))).made(), script)
        people = People(world)
        held(world, people)
        may_be_absent[script] = {ask.key.removeprefix("who/") for ask in people.asked if "absent" in ask.choices}
    assert may_be_absent == {FIRST: set(), RESHARE: set(), RECOVER: {"bo"}, LATER: {"officer", "anna", "bo", "cy"}}


def test_the_roll_is_called_again_while_too_few_holders_are_here(world: World) -> None:
    def told(ask: Ask) -> str | None:
        return "absent" if ask.key in ("who/anna", "who/bo", "who/again/2/bo") else None

    people = People(world_of(world, LATER), told=told)
    held_to_the_end(world, people)
    asked = people.asked_keys()
    assert "again/2" in asked and "again/3" not in asked
    [again] = [ask for ask in people.asked if ask.key == "again/2"]
    assert "takes the shares of 2 of its 3 holders, and 1 are here: at least 1 more must come of anna, bo" in again.shown[0]
    assert again.shown[-1] == "Code: PEOPLE-MISSING"
    assert not any(key.startswith("login/share/") for key in asked), "exactly as many as it takes are here"
    assert {tuple(line.data["args"]["holders"]) for line in acts(world, "login")} == {("officer", "anna")}


def test_of_more_holders_than_it_takes_the_actor_names_those_who_give_theirs(world: World) -> None:
    people = People(world_of(world, LATER), told=lambda ask: {"login/share/1": "Bo X", "login/share/2": "Anna X"}.get(ask.key))
    held_to_the_end(world, people)
    assert {tuple(line.data["args"]["holders"]) for line in acts(world, "login")} == {("anna", "bo")}
    asked = [line for line in lines_of(world) if line.type == "confirmed" and line.data["key"].startswith("login/share/")]
    assert asked and all(line.data["recovery"] for line in asked), "no answers to the step's own questions"


def wrong_shares(world: World) -> dict[str, bytes]:
    """What Anna may type in place of her share."""
    own = world.shares["share of the user PIN", "anna"][-1]
    words = own.split()
    return {
        "SHARE-WORD": b" ".join([*words[:6], b"crocodile", *words[7:]]),
        "SHARE-CHECKSUM": b" ".join([*words[:6], b"academic" if words[6] != b"academic" else b"acid", *words[7:]]),
        "SHARE-LENGTH": b" ".join(words[:19]),
        "SHARE-REPEATED": world.shares["share of the user PIN", "officer"][-1],
        "SHARE-FOREIGN": bytes(split(bytearray(16), 2, 2)[0]),
    }


@pytest.mark.parametrize("code", ["SHARE-WORD", "SHARE-CHECKSUM", "SHARE-LENGTH", "SHARE-REPEATED", "SHARE-FOREIGN"])
def test_a_wrong_share_is_named_to_its_holder_before_the_token_is_asked(world: World, code: str) -> None:
    """Here at the proof, where the set that is wanted is known; typed once more as it is on the paper, all goes on."""
    seen: list[Secret] = []

    def secrets_told(secret: Secret) -> bytes | None:
        if secret.reveal is None and secret.by == "anna" and secret.what == "share of the user PIN":
            seen.append(secret)
            if len(seen) == 1:
                return wrong_shares(world)[code]
        return None

    world.faults.before["login"] = []
    people = People(world_of(world, FIRST), secrets_told=secrets_told)
    held_to_the_end(world, people)
    assert_right_quorum(world)
    said = " ".join(seen[1].shown)
    assert f"Code: {code}" in said and not any(share.decode() in said for share in wrong_shares(world).values())
    assert world.store.wrong_pins == 0 and world.store.tried == world.store.opened
    if code in ("SHARE-WORD", "SHARE-CHECKSUM"):
        assert "7" in seen[1].shown[0]


def test_a_share_that_is_wrong_three_times_is_recorded_and_others_may_give_theirs(world: World) -> None:
    def secrets_told(secret: Secret) -> bytes | None:
        return wrong_shares(world)["SHARE-FOREIGN"] if secret.kind == "share" and secret.reveal is None and secret.by == "anna" else None

    givers = iter(("Anna X", "Officer X", "Officer X", "Bo X"))
    people = People(
        world_of(world, LATER),
        secrets_told=secrets_told,
        told=lambda ask: next(givers, "Officer X" if ask.key.endswith("1") else "Bo X") if ask.key.startswith("login/share/") else None,
    )
    held_to_the_end(world, people)
    assert [line.data["error"]["code"] for line in acts(world, "login", "result") if "error" in line.data] == ["SHARE-FOREIGN"]
    assert world.store.wrong_pins == 0


def test_a_new_share_is_shown_to_its_holder_alone_and_must_be_typed_back(world: World) -> None:
    shown: list[Secret] = []

    def secrets_told(secret: Secret) -> bytes | None:
        if secret.reveal is not None:
            shown.append(secret)
            if len(shown) == 2:
                return bytes(split(bytearray(16), 2, 2)[0])
        return None

    people = People(world_of(world, FIRST), secrets_told=secrets_told)
    held_to_the_end(world, people)
    assert_right_quorum(world)
    assert [secret.by for secret in shown] == ["admin", "cy", "cy", "officer", "anna", "bo"], "one at a time; the second looked again"
    alone = [line.data["by"] for line in lines_of(world) if line.type == "confirmed" and line.data["key"].startswith("alone/")]
    assert alone == ["admin", "cy", "cy", "officer", "anna", "bo"], "before each look, by its holder"
    assert all(not any(secret.reveal.octets) for secret in shown if secret.reveal), "wiped"
    assert not any(octets in world.record.read_bytes() for papers in world.shares.values() for octets in papers)


@pytest.mark.parametrize("script", [RESHARE, RECOVER], ids=["reshare", "recover"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_of_unknown_outcome_is_found_out_by_the_new_shares(world: World, script: bytes, when: str) -> None:
    call = "set-pin" if script is RESHARE else "reset-user-pin"
    getattr(world.faults, when)[call] = [TokenError("MODULE-DIED", "It died.", outcome_unknown=True)]
    people = People(world_of(world, script))
    held_to_the_end(world, people)
    assert_right_quorum(world)
    found = [line.data["value"]["found"] for line in acts(world, "change-activation", "result")]
    assert found[0] == (when == "after") and not any(found[1:])


def test_a_refused_change_does_not_try_the_new_shares_on_the_token(world: World) -> None:
    """The old PIN is wrong: then the new shares, which are on paper by now, cost no further try, and are not made anew."""
    world.faults.before["set-pin"] = [TokenError("TOKEN-PIN-WRONG", "Wrong.")]
    people = People(world_of(world, RESHARE))
    held_to_the_end(world, people)
    assert_right_quorum(world)
    assert world.store.wrong_pins == 0 and world.store.tried == world.store.opened
    assert all(len(papers) <= 2 for papers in world.shares.values())


@pytest.mark.parametrize("script", [PAD, PAD_CHANGED], ids=["initialised", "changed"])
def test_on_a_pad_nothing_is_typed_here(world: World, script: bytes) -> None:
    secrets: list[Secret] = []
    held_to_the_end(world, People(world_of(world, script), secrets_told=secrets.append))
    assert lines_of(world)[-1].type == "closed"
    assert {secret.kind for secret in secrets} == {"passphrase"}, "of credentials; no PIN"
    assert all(line.data["args"]["holders"] == [] for line in acts(world, "login"))


def test_a_token_without_a_pad_is_refused_where_the_script_wants_one(world: World) -> None:
    world_of(world, PAD).store.pad = False
    people = People(world, told=lambda ask: "pause" if ask.key == "after-error" else None)
    assert held(world, people).reason == "error"
    assert "Code: TOKEN-NO-PAD" in people.errors() and not world.store.initialised


def test_the_last_try_of_a_pin_is_used_only_when_somebody_says_so(world: World) -> None:
    """Two wrong PINs before: the change by the right shares goes on by a deliberate choice."""
    world.store.wrong_pins = 2
    said = People(world_of(world, RESHARE), told=lambda ask: "use the last try" if "use the last try" in ask.choices else None)
    held_to_the_end(world, said)
    assert_right_quorum(world)
    failed = [line.data["error"]["code"] for line in acts(world, "change-activation", "result") if "error" in line.data]
    assert failed == ["TOKEN-PIN-LAST-TRY"]


def test_a_later_ceremony_begins_with_the_holders_that_the_last_one_left() -> None:
    script = read_script(RESHARE)
    as_said = {which: script.activation.held(which, before=True) for which in WHICH}
    left = {
        which: PinHeldBy(held.kind, held.threshold, tuple(Holder(id, id) for id in held.holders), 7) for which, held in as_said.items()
    }
    require_as_left(script, BothPins(**left))
    other = msgspec.structs.replace(left["so"], holders=left["so"].holders[:1] + (Holder("bo", "bo"),))
    with pytest.raises(CeremonyError, match="By the ledger the SO PIN is held by any 2 of 2: admin, bo") as refused:
        require_as_left(script, BothPins(user=left["user"], so=other))
    assert refused.value.code == "ACTIVATION-DIFFERS"
