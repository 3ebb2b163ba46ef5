import io
import signal

import pytest

from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.plain import Plain
from tests.faces import fake_ceremony as fake
from tests.faces.terminal import Terminal

PIN = "7391846205"


def face(typed: str) -> tuple[Plain, io.StringIO]:
    written = io.StringIO()
    return Plain(fake.PEOPLE, read=io.StringIO(typed), write=written), written


def test_a_whole_ceremony_in_lines() -> None:
    words = ["present", "yes", "BAG-1", fake.ORDER.accept, fake.CONFIRM.accept, "written", fake.FROM_PAPER.accept, ""]
    plain, written = face("\n".join(word or "" for word in words))
    conduct = fake.whole()
    conduct(plain)
    assert [key for key, _, _ in conduct.answers] == ["present/admin", "seen", "bag", "order", "confirm", "written", "paper"]
    text = written.getvalue()
    assert "Serial number: 4f1c9a7e22b05d6180c3aa94be71f0235d8e6b17" in text
    assert "THIS IS THE ORDER TO SIGN." in text
    assert "0659 a5bb" in text
    assert "spearhead savagery acme Hamilton" in text


def test_only_printable_ascii_is_written() -> None:
    plain, written = face("\n")
    plain.tell(Notice(kind="info", lines=("Grüße \x1b[31m \u202e",)))
    plain.ask(Ask(key="x", text="Gut?", by="admin"))
    assert all(character == "\n" or " " <= character <= "~" for character in written.getvalue())
    assert "Gr\\u{FC}\\u{DF}e \\u{1B}[31m \\u{202E}" in written.getvalue()


def test_what_stands_on_paper_is_not_written() -> None:
    plain, written = face("something\n")
    plain.ask(fake.FROM_PAPER)
    assert fake.FROM_PAPER.accept and fake.FROM_PAPER.accept not in written.getvalue()


def test_a_question_that_comes_again_does_not_repeat_what_is_to_be_read() -> None:
    plain, written = face("wrong\nafflict examine reindeer publisher\n")
    fake.FakeCeremony([fake.ORDER])(plain)
    assert written.getvalue().count("Serial number") == 1
    assert written.getvalue().count("THIS IS THE ORDER TO SIGN.") == 2


@pytest.mark.parametrize(
    ("typed", "interrupt"),
    [
        (":pause\n", Interrupt(kind="pause", text="paused by the operator", by="admin")),
        (":abort\n:abort the bag was open\n", Interrupt(kind="abort", text="the bag was open", by="admin")),
        (":deviation\n:deviation window open\n", Interrupt(kind="deviation", text="window open", by="admin")),
    ],
)
def test_commands(typed: str, interrupt: Interrupt) -> None:
    plain, _ = face(typed)
    assert plain.ask(fake.ROLL_CALL) == interrupt


def test_help_and_unknown_commands_ask_again() -> None:
    plain, written = face(":help\n:quit\npresent\n")
    assert plain.ask(fake.ROLL_CALL) == Answer(value="present", by="admin")
    assert "ERROR :quit is not a command." in written.getvalue()


def test_the_end_of_the_input_is_a_stop_and_no_success() -> None:
    plain, _ = face("")
    assert plain.ask(fake.ROLL_CALL) == Interrupt(kind="signal", text="SIGHUP", exit_code=129)


def test_a_real_secret_wants_a_terminal() -> None:
    plain, _ = face("123456\n")
    with pytest.raises(CeremonyError) as refused:
        plain.secret(Secret(what="User PIN", by="officer"))
    assert refused.value.code == "SECRET-NEEDS-PERSON"


def test_a_rehearsal_without_a_terminal_takes_what_it_offers() -> None:
    plain, _ = face("")
    assert plain.secret(fake.NEW_PIN) == bytearray(b"918273")


def up_to_the_pin(terminal: Terminal) -> None:
    terminal.wait_for("> ")
    terminal.type("present\r")
    terminal.wait_for("> ")
    terminal.type("yes\r")
    terminal.wait_for("New user PIN: ")


def test_a_pin_is_typed_twice_without_echo() -> None:
    with Terminal("plain") as terminal:
        up_to_the_pin(terminal)
        terminal.type("123\r")
        terminal.wait_for("must have 6 to 16 bytes; this has 3.")
        terminal.wait_for("New user PIN: ")
        terminal.type(f"{PIN}\r")
        terminal.wait_for("The same again: ")
        terminal.type("12345678\r")
        terminal.wait_for("do not agree")
        terminal.wait_for("New user PIN: ")
        terminal.type(f"{PIN}\r")
        terminal.wait_for("The same again: ")
        terminal.type(f"{PIN}\r")
        terminal.wait_for("tamper-evident bag")
        assert PIN not in terminal.seen


@pytest.mark.parametrize("at_the_pin", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_is_a_recorded_stop(number: signal.Signals, at_the_pin: bool) -> None:
    with Terminal("plain") as terminal:
        if at_the_pin:
            up_to_the_pin(terminal)
        else:
            terminal.wait_for("> ")
        terminal.signal(number)
        assert terminal.exit_code() == 128 + number
        assert f"kind='signal', text='{number.name}'" in terminal.seen


def test_a_signal_while_the_token_works_waits_for_the_next_question() -> None:
    with Terminal("plain") as terminal:
        up_to_the_pin(terminal)
        terminal.type(f"{PIN}\r")
        terminal.wait_for("The same again: ")
        terminal.type(f"{PIN}\r")
        terminal.wait_for("WAIT")
        terminal.signal(signal.SIGTERM)
        assert terminal.exit_code() == 143
        assert "The stop is noted" in terminal.seen
        assert "The key was made" in terminal.seen


def test_a_pulled_cable_is_a_recorded_stop() -> None:
    with Terminal("plain") as terminal:
        terminal.wait_for("> ")
        terminal.pull_the_cable()
        assert terminal.exit_code() == 129
