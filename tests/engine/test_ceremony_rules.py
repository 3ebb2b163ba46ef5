"""Rules 2 to 7, 12, 14 and 15 of the design's section 5, in a ceremony with a token in memory; each goes red without its check."""

import re
from pathlib import Path

import pytest

from ceremony.engine.step import Ask, Interrupt
from ceremony.errors import CeremonyError
from ceremony.pki.batch import BatchItem, batch_digest
from ceremony.pki.signatures import signature_holds
from ceremony.words import sha256_hex, words_of
from hsm.errors import TokenError
from tests.engine.memory_room import FIRST_CEREMONY, World, csr_of, held, held_to_the_end
from tests.engine.people import PINS, People
from tests.engine.right_end import acts, assert_right_end, lines_of, of, recovered


def edited(world: World, before: str, after: str, times: int = 1) -> None:
    text = world.script.decode()
    assert before in text
    world.script = text.replace(before, after, times).encode()


# rule 2 and 4: what the root signs


def test_the_root_signs_what_was_stored_and_ordered_and_nothing_else(world: World) -> None:
    held_to_the_end(world, People(world))
    stored = {line.data["args"]["sha256"] for line in acts(world, "store")}
    intended = {line.data["args"]["sha256"] for line in acts(world, "sign")}
    assert set(world.store.signed) == stored == intended
    assert len(world.store.signed) == 4
    assert {line.data["args"]["purpose"] for line in acts(world, "sign")} == {"root", "proof", "intermediate"}


def test_to_be_signed_bytes_that_changed_on_the_disk_are_not_signed(world: World) -> None:
    def swap(key: str, when: str) -> None:
        if key == "root/sign/example-root-g1" and when == "before":
            (path,) = world.folder.glob("work/root-*.tbs")
            path.write_bytes(path.read_bytes() + b"\0")

    world.faults.act = swap
    people = People(world, told=lambda ask: "abort" if ask.key == "after-error" else None)
    assert held(world, people).reason == "aborted"
    assert "DRAFT-BYTES-DIFFER" in " ".join(people.errors())
    assert world.store.signed == []


def test_a_signature_that_does_not_verify_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = iter([False])
    monkeypatch.setattr("ceremony.room.sign.signature_holds", lambda *args: next(wrong, None) is None and signature_holds(*args))
    people = People(world)
    held_to_the_end(world, people)
    assert "DRAFT-SIGNATURE-BAD" in " ".join(people.errors())
    assert "root/sign/example-root-g1/order-again" in people.asked_keys(), "it may have been made: a new order"
    assert_right_end(world)


# rule 5: orders


def test_each_signature_is_ordered_by_two_people_over_its_digest(world: World) -> None:
    people = People(world)
    held_to_the_end(world, people)
    signs = acts(world, "sign")
    batch = [line for line in signs if line.data["args"]["purpose"] == "intermediate"]
    items = [BatchItem(line.data["key"].rpartition("/")[2], line.data["args"]["serial"], line.data["args"]["sha256"]) for line in batch]
    digests = {line.seq: line.data["args"]["sha256"] for line in signs} | {line.seq: batch_digest(items) for line in batch}
    for line in signs:
        orders = [order for order in of(world, "ordered") if order.data["digest"] == digests[line.seq] and order.seq < line.seq]
        assert [order.data["value"].split() for order in orders] == [words_of(digests[line.seq])[:4], words_of(digests[line.seq])[4:8]]
        assert len({order.data["by"] for order in orders}) == 2
    assert [ask.key for ask in people.asked if ask.order] == [line.data["key"] for line in of(world, "ordered")]


@pytest.mark.parametrize("key", ["root/order", "root/confirm"])
def test_other_words_are_no_order(world: World, key: str) -> None:
    tried: list[str] = []

    def told(ask: Ask) -> str | Interrupt | None:
        if ask.key != key or ask.accept is None:
            return None
        tries = ["", "yes", " ".join(reversed(ask.accept.split())), " ".join(ask.accept.split()[:3])]
        if len(tried) == len(tries):
            return Interrupt(kind="abort")
        tried.append(tries[len(tried)])
        return tried[-1]

    assert held(world, People(world, told=told)).reason == "aborted"
    assert len(tried) == 4
    assert world.store.signed == []


