"""A made-up secret goes through every command that takes one, and is found nowhere afterwards. `make secrets` tries all; the suite some."""

import subprocess
import sys
from pathlib import Path

import pytest

from ceremony import commands as package
from ceremony.engine.step import Secret
from hsm.errors import TokenError
from tests.e2e.secrets_kept import files_with, held_by, made_up_pin
from tests.engine.memory_room import World, held, held_to_the_end
from tests.engine.people import People
from tests.engine.quorum import FIRST, world_of
from tests.sentinels.cases import ALL, CASES, Stage, credential_made
from tests.sentinels.commands import MEETS, RUN_HERE, commands
from tests.sentinels.watched import Left, allow_cores

ROOT = Path(__file__).parents[2]
ASKING = (
    "secret_from", "new_passphrase_from", "pin_for", "secret_for", "device_of", "service_of", "credential_for", "held(", "in_the_app",
    "Simulator(",
)  # fmt: skip
"""What a command calls that asks for a secret or carries one."""


def test_every_command_stands_in_the_table_with_tests_that_exist() -> None:
    assert set(commands()) == set(MEETS), "a command is missing in the table, or there is no such command any more"
    for command, meets in MEETS.items():
        assert bool(meets.secrets) == bool(meets.tests), command
        for test in meets.tests:
            file, _, name = test.partition("::")
            assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(), test
    assert {case.command for case in CASES.values()} == {command for command, meets in MEETS.items() if RUN_HERE in meets.tests}


def test_no_command_that_asks_is_said_to_ask_for_nothing() -> None:
    asking = {path.stem for path in Path(package.__file__).parent.glob("*.py") if any(word in path.read_text() for word in ASKING)}
    said = {command.replace(" ", "_") for command, meets in MEETS.items() if meets.secrets}
    # Parts of commands, and those whose file has another name.
    parts = {"conducting", "device_asking", "online_service", "online_code", "online_adr", "online_disable"}
    assert {"factory_issue", "credential_new", "rehearse", "demo"} <= asking
    assert asking - parts <= said


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if ALL or case.in_the_suite])
def test_no_secret_stays_anywhere(name: str, tmp_path: Path) -> None:
    stage, case = Stage(tmp_path), CASES[name]
    left = case.run(stage)
    assert left.code in case.exit_codes, left.shown.decode()[-2000:]
    assert left.holds(stage.secret) == []
    assert left.written_elsewhere(stage.given) == []
    assert left.cores == []
    assert b"\x1b]52" not in left.shown
    assert "Traceback" not in left.shown.decode()


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    stage, elsewhere = Stage(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    leaks = "ceremony.activation.credential_file:new_credential:leaks"
    left = credential_made(stage, bug=leaks, environ={"ELSEWHERE": str(elsewhere)})
    places = {str(stage.place / name / "kept") for name in ("work", "tmp")}
    assert set(left.holds(stage.secret)) == places | {"the terminal", "an argument or an environment"}
    assert left.written_elsewhere() == [str(elsewhere / "kept")]


def test_a_dump_of_memory_would_be_found(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", "import os; os.abort()"], cwd=tmp_path, preexec_fn=allow_cores, check=False)  # noqa: PLW1509
    if not Left(tmp_path).cores:
        pytest.skip("this system keeps no dump of a program that is aborted in its folder")


@pytest.mark.parametrize("died", [True, False], ids=["refused first", "no trouble"])
def test_a_production_ceremony_keeps_no_secret(died: bool, world: World, people: People) -> None:
    """PINs typed by a person, the first time wrong; the module dies at a signature. The token is in memory: no file may hold them."""
    pins = {"SO PIN": made_up_pin(), "user PIN": made_up_pin()}
    wrong = [made_up_pin()] if died else []

    def typed(secret: Secret) -> bytes | None:
        what = secret.what
        # Not where it is set, and once.
        if wrong and what == "user PIN" and world.store.initialised and world.store.tried == 0:
            return wrong[0].encode()
        return pins[what].encode() if what in pins else None

    people.secrets_told = typed
    if died:
        world.faults.before["sign"] = [TokenError("MODULE-DIED", "It died.", outcome_unknown=True)]
    held_to_the_end(world, people)
    kept = [*pins.values(), *wrong]
    assert [files_with(world.base, pin) for pin in kept] == [[]] * len(kept)
    told = repr((people.asked, people.notices)).encode()
    assert not any(held_by(told, pin) for pin in kept)


def test_the_shares_of_a_production_ceremony_stand_on_paper_alone(world: World, people: People) -> None:
    held(world_of(world, FIRST), people)
    papers = [paper.decode() for whose in world.shares.values() for paper in whose]
    assert len(papers) == 5
    for paper in papers:
        assert files_with(world.base, paper) == []
        assert not held_by(repr((people.asked, people.notices)).encode(), paper)
