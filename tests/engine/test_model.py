"""The model of the world is honest: after each step, what the room observes is what the model says. And steps are deterministic."""

from pathlib import Path
from typing import Any

import pytest

from ceremony.engine.check import after, beginning
from ceremony.engine.facts import Past, facts_of, known, value_of
from ceremony.engine.step import Act, Acts, Show, World
from ceremony.script import Script, read_script
from tests.credentials import with_credentials
from tests.engine import memory_room
from tests.engine.memory_room import FIRST_CEREMONY, held_to_the_end
from tests.engine.people import PINS, People
from tests.engine.right_end import lines_of
from tests.engine.test_issue_crl import with_crl

_FIRST = with_credentials(FIRST_CEREMONY.read_bytes()).decode()
ADOPTED = _FIRST.replace('kind = "initialise-token"', 'kind = "adopt-token"').replace('label = "example-root"\n', "")
_LOCKS = """[[steps]]
kind = "lock"
title = "Lock"
actor = "officer"

[[steps]]
kind = "unlock"
title = "Unlock"
actor = "officer"

"""
_GENERATES = '[[steps]]\nkind = "generate-root"'
WITH_CRL = with_crl(_FIRST)
LOCKED = _FIRST.replace(_GENERATES, _LOCKS + _GENERATES)


def observed(world: memory_room.World) -> World:
    """The world as it is: from the folder, the token, the record and the room."""
    lines = lines_of(world)
    written = {
        path.relative_to(world.folder / "work" / "artifacts").as_posix() for path in (world.folder / "work/artifacts").rglob("*.pem")
    }
    sealed = {artifact["path"] for line in lines if line.type == "sealed" for artifact in line.data["artifacts"]}
    paused = [line.seq for line in lines if line.type == "paused"]
    since = lines[paused[-1] if paused else 0 :]
    did = {line.data["verb"] for line in since if line.type == "result"}
    products = [line.data["products"] for line in lines if line.type == "step-finished"]
    custody = {fact["name"]: fact["custody"] for known in products for fact in known.get("physical", [])}
    counted: dict[str, int] = next((known["counted_in"] for known in reversed(products) if "counted_in" in known), {})
    root = "certified" if any(path.startswith("root/") for path in written) else "generated" if world.store.pairs else "absent"
    return World(
        token="ready" if world.rooms[-1].serial else "blank",
        root=root,  # type: ignore[arg-type]  # one of the three above
        requests=(world.folder / "requests").exists(),
        proofs=frozenset(path.split("/")[1] for path in written if path.startswith("proof-of-possession/")),
        intermediates=frozenset(
            path.split("/")[1].removesuffix(".cert.pem")
            for path in written
            if path.endswith(".cert.pem") and path.startswith("intermediates/")
        ),
        crl=any(path.startswith("crl/") for path in written),
        unsealed=written != sealed,
        crossed=bool(paused),
        closed=lines[-1].type == "closed",
        taken_out=frozenset(name for name, where in custody.items() if where == "taken-out"),
        counted_in=frozenset(counted),
        unlocked=world.rooms[-1].unlocked,
        machine_checked="check-machine" in did,
        clock_checked="read-clock" in did,
        roll_called=any(line.type == "confirmed" and line.data["key"].startswith("present/") for line in since),
    )


@pytest.mark.parametrize("text", [_FIRST, ADOPTED, LOCKED, WITH_CRL], ids=["first", "adopted", "locked", "crl"])
def test_what_the_room_observes_after_each_step_is_what_the_model_says(world: memory_room.World, text: str) -> None:
    world.script = text.encode()
    script = read_script(world.script)
    if text is ADOPTED:
        world.store.initialised, world.store.user_pin = True, PINS["user PIN"]
    seen: list[World] = []

    def changed(what: str) -> None:
        if what in ("line step-finished", "line closed"):
            seen.append(observed(world))

    world.changed = changed
    held_to_the_end(world, People(world))
    modelled = []
    model = beginning(script)
    for step in script.steps:
        model = after(step, model, script)
        modelled.append(model)
    assert len(seen) == len(script.steps)
    for step, real, said in zip(script.steps, seen, modelled, strict=True):
        assert real == said, step.title


def requests_of(script: Script, lines: list[Any], number: int) -> list[Any]:
    facts = facts_of(lines, number)
    run = script.steps[number - 1].run(known(script, lines, number))
    asked = [next(run)]
    try:
        while True:
            last = asked[-1]
            value = None if isinstance(last, Show | Acts) else value_of(facts.popleft())
            asked.append(run.send([value_of(facts.popleft()) for _ in last.acts] if isinstance(last, Acts) else value))
    except (StopIteration, IndexError):
        return [one for request in asked for one in (request.acts if isinstance(request, Acts) else [request])]


def test_each_step_run_twice_on_the_same_answers_asks_for_the_same(world: memory_room.World) -> None:
    held_to_the_end(world, People(world))
    script, lines = read_script(world.script), lines_of(world)
    for number in range(1, len(script.steps) + 1):
        first = requests_of(script, lines, number)
        assert first == requests_of(read_script(world.script), lines_of(world), number)
        keys = [request.key for request in first if not isinstance(request, Show)]
        assert len(set(keys)) == len(keys), "a key is unique in its step"
        asked = [request.key for request in first if isinstance(request, Act)]
        assert asked == [
            line.data["key"] for line in lines if line.step == number and line.type == "intent" and not line.data.get("resource")
        ]


class Counted(list[Any]):
    """Counts the lines that are taken out of it."""

    taken = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.taken += len(found) if isinstance(place, slice) else 0
        return found


def test_the_past_is_folded_line_by_line_and_is_what_the_whole_record_says(world: memory_room.World) -> None:
    held_to_the_end(world, People(world))
    script, lines = read_script(world.script), lines_of(world)
    growing = Counted()
    past = Past(script, growing)
    for number in range(1, len(script.steps) + 1):
        begun = next(place for place, line in enumerate(lines) if line.step == number) + 1
        growing.extend(lines[len(growing) : begun])
        assert past.before(number) == known(script, lines, number)
        assert past.of(number) == [lines[begun - 1]]
    assert growing.taken == len(growing)


def test_steps_reach_nothing_impure() -> None:
    """No clock, no randomness, no disk, no process in a step kind or in the engine (design, section 7)."""
    import ast

    for folder in ("engine", "steps"):
        for path in (Path(memory_room.__file__).parents[2] / "ceremony" / folder).glob("*.py"):
            names = {
                alias.name.split(".")[0] if isinstance(node, ast.Import) else (node.module or "").split(".")[0]
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in node.names
            }
            assert not names & {"os", "time", "random", "secrets", "subprocess", "pathlib", "io", "socket", "uuid", "tempfile", "shutil"}, (
                path
            )