def test_a_batch_is_at_most_max_batch_and_stops_at_the_first_failure(world: World) -> None:
    edited(world, 'evidence = "witness"', 'evidence = "witness"\nmax_batch = 1')
    held_to_the_end(world, People(world))
    digests = [line.data["digest"] for line in of(world, "ordered")]
    assert digests == [sha for line in acts(world, "sign") for sha in [line.data["args"]["sha256"]] * 2]
    assert_right_end(world)


def test_after_a_failed_signature_of_a_batch_the_next_is_not_made(world: World) -> None:
    def fault(key: str, when: str) -> CeremonyError | None:
        return CeremonyError("FOLDER-UNWRITABLE", "made up") if key == "batch/1/sign/alpha.1" and when == "before" else None

    world.faults.act = fault
    people = People(world, told=lambda ask: "pause" if ask.key == "after-error" else None)
    assert held(world, people).reason == "crossing"
    assert held(world, people).reason == "error"
    assert len(world.store.signed) == 2
    assert not any(line.data["key"].endswith("beta.1") for line in acts(world, "sign"))


# rule 6: sign-off


def test_everyone_here_signs_off_before_each_seal_and_a_refusal_is_recorded(world: World) -> None:
    told = {"sign-off/auditor": "refused", "sign-off/auditor/note": "I could not see the screen"}
    held_to_the_end(world, People(world, told=lambda ask: told.get(ask.key)))
    lines = lines_of(world)
    seals = [line.seq for line in lines if line.type == "sealed"]
    for seal, after in zip(seals, [0, *seals], strict=False):
        signed = [line.data for line in lines[after : seal - 1] if line.type == "signed-off"]
        assert {data["participant"] for data in signed} == {"admin", "officer", "witness-1", "auditor"}
        assert {data["statement"] for data in signed if data["participant"] == "auditor"} == {"refused"}
        assert all(data["rehearsal"] is False and data["ceremony"] == lines[0].data["ceremony"] for data in signed)
    assert_right_end(world)


# rule 7: giving up


@pytest.mark.parametrize("purpose", ["root", "proof"])
def test_giving_up_a_signature_that_all_hangs_on_leaves_only_the_abort(world: World, purpose: str) -> None:
    key = {"root": "root/sign/example-root-g1", "proof": "proofs/1/sign/example-dps"}[purpose]

    def fault(at: str, when: str) -> CeremonyError | None:
        return CeremonyError("FOLDER-UNWRITABLE", "made up", outcome_unknown=True) if (at, when) == (key, "before") else None

    world.faults.act = fault
    told = lambda ask: "give up" if ask.key.endswith("/recover") else None  # noqa: E731
    if purpose == "proof":
        assert held(world, People(world)).reason == "crossing"
    people = People(world, told=told)
    assert held(world, people).reason == "error"
    assert "SIGNATURE-GIVEN-UP" in " ".join(people.errors())
    again = People(world, told=lambda ask: "abort" if ask.key == "after-refusal" else None)
    assert held(world, again).reason == "aborted", "and it stays given up: nothing asks to sign it after all"
    assert not any(key.endswith(("/recover", "/order-again")) for key in again.asked_keys())
    assert [line.data["how"] for line in of(world, "recovered")] == ["given-up"]
    assert lines_of(world)[-1].type == "aborted"


def test_a_signature_once_given_up_stays_given_up_through_a_crash(world: World) -> None:
    """The crash comes between the line that says so and the result: nobody is asked again whether to sign after all."""

    class Cut(Exception):
        pass

    def fault(at: str, when: str) -> CeremonyError | None:
        unknown = CeremonyError("FOLDER-UNWRITABLE", "made up", outcome_unknown=True)
        return unknown if (at, when) == ("batch/1/sign/beta.1", "before") else None

    def changed(what: str) -> None:
        if what == "line recovered":
            raise Cut

    world.faults.act = fault
    world.changed = changed
    told = lambda ask: "give up" if ask.key.endswith("/recover") else None  # noqa: E731
    assert held(world, People(world)).reason == "crossing"
    with pytest.raises(Cut):
        held(world, People(world, told=told))
    world.changed = lambda what: None
    people = People(world)
    held_to_the_end(world, people)
    assert not any(key.endswith("/recover") for key in people.asked_keys())
    assert len(world.store.signed) == 3
    assert_right_end(world)


