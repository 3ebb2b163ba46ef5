"""prove-backup in a first ceremony, in memory: the copy signs the CRL, or nothing does; and every cut is resumed to one right end."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.crossing.artifacts import read_crl_file
from ceremony.machine.site import Site
from ceremony.pki.key_health import AttributeRead, problems_with_copy
from ceremony.script import ScriptRefused, read_script
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.memory_token import SERIAL, Store
from tests.engine.people import People
from tests.engine.right_end import acts, assert_right_end, lines_of
from tests.engine.test_issue_crl import CRL
from tests.engine.test_issue_crl import SCRIPT as WITH_CRL

SECOND = "MEM0002"
_NONE = WITH_CRL[WITH_CRL.index(b"[backup]") : WITH_CRL.index(b"[world]")]
_CLONE = b"""[backup]
kind = "vendor-clone"
tool = "the vendor's tool"
version = "3.14"
domain = "domain of 2026, any 2 of 3 cards"
holders = ["Nils Berg", "Eva Lund", "Kari Holm"]

"""
_UNLOCK = b'[[steps]]\nkind = "unlock"\ntitle = "Unlock for the CRL"\nactor = "officer"\n\n'
SCRIPT = WITH_CRL.replace(_NONE, _CLONE).replace(_UNLOCK, b"").replace(b'kind = "issue-crl"', b'kind = "prove-backup"')
PROVES = 1 + next(number for number, part in enumerate(SCRIPT.split(b"[[steps]]")[1:]) if b'kind = "prove-backup"' in part)


@pytest.fixture
def world(place: Path) -> World:
    return world_at(place / "world")


def world_at(base: Path, script: bytes = SCRIPT) -> World:
    world = World(base, script=script, site=Site(tokens={"primary": SERIAL, "backup": SECOND})).made()
    world.changed = lambda what: copied(world, what)
    return world


def copied(world: World, what: str, spoil: Callable[[Store], None] = lambda store: None) -> None:
    """The vendor's tool, once the step that proves its copy has begun."""
    if what == "line step-started" and lines_of(world)[-1].step == PROVES:
        copy = world.store.copy()
        copy.serial, copy.signed, copy.generated, copy.drawn = SECOND, [], 0, 0
        spoil(copy)
        world.second = copy


def test_the_copy_signs_the_crl_and_nothing_else(world: World) -> None:
    people = People(world)
    held_to_the_end(world, people)
    assert_right_end(world)
    serials = [notice.facts["token"] for notice in people.notices if notice.kind == "status" and "token" in notice.facts]
    assert serials[-1] == SERIAL and SECOND in serials, "the head of the screen names the token in use"
    crl = read_crl_file((world.folder / "bundles" / "2" / CRL).read_bytes())
    assert crl.number == 1 and world.second is not None and len(world.second.signed) == 1
    assert len(world.store.signed) == 4, "root, proof and the two intermediates: the first token signed no CRL"
    assert [line.data["value"]["serial"] for line in acts(world, "leave-token", "result")] == [SERIAL]
    assert world.rooms[-1].serial == SERIAL and not world.rooms[-1].unlocked


def another_key(store: Store) -> None:
    for pair in store.pairs.values():
        pair.private = ec.generate_private_key(ec.SECP384R1())


def weaker(store: Store) -> None:
    for pair in store.pairs.values():
        pair.sensitive = False


def emptied(store: Store) -> None:
    store.pairs.clear()


def of_the_same_serial(store: Store) -> None:
    store.serial = SERIAL


def never_there(store: Store) -> None:
    store.serial = "MEM0003"


@pytest.mark.parametrize(
    ("spoil", "backup", "code"),
    [
        (another_key, SECOND, "BACKUP-OTHER-KEY"),
        (emptied, SECOND, "BACKUP-OTHER-KEY"),
        (weaker, SECOND, "BACKUP-DIFFERS"),
        (of_the_same_serial, SERIAL, "BACKUP-IS-PRIMARY"),
        (never_there, SECOND, "TOKEN-NOT-FOUND"),
        (lambda store: None, None, "BACKUP-NOT-NAMED"),
    ],
)
def test_what_is_no_copy_is_refused_by_name_and_signs_nothing(
    world: World, spoil: Callable[[Store], None], backup: str | None, code: str
) -> None:
    world.site = Site(tokens={"primary": SERIAL, **({"backup": backup} if backup else {})})
    world.changed = lambda what: copied(world, what, spoil)
    pauses = {"after-error": "pause", "after-refusal": "pause"}
    people = People(world, told=lambda ask: pauses.get(ask.key))
    assert [held(world, people).reason for _ in range(2)] == ["crossing", "error"]
    assert code in " ".join(people.errors())
    assert world.second is not None and world.second.signed == [] and len(world.store.signed) == 4
    assert not any(signature.data["args"]["purpose"] == "crl" for signature in acts(world, "sign"))
    assert not any(room.unlocked for room in world.rooms)


