import os
import signal

import pytest

from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.unattended import MOST_REPEATS, Answers, Unattended, read_answers
from tests.faces import fake_ceremony as fake

KINDS = fake.KINDS


def face(answers: str = "", kinds: tuple[str, ...] = KINDS) -> tuple[Unattended, list[str]]:
    said: list[str] = []
    return Unattended(read_answers(answers.encode()), said.append, kinds=kinds), said


def raises(code: str, text: str) -> None:
    with pytest.raises(CeremonyError) as refused:
        face(text)
    assert refused.value.code == code


def test_it_types_back_what_is_asked_for_also_from_paper() -> None:
    unattended, _ = face()
    assert unattended.ask(fake.ROLL_CALL) == Answer(value="present", by="admin")
    assert unattended.ask(fake.FROM_PAPER) == Answer(value=" ".join(fake.PAPER_WORDS), by="witness-1")


def test_it_takes_the_first_choice_unless_the_file_says_otherwise() -> None:
    unattended, _ = face()
    assert unattended.ask(fake.CHOICE) == Answer(value="pause", by="admin")
    unattended, _ = face('[answers]\n"unlock/after-error" = "again"\n"6/after-error" = "abort"')
    unattended.tell(fake.step(5))
    assert unattended.ask(fake.CHOICE) == Answer(value="again", by="admin")
    unattended.tell(fake.step(6))
    assert unattended.ask(fake.CHOICE) == Answer(value="abort", by="admin")
    unattended.finish()


def test_the_number_of_a_step_goes_before_its_kind() -> None:
    unattended, _ = face('[answers]\n"unlock/bag" = "kind"\n"5/bag" = "number"')
    unattended.tell(fake.step(5))
    assert unattended.ask(fake.FREE) == Answer(value="number", by="officer")


def test_a_free_answer_that_nobody_planned_is_named() -> None:
    unattended, _ = face()
    unattended.tell(fake.step(6))
    with pytest.raises(CeremonyError, match="'6/bag' or 'generate-root/bag'") as missing:
        unattended.ask(fake.FREE)
    assert missing.value.code == "ANSWERS-MISSING"


def test_a_planned_deviation_comes_once_and_before_the_answer() -> None:
    unattended, _ = face('[[deviations]]\nat = "roll-call/present/admin"\ntext = "late"')
    unattended.tell(fake.step(1))
    assert unattended.ask(fake.ROLL_CALL) == Interrupt(kind="deviation", text="late", by="admin")
    assert unattended.ask(fake.ROLL_CALL) == Answer(value="present", by="admin")
    unattended.finish()


def test_a_planned_mistake_is_typed_first() -> None:
    conduct = fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])
    unattended, said = face('[[mistakes]]\nat = "1/present/admin"\nvalue = "presnet"')
    conduct(unattended)
    assert conduct.answers == [("present/admin", "present", "admin")]
    assert "  [admin] presnet" in said
    unattended.finish()


def test_a_planned_mistake_for_a_pin() -> None:
    unattended, said = face('[[mistakes]]\nat = "initialise-token/secret"\nvalue = "000000"')
    unattended.tell(fake.step(4))
    assert unattended.secret(fake.NEW_PIN) == bytearray(b"000000")
    assert unattended.secret(fake.NEW_PIN) == bytearray(b"918273")
    assert "918273" not in "".join(said)


def test_a_real_secret_is_never_made_up() -> None:
    unattended, _ = face()
    with pytest.raises(CeremonyError) as refused:
        unattended.secret(Secret(what="User PIN", by="officer"))
    assert refused.value.code == "SECRET-NEEDS-PERSON"


@pytest.mark.parametrize(
    "text",
    [
        "[answer]\n",
        '[answers]\n"9/bag" = "x"',
        '[answers]\n"no-such-kind/bag" = "x"',
        '[answers]\nbag = "x"',
        "[answers]\n'1/bag' = 4",
        '[[deviations]]\nat = "1/bag"',
        '[[mistakes]]\nat = "1/bag"\nvalue = "x"\nwhy = "?"',
    ],
)
def test_unknown_entries_are_errors(text: str) -> None:
    raises("ANSWERS-UNKNOWN", text)


