"""What the verbs of the room do beside the ceremony's straight way: names, leftovers, other tokens, a module that is gone."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ceremony.engine.step import Ask, Secret
from ceremony.errors import CeremonyError
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.media import copy_in
from ceremony.machine.medium import Medium
from ceremony.machine.site import Site
from ceremony.room.copy_out import bundle_name
from ceremony.room.initialise_token import InitialiseToken
from ceremony.room.room import TokenRoom
from ceremony.room.verbs import VERBS
from ceremony.script import read_script
from hsm.client import Module
from hsm.errors import TokenError
from hsm.profiles import profile_of
from hsm.softhsm import throw_away
from tests.engine.memory_room import FIRST_CEREMONY, World, csr_of, held, held_to_the_end
from tests.engine.people import People
from tests.engine.right_end import assert_right_end, lines_of, of

_PRODUCT = Path(__file__).parents[2] / "ceremony"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world").made()


@pytest.mark.parametrize("script_id", ["a", "0.", "x" * 64, "a" + "-" * 63, "a" + "." * 63])
@pytest.mark.parametrize("rehearsal", [True, False])
@pytest.mark.parametrize("number", [1, 12, 999])
def test_the_name_of_a_bundle_is_one_that_media_take(script_id: str, rehearsal: bool, number: int) -> None:
    name = bundle_name(script_id, rehearsal, number)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name)
    assert name.endswith(f"-{number}") and name.startswith("rehearsal-") == rehearsal


def _imports(world: World) -> list[str]:
    return sorted(path.name for path in (world.folder / "requests").iterdir())


def test_copies_that_no_line_names_are_removed_when_the_import_is_repeated(world: World) -> None:
    assert held(world, People(world)).reason == "crossing"
    for left in ("1", "2"):
        (world.folder / "requests" / left).mkdir(parents=True)
        (world.folder / "requests" / left / "request.json").write_text("half")
    held_to_the_end(world, People(world))
    assert _imports(world) == ["1"]
    assert_right_end(world)


def test_a_request_is_copied_first_and_only_the_copy_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the medium may change between two readings: so it is read once."""

    def copied_and_swapped(source: Path, target: Path) -> None:
        copy_in(source, target)
        (source / "request.json").write_bytes(b"another request")

    monkeypatch.setattr("ceremony.room.import_request.copy_in", copied_and_swapped)
    held_to_the_end(world, People(world))
    assert_right_end(world)


def test_a_request_that_was_imported_before_leaves_no_second_copy(world: World) -> None:
    assert held(world, People(world)).reason == "crossing"
    world.bring_request("0" * 64, name="a-wrong-root")
    people = People(world, brings_request=False)
    people.told = lambda ask: (world.bring_request(_root_of(world), name="b-right"), None)[1] if ask.key == "medium/2" else None
    held_to_the_end(world, people)
    assert _imports(world) == ["1", "2"]
    results = [line for line in lines_of(world) if line.type == "result" and line.data["verb"] == "import-request"]
    assert [[request["folder"] for request in line.data["value"]["requests"]] for line in results] == [["requests/1"], ["requests/2"]]