def test_an_undecided_generation_is_never_adopted(world: World) -> None:
    world.faults.after["generate-key"] = [TokenError("MODULE-HANGS", "No answer.", outcome_unknown=True)]
    first: list[bytes] = []
    world.changed = lambda what: first.extend(pair.public_der for pair in world.store.pairs.values()) if what == "key pair" else None
    people = People(world)
    held_to_the_end(world, people)
    (kept,) = (pair.public_der for pair in world.store.pairs.values())
    assert first[0] != kept and len(first) == 2
    assert len({ask.by for ask in people.asked if "/destroy/" in ask.key}) == 2
    assert [line.data["how"] for line in of(world, "recovered")] == ["destroyed", "done-again"]
    assert_right_end(world)


# rule 3, as the import step has it


def test_a_request_is_refused_where_the_script_does_not_name_it(world: World, place: Path) -> None:
    assert held(world, People(world)).reason == "crossing"
    root = lines_of(world)[-1]
    sealed = next(line for line in reversed(lines_of(world)) if line.type == "sealed").data["root_certificate_sha256"]
    world.bring_request("0" * 64, name="a-other-root")
    world.bring_request(sealed, made_at="2026-11-24T23:00:00Z", name="b-from-tomorrow")
    people = People(world)
    held_to_the_end(world, people)
    refusals = [ask for ask in people.asked if ask.key.startswith("refused/")]
    told = [line.data["text"] for line in of(world, "confirmed") if line.data["key"].startswith("refused/")]
    assert ["REQUEST-ROOT" in told[0], "REQUEST-TIME" in told[1]] == [True, True], "the record says why"
    assert root.type == "paused"
    assert [re.search(r"REQUEST-[A-Z]+", " ".join(ask.shown)).group() for ask in refusals] == ["REQUEST-ROOT", "REQUEST-TIME"]  # type: ignore[union-attr]  # else the test fails
    assert_right_end(world)


def test_what_nobody_vouches_for_is_not_used(world: World) -> None:
    assert held(world, People(world)).reason == "crossing"
    refused: list[str] = []

    def told(ask: Ask) -> str | Interrupt | None:
        if ask.key.startswith("vouch/1/beta.1/witness-1"):
            refused.append(ask.key)
            return "refuse"
        return Interrupt(kind="abort") if ask.key == "after-error" else None

    people = People(world, told=told)
    assert held(world, people).reason == "aborted"
    assert refused
    assert "MEDIUM-NO-REQUEST" in " ".join(people.errors()), "the same request is not taken a second time"
    assert len(world.store.signed) == 1


def test_the_words_of_a_key_are_not_shown_before_they_are_typed(world: World) -> None:
    people = People(world)
    held_to_the_end(world, people)
    (request,) = acts(world, "import-request", "result")[0].data["value"]["requests"]
    digest = next(csr["spki_sha256"] for csr in request["csrs"] if csr["name"] == "alpha.1")
    first = next(ask for ask in people.asked if ask.key == "vouch/1/alpha.1/admin")
    assert first.blind and first.digest is None and csr_of("alpha.1")
    shown_before = " ".join(line for ask in people.asked[: people.asked.index(first) + 1] for line in (ask.text, *ask.shown))
    assert digest not in shown_before and " ".join(words_of(digest)[:4]) not in shown_before


# people


