"""What `verify` says of PINs in shares when the record is forged: each change is named by the check `activation`, and by no other."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing.checks_of_activation import problems_with_activation
from ceremony.crossing.record import Record
from ceremony.crossing.script_data import read_script
from ceremony.crossing.subject import Subject
from ceremony.transcript import read_lines
from tests.crossing.chaining import rechained
from tests.crossing.forging import drop, failed, lines_where, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, whole_ceremony
from tests.engine.memory_room import World, fast_folder, held_to_the_end
from tests.engine.people import People
from tests.engine.quorum import FIRST, RECOVER, RESHARE, world_of

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def held() -> Iterator[dict[bytes, Lines]]:
    """The lines of a ceremony of each kind, up to its seal."""
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        found = {}
        for number, script in enumerate((FIRST, RESHARE, RECOVER)):
            world = world_of(World(Path(folder) / str(number)).made(), script)
            held_to_the_end(world, People(world))
            lines = [json.loads(line) for line in world.record.read_bytes().splitlines()]
            sealed = next(place for place, line in enumerate(lines) if line["type"] == "sealed")
            found[script] = lines[: sealed + 1]
        yield found


def problems_of(script: bytes, lines: Lines) -> list[str]:
    record = Record(read_lines(rechained(lines, "0" * 64))[0])
    return list(problems_with_activation(Subject({}, record, read_script(script), ())))


def acts(lines: Lines, type: str, verb: str) -> Lines:
    found = [line for line in lines if line["type"] == type and line["data"]["verb"] == verb]
    assert found
    return found


def without_acts(verb: str, number: int) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        for type in ("intent", "result"):
            lines.remove(acts(lines, type, verb)[number])

    return change


def args_of(verb: str, number: int, **new: Any) -> Callable[[Lines], None]:
    return lambda lines: acts(lines, "intent", verb)[number]["data"]["args"].update(new)


def initialised(which: str, **new: Any) -> Callable[[Lines], None]:
    return lambda lines: acts(lines, "result", "initialise-token")[0]["data"]["value"]["activation"][which].update(new)


def root_before_proof(lines: Lines) -> None:
    """The last proof comes after the key."""
    proof = [acts(lines, type, "prove-activation")[-1] for type in ("intent", "result")]
    for line in proof:
        lines.remove(line)
    place = lines.index(acts(lines, "result", "generate-key")[0]) + 1
    for line in proof:
        line["step"] = lines[place - 1]["step"]
    lines[place:place] = proof


def uncalled(id: str) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        next(line for line in lines if "people" in line["data"].get("products", {}))["data"]["products"]["people"].pop(id)

    return change


def paused_after_login(lines: Lines) -> None:
    place = lines.index(acts(lines, "result", "login")[-1]) + 1
    lines.insert(place, {**lines[place - 1], "type": "paused", "data": {"reason": "operator", "text": ""}})


def product(lines: Lines) -> None:
    found = [line for line in lines if "activation" in line["data"].get("products", {})]
    found[-1]["data"]["products"]["activation"]["user"]["threshold"] = 1


@pytest.mark.parametrize(
    ("script", "change", "problem"),
    [
        (FIRST, args_of("login", 0, holders=["officer"]), "by the user PIN with shares of 1 people; it takes 2"),
        (FIRST, args_of("login", 0, holders=["officer", "officer"]), "by the user PIN with shares of 1 people; it takes 2"),
        (FIRST, args_of("login", 0, holders=["officer", "anna", "bo"]), "by the user PIN with shares of 3 people; it takes 2"),
        (FIRST, args_of("login", 1, holders=["officer", "cy"]), "takes a share from cy, who holds none of the user PIN"),
        (FIRST, uncalled("anna"), "takes a share from anna, who was not called"),
        (FIRST, without_acts("login", 0), "without a login before"),
        (FIRST, without_acts("login", -1), "without a login before"),
        (FIRST, paused_after_login, "without a login before"),
        (FIRST, initialised("user", threshold=1), "makes a user PIN that is held otherwise than the script says"),
        (FIRST, initialised("so", holders=["admin", "bo"]), "makes a SO PIN that is held otherwise than the script says"),
        (FIRST, initialised("so", kind="pin"), "makes a SO PIN that is held otherwise than the script says"),
        (FIRST, initialised("user", set=None), "does not fit a user PIN of kind shared-pin"),
        (FIRST, without_acts("initialise-token", 0), "ends a step that made no SO PIN and no user PIN"),
        (FIRST, without_acts("prove-activation", -1), "the share of the user PIN of bo is not proved"),
        (FIRST, without_acts("prove-activation", 0), "the share of the SO PIN of admin, cy is not proved"),
        (FIRST, root_before_proof, "the share of the user PIN of bo is not proved"),
        (FIRST, args_of("prove-activation", 1, set=1), "proves shares of another set than the one in force"),
        (FIRST, args_of("prove-activation", 1, holders=["officer"]), "by the user PIN with shares of 1 people; it takes 2"),
        (FIRST, product, "tells otherwise how the PINs are held than the acts of its step"),
        (RESHARE, args_of("change-activation", 0, holders_before=["officer"]), "by the user PIN with shares of 1 people; it takes 2"),
        (RESHARE, args_of("change-activation", 1, holders_before=["admin", "bo"]), "from bo, who holds none of the SO PIN"),
        (RESHARE, args_of("change-activation", 0, holders=["officer", "anna"]), "held otherwise than the script says"),
        (RESHARE, args_of("login", 0, holders=["officer", "bo"]), "takes a share from bo, who holds none of the user PIN"),
        (RESHARE, without_acts("change-activation", 1), "ends a step that made no SO PIN"),
        (RESHARE, without_acts("prove-activation", -1), "the share of the SO PIN of admin, bo is not proved"),
        (RECOVER, args_of("change-activation", 0, holders_before=["officer", "anna"]), "from anna, who holds none of the SO PIN"),
        (RECOVER, args_of("change-activation", 0, by="quorum"), "takes a share from admin, who holds none of the user PIN"),
    ],
)  # fmt: skip
def test_each_change_is_named(held: dict[bytes, Lines], script: bytes, change: Callable[[Lines], None], problem: str) -> None:
    lines = json.loads(json.dumps(held[script]))
    assert problems_of(script, lines) == []
    change(lines)
    found = problems_of(script, lines)
    assert any(problem in told for told in found), found


def test_a_start_that_the_last_ledger_does_not_tell_of_is_named(held: dict[bytes, Lines]) -> None:
    lines = json.loads(json.dumps(held[RESHARE]))
    before = {"kind": "shared-pin", "threshold": 2, "holders": [{"id": "officer", "name": "x"}, {"id": "bo", "name": "y"}], "set": 7}
    digests = dict.fromkeys(("fingerprint", "ledger_sha256", "root_certificate_sha256"), "0" * 64)
    lines[0]["data"]["previous"] = {**digests, "activation": {"user": before, "so": before}}
    assert "the script says otherwise than the last ceremony's ledger how the user PIN is held" in problems_of(RESHARE, lines)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"))


@pytest.mark.parametrize("change", [drop("result", verb="login"), put("intent", {"verb": "login"}, args={"holders": ["officer"]})])
def test_it_is_one_of_the_checks_of_a_bundle(whole: HeldCeremony, tmp_path: Path, change: Callable[[HeldCeremony], None]) -> None:
    forged = whole.forged()
    assert lines_where(forged, "intent", verb="login")
    change(forged)
    assert failed(verdict_on(forged, tmp_path)) == {"activation"}