def _root_of(world: World) -> str:
    return str(next(line for line in reversed(lines_of(world)) if line.type == "sealed").data["root_certificate_sha256"])


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / "csr" / "alpha.1.csr.pem").write_bytes(csr_of("beta.1")), "REQUEST-SUMS"),
        (lambda folder: (folder / "extra").symlink_to("/etc/passwd"), "MEDIUM-LINK"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "REQUEST-FILES"),
        (lambda folder: (folder / "request.json").write_text("{}"), "REQUEST-BROKEN"),
        (lambda folder: (folder / "Setup.EXE").write_text("x"), "MEDIUM-NAME"),
    ],
)
def test_a_bad_request_leaves_nothing_behind_and_the_next_one_goes(world: World, spoil: Callable[[Path], object], code: str) -> None:
    assert held(world, People(world)).reason == "crossing"
    bad = world.bring_request(_root_of(world), name="bad")
    spoil(bad)
    people = People(world, brings_request=False)

    def told(ask: Ask) -> None:
        if ask.key == "after-error":
            for path in sorted(world.inbox.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            world.bring_request(_root_of(world))

    people.told = told
    held_to_the_end(world, people)
    assert code in " ".join(people.errors())
    assert _imports(world) == ["1"]
    assert_right_end(world)


def test_a_medium_that_is_full_gone_or_not_empty_is_told_and_the_copy_made_later(world: World) -> None:
    stranger = world.outbox / "holiday.jpg"

    errors: list[str] = []

    def told(ask: Ask) -> str | None:
        if ask.key == "outbound/1" and not errors:
            errors.append("soon")
            stranger.write_bytes(b"x")
            return "in"
        if ask.key == "after-error":
            stranger.unlink(missing_ok=True)
        return None

    people = People(world, told=told)
    held_to_the_end(world, people)
    assert "MEDIUM-NOT-EMPTY" in " ".join(people.errors())
    assert_right_end(world)


@pytest.mark.parametrize("error", [TokenError("MODULE-DIED", "Dead."), OSError(5, "Input/output error")])
def test_asking_whether_the_token_is_open_never_raises(world: World, error: Exception) -> None:
    asked: list[bool] = []

    def told(ask: Ask) -> None:
        if ask.key == "root/order":
            world.faults.before["logged-in"] = [error]
            asked.append(world.rooms[-1].unlocked)

    held_to_the_end(world, People(world, told=told))
    assert asked == [False]
    assert_right_end(world)


def test_every_act_of_every_step_is_a_verb() -> None:
    """The steps of the shipped script ask for nothing that the room cannot do."""
    sources = [path.read_text() for folder in ("steps", "engine") for path in (_PRODUCT / folder).glob("*.py")]
    assert {verb for source in sources for verb in re.findall(r'verb="([a-z-]+)"', source)} == VERBS.keys()


@pytest.mark.usefixtures("softhsm")
def test_an_interrupted_initialisation_never_takes_another_token_for_its_own(tmp_path: Path, softhsm: Path) -> None:
    """Two tokens of one label: the one that was in use before is not offered to be wiped."""
    with CeremonyFolder.create(tmp_path / "ceremony") as folder:
        room = TokenRoom(
            folder=folder,
            script=read_script(FIRST_CEREMONY.read_bytes()),
            site=Site(),
            module_path=softhsm,
            environment=throw_away(tmp_path / "token"),
            rehearsal=True,
            inbox=None,
            outbox=None,
        )

        def typed(secret: Secret) -> bytearray:
            return bytearray((secret.suggestion or "").encode())

        verb = InitialiseToken()
        pin: dict[str, Any] = {"kind": "pin", "threshold": None, "holders": []}
        pins = {"so": pin, "user": pin}
        args = {"label": "example-root", "so_pin_by": "officer", "user_pin_by": "officer", "others": [], "activation": pins}
        first = verb.do(room, args, typed)
        others = VERBS["find-blank-token"].do(room, {}, typed)["others"]
        assert others == [first["serial"]]
        again = {**args, "others": others}
        assert verb.left_by(room, again) is None
        second = verb.do(room, again, typed)
        assert verb.left_by(room, again) == {"token label": "example-root", "serial": second["serial"], "user PIN set": "yes"}
        verb.undo(room, again, typed)
        assert room.to_be_initialised_again == second["serial"] != first["serial"]
        room.close()


@pytest.mark.usefixtures("softhsm")
def test_a_rehearsal_is_refused_on_a_module_that_is_not_software_and_a_ceremony_on_one_that_is(
    tmp_path: Path, softhsm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ceremony.rehearsal import prepared
    from ceremony.session import begun

    script = FIRST_CEREMONY.read_bytes()
    nothing: dict[str, Any] = {"inbox": None, "outbox": None, "previous": (), "removed": ()}
    site = Site(module=softhsm, environment=throw_away(tmp_path / "t"))
    with pytest.raises(CeremonyError) as refused, begun(script, tmp_path / "a", site=site, **nothing):
        pass
    assert (refused.value.code, refused.value.exit_code) == ("MODULE-IS-SOFTWARE", 7)
    rehearsal = prepared(script, tmp_path / "b", softhsm, ())
    monkeypatch.setattr("hsm.client.profile_of", lambda *names: profile_of("A vendor", "A token"))
    tokens = Module.tokens
    monkeypatch.setattr(Module, "tokens", lambda self: [msgspec.structs.replace(token, software=False) for token in tokens(self)])
    with pytest.raises(CeremonyError) as refused, begun(script, tmp_path / "b", site=Site(), rehearsed=rehearsal, **nothing):
        pass
    assert (refused.value.code, refused.value.exit_code) == ("MODULE-NOT-SOFTWARE", 7)
    # A vendor's module may lead to tokens in software, which say so themselves.
    monkeypatch.undo()
    monkeypatch.setattr("hsm.client.profile_of", lambda *names: profile_of("A vendor", "A token"))
    with begun(script, tmp_path / "c", site=Site(), rehearsed=prepared(script, tmp_path / "c", softhsm, ()), **nothing) as session:
        assert not session.room.module.info.software
        [info] = session.room.module.tokens()
        assert session.room.hardware(info) == info
        with pytest.raises(CeremonyError) as refused:
            session.room.hardware(msgspec.structs.replace(info, software=False))
    assert refused.value.code == "MODULE-NOT-SOFTWARE"


def test_a_medium_that_could_be_written_to_brings_nothing_in_but_by_an_override_of_two(world: World, monkeypatch: Any) -> None:
    def writable(self: World, place: Path) -> Medium:
        return dataclasses.replace(usual(self, place), read_only=False)

    usual = World.medium_at
    monkeypatch.setattr(World, "medium_at", writable)
    answers = {"inbound/1/unfit/1": "look again", "inbound/1/unfit/2": "override", "inbound/1/override/2/reason": "the stick has no switch"}
    people = People(world, told=lambda ask: answers.get(ask.key))
    held_to_the_end(world, people)
    (line,) = of(world, "deviation")
    assert line.data["class"] == "override" and len({person["id"] for person in line.data["by"]}) == 2
    imported = next(other for other in lines_of(world) if other.data.get("verb") == "import-request")
    assert line.seq < imported.seq, "before anything was copied"
    assert_right_end(world)
