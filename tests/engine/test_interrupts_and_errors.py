"""Pause, abort, deviation and signal at every question; errors at every act; a full disk at the record's lines."""

from pathlib import Path

import pytest

from ceremony.engine.step import Ask, Interrupt, Secret
from ceremony.errors import CeremonyError, ExitCode
from hsm.errors import TokenError
from tests.engine.memory_room import World, held, held_to_the_end, is_closed
from tests.engine.people import People
from tests.engine.right_end import assert_right_end, lines_of, recovered


def test_each_question_can_be_answered_by_a_pause_or_a_signal(world: World) -> None:
    stopped_at: list[str] = []

    def told(ask: Ask) -> Interrupt | None:
        place = (
            f"{len([line for line in lines_of(world) if line.type == 'step-started'])} {ask.key}"
            if world.record.stat().st_size
            else ask.key
        )
        if ask.key.startswith(("resume/", "approved/")) or place in stopped_at:
            return None
        stopped_at.append(place)
        if len(stopped_at) % 2:
            return Interrupt(kind="pause", text="coffee")
        return Interrupt(kind="signal", exit_code=ExitCode.TERMINATED)

    outcomes = []
    while not is_closed(world):
        outcomes.append(held(world, People(world, told=told)))
        assert len(outcomes) < 300
    assert len(stopped_at) > 55
    assert {(outcome.reason, outcome.exit_code) for outcome in outcomes} == {
        ("operator", 0),
        ("signal", 143),
        ("crossing", 0),
        ("closed", 0),
    }
    assert_right_end(world)
    assert all(room.asked_to_close and not room.unlocked for room in world.rooms)


def test_each_question_takes_a_deviation_and_comes_again(world: World) -> None:
    noted: set[int] = set()
    seen: list[str] = []

    def told(ask: Ask) -> Interrupt | None:
        seen.append(ask.key)
        if ask.key.startswith(("resume/", "approved/")) or (len(seen) - 1) in noted:
            return None
        noted.add(len(seen))
        return Interrupt(kind="deviation", text=f"noted at {ask.key}", by=ask.by)

    held_to_the_end(world, People(world, told=told))
    deviations = [line for line in lines_of(world) if line.type == "deviation"]
    assert len(deviations) == len(noted) > 60
    assert {line.data["class"] for line in deviations} == {"note"}
    assert_right_end(world)


@pytest.mark.parametrize("part", range(4))
def test_each_question_can_be_answered_by_an_abort(place: Path, part: int) -> None:
    number = part
    while True:
        world = World(place / str(number)).made()
        counted = iter(range(10_000))

        def told(ask: Ask, number: int = number, counted: object = counted) -> Interrupt | None:
            at = next(counted)  # type: ignore[call-overload]  # an iterator that the loop gives each function
            return Interrupt(kind="abort", text="the token fell", by=ask.by) if at == number else None

        people = People(world, told=told)
        outcome = held(world, people)
        if outcome.reason == "crossing":
            outcome = held(world, people)
        if outcome.reason == "closed":
            break
        before = people.asked[-1].key.startswith(("resume/", "approved/"))
        assert (outcome.reason, outcome.exit_code) == (
            "not-resumed" if people.asked[-1].key.startswith("resume/") else "not-begun" if before else "aborted",
            6,
        )
        if not before:
            assert lines_of(world)[-1].type == "aborted"
            with pytest.raises(CeremonyError) as ended:
                held(world, People(world))
            assert ended.value.code == "RECORD-ENDED"
        assert not world.rooms[-1].unlocked
        number += 4
    assert number > 60


@pytest.mark.parametrize("kind", ["pause", "abort", "signal"])
def test_the_question_for_a_pin_can_be_interrupted(world: World, kind: str) -> None:
    once: list[str] = []

    def secrets_told(secret: Secret) -> Interrupt | None:
        once.append(secret.what)
        return Interrupt(kind=kind, exit_code=130) if len(once) in (2, 4) else None  # type: ignore[arg-type]  # parametrized

    outcome = held(world, People(world, secrets_told=secrets_told))
    assert outcome.reason == {"pause": "operator", "abort": "aborted", "signal": "signal"}[kind]
    assert not world.store.initialised
    if kind != "abort":
        held_to_the_end(world, People(world, secrets_told=secrets_told), most_sessions=5)
        assert_right_end(world)