def test_what_is_not_toml_is_an_error() -> None:
    raises("ANSWERS-BROKEN", "[answers\n")
    with pytest.raises(CeremonyError) as broken:
        read_answers(b"\xff")
    assert broken.value.code == "ANSWERS-BROKEN"


@pytest.mark.parametrize(
    "text",
    [
        '[answers]\n"1/bag" = "x"',
        '[[deviations]]\nat = "1/bag"\ntext = "late"',
        '[[mistakes]]\nat = "roll-call/bag"\nvalue = "x"',
    ],
)
def test_unused_entries_are_errors_unless_a_person_took_over(text: str) -> None:
    unattended, _ = face(text)
    unattended.tell(fake.step(1))
    unattended.ask(fake.ROLL_CALL)
    with pytest.raises(CeremonyError, match="bag") as unused:
        unattended.finish()
    assert unused.value.code == "ANSWERS-UNUSED"
    unattended.taken_over = True
    unattended.finish()


def test_answers_that_are_refused_again_and_again_end_the_run() -> None:
    unattended, _ = face('[answers]\n"1/present/admin" = "absent"')
    with pytest.raises(CeremonyError) as refused:
        fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])(unattended)
    assert refused.value.code == "ANSWERS-REFUSED"
    assert MOST_REPEATS < 10


def test_a_question_that_comes_anew_under_another_number_ends_the_run_too() -> None:
    unattended, _ = face()
    unattended.tell(fake.step(1))
    with pytest.raises(CeremonyError) as refused:
        for turn in range(MOST_REPEATS + 1):
            unattended.ask(Ask(key=f"clock/{turn}/admin", text="Does it agree?", by="admin", choices=("differs",)))
    assert refused.value.code == "ANSWERS-REFUSED"


def test_before_the_first_step_a_question_has_number_0() -> None:
    unattended, _ = face('[answers]\n"0/bag" = "BAG-7"')
    assert unattended.ask(fake.FREE) == Answer(value="BAG-7", by="officer")


def test_what_is_told_is_printed() -> None:
    unattended, said = face()
    unattended.tell(fake.step(1, "Say your names."))
    unattended.tell(Notice(kind="fingerprint", facts={"fingerprint": fake.FINGERPRINT}))
    unattended.tell(Notice(kind="error", lines=("It went wrong.",)))
    text = "\n".join(said)
    assert "Step 1: Roll call" in text
    assert "Say your names." in text
    assert "spearhead savagery acme Hamilton" in text
    assert "ERROR It went wrong." in text


def test_optional_text_is_left_empty() -> None:
    assert Unattended(Answers(), lambda line: None).ask(Ask(key="note", text="A note?", by="admin")) == Answer(value="", by="admin")


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_is_kept_until_the_next_question_and_stops_the_run_on_the_record(number: signal.Signals, exit_code: int) -> None:
    unattended, _ = face()
    before = signal.getsignal(number)
    with unattended.signals():
        os.kill(os.getpid(), number)
        assert unattended.ask(fake.ROLL_CALL) == Interrupt(kind="signal", text=number.name, exit_code=exit_code)
    assert signal.getsignal(number) == before


def test_a_passphrase_has_a_place_of_its_own_among_the_planned_mistakes() -> None:
    unattended, _ = face('[[mistakes]]\nat = "1/passphrase"\nvalue = "forgotten"')
    unattended.tell(Notice(kind="step-started", step=1))
    pin = Secret(what="user PIN", by="admin", suggestion="1234")
    passphrase = Secret(what="passphrase of Anna", by="admin", kind="passphrase", suggestion="of the rehearsal")
    typed = [unattended.secret(secret) for secret in (pin, passphrase, passphrase)]
    assert typed == [bytearray(b"1234"), bytearray(b"forgotten"), bytearray(b"of the rehearsal")]
