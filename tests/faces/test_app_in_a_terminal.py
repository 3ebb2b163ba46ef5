"""The app in a pseudo-terminal: exit codes, a clean terminal, and no PIN in anything that it writes."""

import base64
import re
import signal

import pytest

from tests.faces.terminal import Terminal

PIN = "7391846205"
LEFT_THE_SCREEN = "\x1b[?1049l"
CLIPBOARD = "\x1b]52"


def up_to_the_pin(terminal: Terminal) -> None:
    terminal.wait_for("Are you here?")
    terminal.type("present\r")
    terminal.wait_for("no route to any network")
    terminal.wait_for("> 1 yes")
    terminal.type("\r")
    terminal.wait_for("Not shown>")


def assert_no_pin(terminal: Terminal) -> None:
    assert PIN not in terminal.seen
    assert base64.b64encode(PIN.encode()).decode() not in terminal.seen
    assert CLIPBOARD not in terminal.seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_is_a_recorded_stop_with_its_own_exit_code_and_a_clean_terminal(number: signal.Signals) -> None:
    with Terminal("app") as terminal:
        terminal.wait_for("Are you here?")
        terminal.signal(number)
        assert terminal.exit_code() == 128 + number
        after = terminal.seen.partition(LEFT_THE_SCREEN)[2]
        assert f"kind='signal', text='{number.name}'" in after.replace("\r\n", "")
        assert "spearhead savagery acme Hamilton" in after, "the fingerprint of the pause must still be readable"
        assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l"), "the cursor must be visible again"


def test_a_pulled_cable_is_a_recorded_stop() -> None:
    with Terminal("app") as terminal:
        terminal.wait_for("Are you here?")
        terminal.pull_the_cable()
        assert terminal.exit_code() == 129


def test_ctrl_c_in_the_field_for_a_pin_stops_and_copies_nothing() -> None:
    with Terminal("app") as terminal:
        up_to_the_pin(terminal)
        terminal.type(PIN)
        terminal.type("\x01\x1b[1;2H\x03")
        terminal.wait_for("Stop here?")
        terminal.type("\x03")
        terminal.wait_for("The session has ended")
        terminal.type("\r")
        assert terminal.exit_code() == 130
        assert_no_pin(terminal)


@pytest.mark.parametrize("what", ["crash", "crash-loop"])
def test_a_crash_shows_no_pin(what: str) -> None:
    with Terminal(what) as terminal:
        terminal.wait_for("Not shown>")
        terminal.type(PIN + "\r")
        if what == "crash-loop":
            terminal.wait_for("Type it again.")
            terminal.type(PIN + "\r")
        assert terminal.exit_code() == 1
        after = terminal.seen.partition(LEFT_THE_SCREEN)[2]
        said = after.replace("\r\n", "\n")
        assert re.search(r"What happened: ValueError at faces/play\.py:\d+\.\n", said), "the crash itself must be told"
        assert "Code: INTERNAL" in said
        assert "a bug in the" not in terminal.seen, "neither the message nor a line of source"
        assert_no_pin(terminal)


def test_no_colour_is_no_colour() -> None:
    with Terminal("app", NO_COLOR="1") as terminal:
        terminal.wait_for("Are you here?")
        terminal.signal(signal.SIGTERM)
        terminal.exit_code()
        codes = {code for part in re.findall("\x1b\\[([0-9;]*)m", terminal.seen) for code in part.split(";")}
        assert codes <= {"", "0", "1", "4", "7", "39", "49"}, "bold, underlined, reversed and the terminal's own colours are all"