@pytest.mark.parametrize(("when", "unknown"), [("before", False), ("before", True), ("after", True)])
@pytest.mark.parametrize("choice", ["again", "pause"])
def test_an_error_at_each_act_is_told_and_the_ceremony_goes_on(world: World, when: str, unknown: bool, choice: str) -> None:
    """Known to be undone, unknown and not done, unknown and done: each act fails once so."""
    failed: list[str] = []

    def fault(key: str, moment: str) -> CeremonyError | None:
        step = sum(line.type == "step-started" for line in lines_of(world))
        if moment != when or f"{step} {key}" in failed:
            return None
        failed.append(f"{step} {key}")
        return CeremonyError("FOLDER-UNWRITABLE", "made up", outcome_unknown=unknown)

    world.faults.act = fault
    people = People(world, told=lambda ask: choice if ask.key == "after-error" else None)
    held_to_the_end(world, people, most_sessions=150)
    assert len(failed) > 40
    lines = lines_of(world)
    errors = [line for line in lines if line.type == "result" and "error" in line.data]
    assert len(errors) == (0 if unknown else len(failed) - 2)  # two acts that leave something behind never count as undone
    assert_right_end(world)
    if unknown and when == "after":
        assert len(recovered(lines, "sign", "adopted")) == 4, "each signature lay on the disk"
        assert len(recovered(lines, "generate-key", "destroyed")) == 1
        assert world.store.generated == 2


def test_an_abort_after_an_error_ends_it(world: World) -> None:
    world.faults.before["sign"] = [TokenError("TOKEN-REMOVED", "Gone.", outcome_unknown=True)]
    outcome = held(world, People(world, told=lambda ask: "abort" if ask.key == "after-error" else None))
    assert outcome.reason == "aborted"
    assert lines_of(world)[-1].type == "aborted"


def test_a_full_disk_at_the_record_never_hides_what_was_done(world: World) -> None:
    """The session ends when a line can't be written; the act that it would have told of is found by the next one."""
    outcomes: list[str] = []
    while not is_closed(world):
        written = len(lines_of(world)) if world.record.exists() and world.record.stat().st_size else 0
        world.unwritable_from = written + 2 + len(outcomes) % 9
        try:
            outcomes.append(held(world, People(world)).reason)
        except CeremonyError as failed:
            assert failed.code == "RECORD-UNWRITABLE"
            outcomes.append("not begun")
        assert len(outcomes) < 300
        assert not world.rooms[-1].unlocked
    assert outcomes.count("error") > 40
    assert_right_end(world)


def test_a_full_disk_at_a_signature_s_result_is_not_taken_for_a_failed_signature(world: World) -> None:
    """The line that fails is the result: the signature is adopted from the disk, and the token is not asked again."""

    def full(key: str, when: str) -> None:
        if key == "root/sign/example-root-g1" and when == "after":
            world.unwritable_from = len(lines_of(world)) + 1

    world.faults.act = full
    people = People(world)
    outcome = held(world, people)
    assert (outcome.reason, outcome.exit_code) == ("error", ExitCode.USAGE)
    assert "after-error" not in people.asked_keys()
    assert lines_of(world)[-1].type == "intent"
    world.unwritable_from = None
    world.faults.act = lambda key, when: None
    held_to_the_end(world, People(world))
    assert len(world.store.signed) == 4
    assert len(recovered(lines_of(world), "sign", "adopted")) == 1
    assert_right_end(world)


def test_a_signature_that_can_not_be_kept_counts_as_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token signed, and the disk was full for the file of the signature: only a new order has it signed again."""
    from ceremony.machine.folder import CeremonyFolder

    write = CeremonyFolder.write
    full = ["root"]

    def failing(folder: CeremonyFolder, relative: str, octets: bytes) -> Path:
        if relative.endswith(".sig") and full:
            full.pop()
            raise CeremonyError("RECORD-UNWRITABLE", "full")
        return write(folder, relative, octets)

    monkeypatch.setattr(CeremonyFolder, "write", failing)
    people = People(world)
    held_to_the_end(world, people)
    assert "root/sign/example-root-g1/order-again" in people.asked_keys()
    assert len(world.store.signed) == 5
    assert_right_end(world)


@pytest.mark.parametrize(
    "method", ["sign", "generate-key", "random", "login", "initialise", "find-key", "destroy", "info", "logout", "logged-in"]
)
def test_a_module_that_dies_is_started_anew(world: World, method: str) -> None:
    world.faults.before[method] = [
        TokenError("MODULE-DIED", "Dead.", outcome_unknown=method in ("sign", "generate-key", "initialise", "destroy"))
    ]
    if method in ("find-key", "destroy"):
        world.faults.after["generate-key"] = [TokenError("MODULE-HANGS", "Hangs.", outcome_unknown=True)]
    held_to_the_end(world, People(world))
    assert not world.faults.before[method]
    assert_right_end(world)


def test_the_last_try_of_a_pin_is_used_only_when_somebody_says_so(world: World) -> None:
    wrong = iter([b"", b"", b"nope", b"nope"])  # SO PIN and user PIN at initialisation, then two wrong ones

    def typed(secret: Secret) -> bytes | None:
        return (next(wrong, None) if secret.kind == "pin" else None) or None

    choices: list[tuple[str, ...]] = []

    def told(ask: Ask) -> str | None:
        if ask.key == "after-error":
            choices.append(ask.choices)
            return ask.choices[1]
        return None

    held_to_the_end(world, People(world, told=told, secrets_told=typed))
    assert choices == [("pause", "again", "abort"), ("pause", "again", "abort"), ("pause", "use the last try", "abort")]
    assert_right_end(world)