def test_the_script_may_foresee_what_a_copy_tells_of_its_history_and_nothing_else() -> None:
    recorded = {"LOCAL": True, "EXTRACTABLE": False}
    read = {"LOCAL": AttributeRead(False, "differs"), "EXTRACTABLE": AttributeRead(False, "as-wanted")}
    assert list(problems_with_copy(recorded, read, ())) == ["LOCAL is False; recorded is True"]
    assert list(problems_with_copy({}, read, ())) == ["LOCAL is False, which no root key may have"]
    assert list(problems_with_copy(recorded, read, ("LOCAL",))) == []
    taken_out = {**read, "EXTRACTABLE": AttributeRead(True, "differs")}
    assert list(problems_with_copy(recorded, taken_out, ("LOCAL",))) == ["EXTRACTABLE is True; recorded is False"]
    with pytest.raises(ScriptRefused) as refused:
        read_script(SCRIPT.replace(b'version = "3.14"', b'version = "3.14"\ndiffers = ["EXTRACTABLE"]'))
    assert "backup.differs" in refused.value.what


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b'kind = "vendor-clone"', b'kind = "vendor-clone"\nreason = "x"', "backup.reason: does not belong to kind = 'vendor-clone'"),
        (b'version = "3.14"\n', b"", "backup.version: is missing"),
        (b'version = "3.14"\n', b'version = "3.14"\nbags = ["copy-bag"]\n', "no step of kind record puts 'copy-bag' away"),
        (b'kind = "prove-backup"', b'kind = "attest"\nstatement = "x"', "backup.by: is missing"),
        (_CLONE, b'[backup]\nkind = "twin-root"\n', "backup.label: is missing"),
        (_CLONE, b'[backup]\nkind = "twin-root"\nlabel = "twin"\nby = 2027-01-01\n', "[backup] tells of no copy"),
        (_CLONE, b'[backup]\nkind = "twin-root"\nlabel = "example-root-g1"\n', "a twin is made in the chain of the first root"),
        (b"[crl]\nnext_update = 2027-12-31T00:00:00Z", b"", "the script has no [crl]"),
    ],
)
def test_a_script_that_cannot_hold_is_told(before: bytes, after: bytes, told: str) -> None:
    assert before in SCRIPT
    with pytest.raises(ScriptRefused) as refused:
        read_script(SCRIPT.replace(before, after, 1))
    assert told in refused.value.what


def test_every_cut_around_the_second_token_is_resumed_to_one_right_end(place: Path) -> None:
    world = world_at(place / "whole")
    taken: list[tuple[str, World]] = []

    def changed(what: str) -> None:
        copied(world, what)
        line = lines_of(world)[-1] if what in ("line intent", "line result", "signature") else None
        if line and line.step == PROVES and line.data["verb"] in ("take-token", "look-at-copy", "sign", "leave-token"):
            taken.append((what, world.copy_to(place / str(len(taken)))))

    world.changed = changed
    held_to_the_end(world, People(world))
    assert len(taken) > 8
    for what, copy in taken:
        held_to_the_end(copy, People(copy))
        assert_right_end(copy)
        assert copy.second is not None and {*copy.second.signed} and len(copy.store.signed) == 4, what
        assert copy.rooms[-1].serial == SERIAL, what


def test_nobody_is_logged_in_to_the_first_token_while_the_second_is_in_use(world: World) -> None:
    first = second = False

    def changed(what: str) -> None:
        nonlocal first, second
        copied(world, what)
        if what == "signature" and lines_of(world)[-1].step == PROVES:
            tokens = world.rooms[-1].module._tokens
            first, second = (token.is_open for token in tokens)

    world.changed = changed
    held_to_the_end(world, People(world))
    assert (first, second) == (False, True)