def test_only_those_whom_no_step_needs_may_be_absent_and_alternates_stand_in(world: World) -> None:
    edited(world, 'confirm = ["witness-1", "auditor"]', 'confirm = ["witness-1"]')
    told = {"who/auditor": "absent", "who/admin": "Per Aas"}
    people = People(world, told=lambda ask: told.get(ask.key))
    held_to_the_end(world, people)
    choices = {ask.key: ask.choices for ask in people.asked if ask.key.startswith("who/")}
    assert "absent" in choices["who/auditor"] and "absent" not in choices["who/officer"]
    here = of(world, "step-finished")[0].data["products"]["people"]
    assert here["admin"] == {"name": "Per Aas", "role": "administrator", "stands_in": True} and "auditor" not in here
    assert {line.data["name"] for line in of(world, "signed-off")} == {"Per Aas", "Nils Berg", "Eva Lund"}
    by_admin = {line.data["key"]: line.data["name"] for line in of(world, "confirmed") if line.step == 1 and line.data["by"] == "admin"}
    # Until the name is said, the place is the script's.
    assert by_admin.pop("who/admin") == "Kari Holm"
    assert set(by_admin.values()) == {"Per Aas"} and {"present/admin", "who/officer", "identified/officer"} <= by_admin.keys()
    assert_right_end(world)


# rule 12: secrets and logins


def test_the_login_ends_with_the_step(world: World) -> None:
    open_after: dict[str, bool] = {}

    def changed(what: str) -> None:
        if what == "line step-finished":
            last = lines_of(world)[-1]
            kind = next(line.data["kind"] for line in lines_of(world) if line.step == last.step and line.type == "step-started")
            open_after[kind] = open_after.get(kind, False) or world.rooms[-1].unlocked

    world.changed = changed
    held_to_the_end(world, People(world))
    assert {kind for kind, is_open in open_after.items() if is_open} == {"unlock"}


@pytest.mark.parametrize("kind", ["pause", "abort", "signal"])
def test_the_login_ends_at_any_stop(world: World, kind: str) -> None:
    was_open: list[bool] = []

    def told(ask: Ask) -> Interrupt | None:
        if ask.key == "root/order":
            was_open.append(world.rooms[-1].unlocked)
            return Interrupt(kind=kind, exit_code=143)  # type: ignore[arg-type]  # parametrized
        return None

    at_the_line: list[bool] = []
    world.changed = lambda what: at_the_line.append(world.rooms[-1].unlocked) if what in ("line paused", "line aborted") else None
    held(world, People(world, told=told))
    assert was_open == [True] and at_the_line == [False]


def test_the_login_ends_after_ten_idle_minutes(world: World) -> None:
    now = [0.0]

    def told(ask: Ask) -> None:
        world.rooms[-1].monotonic = lambda: now[0]
        if ask.key == "root/order":
            now[0] += 601

    people = People(world, told=told)
    held_to_the_end(world, people)
    assert len([line for line in acts(world, "login") if line.step == 9]) == 1, "once more, before the signature"


def test_no_secret_is_in_any_file(world: World) -> None:
    held_to_the_end(world, People(world))
    for path in world.base.rglob("*"):
        for pin in PINS.values():
            assert path.is_dir() or (pin not in path.read_bytes() and sha256_hex(pin).encode() not in path.read_bytes())


# rules 14 and 15


@pytest.mark.parametrize("rehearsal", [True, False])
def test_the_flag_stands_in_every_line_that_speaks_for_the_ceremony(world: World, rehearsal: bool) -> None:
    world.rehearsal = rehearsal
    held_to_the_end(world, People(world, told=lambda ask: "leave" if ask.key == "go-on" else None))
    speaking = of(world, "opened", "sealed", "signed-off")
    assert {line.data["rehearsal"] for line in speaking} == {rehearsal} and len(speaking) == 11
    subject = next(line.data["args"]["subject"] for line in acts(world, "sign"))
    assert ("REHEARSAL" in subject) == rehearsal
    assert {path.name.startswith("rehearsal-") for path in world.outbox.iterdir()} == {rehearsal}


def test_teardown_also_runs_when_the_program_fails(world: World) -> None:
    def told(ask: Ask) -> None:
        if ask.key == "root/order":
            raise KeyError("a defect")

    with pytest.raises(KeyError):
        held(world, People(world, told=told))
    assert world.rooms[-1].asked_to_close and not world.rooms[-1].unlocked
    held_to_the_end(world, People(world))
    assert_right_end(world)
    assert recovered(lines_of(world), "sign", "signed-again") == []
    assert FIRST_CEREMONY.exists()
