import threading
from concurrent.futures import Future

import msgspec
import pytest
from textual.widgets import Button, Input

from ceremony.engine.conduct import Stopped
from ceremony.engine.step import Answer, Ask, Face, Interrupt, Notice, Secret
from ceremony.tui.app import CeremonyApp
from ceremony.tui.dialogs import Cover, End
from ceremony.tui.face import ScreenFace
from ceremony.tui.widgets import PinInput, Reading
from ceremony.unattended import Answers, Unattended
from tests.faces import fake_ceremony as fake
from tests.faces.driving import Driver, drive

ORDER_WORDS = fake.ORDER.accept or ""


def test_a_whole_ceremony_key_by_key() -> None:
    conduct = fake.whole()

    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        await driver.type("absent")
        await driver.until("ERROR: That is not what is shown.")
        await driver.type("Present")
        await driver.until("Has everybody seen")
        await driver.press("enter")
        await driver.until("New user PIN")
        await driver.type("739184")
        await driver.until("Type it again.")
        await driver.type("739184")
        await driver.until("PLEASE WAIT: Generating the root key")
        await driver.until("tamper-evident bag")
        await driver.type("BAG 17")
        await driver.until("THIS IS THE ORDER TO SIGN")
        await driver.press(*["pagedown"] * 6)
        await driver.until("Type: afflict")
        await driver.type(ORDER_WORDS)
        await driver.until("Confirm the order")
        await driver.type("orca orlando crowfoot combustion")
        await driver.until("FINGERPRINT (SHA-256) for the paper")
        await driver.type("written")
        await driver.until("it is not shown here")
        await driver.type(" ".join(fake.PAPER_WORDS))
        frame = await driver.until("The ceremony is done.")
        assert "spearhead savagery acme Hamilton" in frame
        await driver.press("escape")
        assert isinstance(driver.app.screen, End)
        await driver.press("enter")

    app = drive(conduct, play)
    assert app.outcome() == fake.FINGERPRINT
    assert conduct.secrets == [b"739184"]
    assert conduct.answers[2] == ("bag", "BAG 17", "officer")
    assert conduct.thread.startswith("ceremony")


def test_an_order_waits_until_the_last_line_was_in_view() -> None:
    conduct = fake.FakeCeremony([fake.step(7), fake.ORDER])

    async def play(driver: Driver) -> None:
        await driver.until("Read to the last line first")
        box = driver.app.query_one("#answer", Input)
        await driver.press(*"afflict", "enter")
        assert box.disabled and box.value == ""
        await driver.press("pagedown")
        await driver.press("f2")
        await driver.until("Record a deviation")
        await driver.press("enter")
        await driver.type("late")
        await driver.until("Read to the last line first")
        assert box.disabled, "a deviation must not open the box"
        await driver.press(*["pagedown"] * 6)
        await driver.until("Difference to the last of its kind: this is the first")
        await driver.until("Type: afflict")
        await driver.type(ORDER_WORDS)
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.answers == [("order", ORDER_WORDS, "officer")]
    assert [interrupt.text for interrupt in conduct.interrupts] == ["late"]


def test_the_word_that_the_text_before_was_read_opens_no_order() -> None:
    conduct = fake.FakeCeremony([fake.step(7), fake.ORDER])

    async def play(driver: Driver) -> None:
        await driver.until("Read to the last line first")
        reading = driver.app.screen.query_one("#reading", Reading)
        reading.post_message(Reading.ReadToTheEnd(reading))
        await driver.pilot.pause()
        assert driver.app.query_one("#answer", Input).disabled
        await driver.press(*["pagedown"] * 6)
        await driver.type(ORDER_WORDS)
        await driver.until("The ceremony is done.")

    drive(conduct, play)


@pytest.mark.parametrize("before", [["one line"], [f"line {number}" for number in range(60)]], ids=["shorter", "as-long-and-read"])
def test_new_text_is_not_read_before_it_stands_in_its_place(before: list[str]) -> None:
    async def play(driver: Driver) -> None:
        await driver.until("one line")
        reading = driver.app.screen.query_one("#reading", Reading)
        reading.show(before)
        await driver.until(before[0])
        await driver.still()
        reading.scroll_end(animate=False, immediate=True, force=True)
        await driver.until_true(lambda: reading.all_seen)
        reading.show([f"new {number}" for number in range(60)])
        reading.say_place()
        assert not reading.all_seen
        await driver.until("lines 1-")
        assert not reading.all_seen
        reading.scroll_end(animate=False, immediate=True, force=True)
        await driver.until_true(lambda: reading.all_seen)
        await driver.type("go")
        await driver.until("The ceremony is done.")

    ask = Ask(key="order", text="Order it.", by="officer", shown=("one line",), accept="go", order=True)
    drive(fake.FakeCeremony([ask]), play)


def test_an_order_that_fits_the_screen_can_be_given_at_once() -> None:
    ask = Ask(key="order", text="Order it.", by="officer", shown=("one line",), accept="go", order=True)

    async def play(driver: Driver) -> None:
        await driver.until("Type: go")
        await driver.type("go")
        await driver.until("The ceremony is done.")

    drive(fake.FakeCeremony([ask]), play)


def test_a_second_person_asked_over_the_same_lines_sees_them_once_and_reads_them_all() -> None:
    second = msgspec.structs.replace(fake.ORDER, key="order/2", by="witness-1")
    conduct = fake.FakeCeremony([fake.step(7), fake.ORDER, second])

    async def play(driver: Driver) -> None:
        for asked in ("Bo Larsen (crypto-officer): Order", "Carmen Díaz (witness): Order"):
            await driver.until(asked)
            await driver.until("Read to the last line first")
            await driver.until("Certificate to be signed")
            await driver.press(*["pagedown"] * 6)
            await driver.until("Type: afflict")
            await driver.until(" of 19, end")
            await driver.type(ORDER_WORDS)
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert [by for _, _, by in conduct.answers] == ["officer", "witness-1"]


def test_an_approval_is_read_to_its_last_line_before_it_can_be_typed() -> None:
    approval = Ask(key="approved/a", text="Is it approved?", by="officer", shown=tuple(map(str, range(60))), accept="go", read_first=True)

    async def play(driver: Driver) -> None:
        await driver.until("Read to the last line first")
        await driver.press("g", "o", "enter")
        await driver.press(*["pagedown"] * 8)
        await driver.until("Type: go")
        assert not driver.app.query_one("#answer", Input).value
        await driver.type("go")
        await driver.until("The ceremony is done.")

    drive(fake.FakeCeremony([approval]), play)


def test_what_stands_on_paper_is_nowhere_on_the_screen() -> None:
    conduct = fake.FakeCeremony([fake.step(8), fake.FROM_PAPER])
    words = " ".join(fake.PAPER_WORDS)

    async def play(driver: Driver) -> None:
        frame = await driver.until("it is not shown here")
        assert words not in frame
        await driver.type("aardvark absurd accrue acme")
        await driver.until("ERROR: That is not what stands on the paper.")
        await driver.press("f3")
        frame = await driver.until("Looking back")
        assert words not in frame and "aardvark" not in frame
        await driver.press("escape")
        await driver.type(words)
        await driver.until("The ceremony is done.")
        await driver.pilot.pause()
        assert words not in repr(vars(driver.app.query_one("#answer", Input)))

    drive(conduct, play)


def test_choices_by_digit_and_arrows() -> None:
    conduct = fake.FakeCeremony([fake.step(5), fake.CHOICE, fake.CHOICE])

    async def play(driver: Driver) -> None:
        await driver.until("> 1 pause")
        await driver.press("down", "down", "down", "up")
        await driver.until("> 2 again")
        await driver.press("enter")
        await driver.until_true(lambda: len(conduct.answers) == 1)
        await driver.until("> 1 pause")
        await driver.press("3", "enter")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert [value for _, value, _ in conduct.answers] == ["again", "abort"]


def test_a_pin_must_fit_the_token_and_be_the_same_twice() -> None:
    conduct = fake.FakeCeremony([fake.step(4), fake.NEW_PIN])

    async def play(driver: Driver) -> None:
        await driver.until("Type it twice.")
        await driver.type("12345")
        await driver.until("must have 6 to 16 bytes; this has 5.")
        await driver.type("739184")
        await driver.until("Type it again.")
        await driver.type("739185")
        await driver.until("do not agree")
        await driver.type("739184")
        await driver.until("Type it again.")
        assert "739184" not in driver.frame()
        await driver.type("739184")
        await driver.until("The ceremony is done.")
        assert driver.app.query_one(PinInput).value == ""

    drive(conduct, play)
    assert conduct.secrets == [b"739184"]


def test_the_field_for_a_pin_cannot_be_copied_or_cut() -> None:
    async def play(driver: Driver) -> None:
        await driver.until("Type it twice.")
        await driver.press(*"739184")
        box = driver.app.query_one(PinInput)
        box.select_all()
        box.action_copy()
        box.action_cut()
        await driver.press("ctrl+x")
        assert (driver.app.clipboard, box.value) == ("", "739184")
        await driver.press("ctrl+c")
        await driver.until("Stop here?")
        driver.app.copy_to_clipboard("what any other field would copy")
        assert driver.app.clipboard == ""

    drive(fake.FakeCeremony([fake.step(4), fake.NEW_PIN]), play)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["f10", "down", "enter"], Interrupt(kind="pause", text="stopped by F10", by="admin")),
        (["ctrl+q", "down", "enter"], Interrupt(kind="signal", text="stopped by Ctrl+Q", by="admin", exit_code=130)),
        (["ctrl+c", "ctrl+c"], Interrupt(kind="signal", text="stopped by Ctrl+Q", by="admin", exit_code=130)),
        (["f10", "ctrl+q"], Interrupt(kind="signal", text="stopped by Ctrl+Q", by="admin", exit_code=130)),
        (["f10", "3", "enter", "b", "a", "d", "enter"], Interrupt(kind="abort", text="bad", by="admin")),
    ],
)
def test_each_way_to_stop(keys: list[str], expected: Interrupt) -> None:
    conduct = fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])

    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        for key in keys:
            await driver.press(key)
            await driver.pilot.pause()
        await driver.until("The session has ended")
        await driver.press("enter")

    app = drive(conduct, play)
    assert conduct.interrupts == [expected]
    with pytest.raises(Stopped) as stopped:
        app.outcome()
    assert stopped.value.exit_code == (6 if expected.kind == "abort" else expected.exit_code)


def test_going_back_from_a_stop_goes_on() -> None:
    conduct = fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])

    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        for back in (["enter"], ["escape"], ["3", "enter", "escape"]):
            await driver.press("f10")
            await driver.until("Stop here?")
            await driver.press(*back)
            await driver.until_true(lambda: driver.app.screen is driver.app.get_default_screen())
        await driver.type("present")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.interrupts == []


def test_a_stop_while_the_token_works_comes_with_the_next_question() -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def work(face: Face) -> None:
        face.tell(Notice(kind="working", lines=("Generating",)))
        at_work.set()
        go_on.wait(10)

    conduct = fake.FakeCeremony([fake.step(6), work, fake.FREE])

    async def play(driver: Driver) -> None:
        await driver.until_true(at_work.is_set)
        await driver.press("f10", "down", "enter")
        frame = await driver.until("Noted; it is recorded")
        assert "PLEASE WAIT: Generating" in frame
        go_on.set()
        await driver.until("The session has ended")

    drive(conduct, play)
    assert [interrupt.kind for interrupt in conduct.interrupts] == ["pause"]


def test_a_deviation_names_who_reports_it() -> None:
    conduct = fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])

    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        await driver.press("f2")
        await driver.until("> 1 Åse Lindström (administrator)")
        await driver.press("3", "enter")
        await driver.type("A phone rang")
        await driver.until("Deviation recorded: A phone rang")
        await driver.type("present")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.interrupts == [Interrupt(kind="deviation", text="A phone rang", by="witness-1")]


def test_the_screen_locks_and_hides_everything_until_enter() -> None:
    conduct = fake.FakeCeremony([fake.step(4), fake.NEW_PIN])

    async def play(driver: Driver) -> None:
        await driver.until("Type it twice.")
        await driver.press(*"7391")
        driver.app._idle_seconds = 0.1
        frame = await driver.until("Press Enter to open.")
        assert isinstance(driver.app.screen, Cover)
        assert "REHEARSAL" in frame
        assert "New user PIN" not in frame and "Initialise" not in frame
        assert driver.app._conducting.query_one(PinInput).value == "", "what was half typed must go"
        await driver.press("f3", "f1", "f2", "f10", "x")
        assert isinstance(driver.app.screen, Cover)
        driver.app._idle_seconds = 300
        await driver.press("enter")
        await driver.type("739184")
        await driver.type("739184")
        await driver.until("The ceremony is done.")

    drive(conduct, play, idle_seconds=300)
    assert conduct.secrets == [b"739184"]


def test_buttons_do_what_the_keys_do() -> None:
    async def play(driver: Driver) -> None:
        await driver.until("Are you here?")
        for title in ("Help", "Record a deviation", "Looking back", "Stop here?"):
            await driver.press("tab")
            assert isinstance(driver.app.focused, Button)
            await driver.press("enter")
            await driver.until(title)
            await driver.press("escape")
            await driver.until_true(lambda: driver.app.screen is driver.app.get_default_screen())

    drive(fake.FakeCeremony([fake.step(1), fake.ROLL_CALL]), play)


def test_the_app_plays_by_itself() -> None:
    conduct = fake.whole()
    answers = Answers(answers={"6/bag": "BAG-0042"})
    unattended = Unattended(answers, lambda line: None, kinds=["x"] * 14)

    async def play(driver: Driver) -> None:
        await driver.until_true(lambda: len(conduct.answers) == 7)

    app = drive(conduct, play, autoplay=unattended)
    assert app.outcome() == fake.FINGERPRINT
    unattended.finish()
    assert conduct.secrets == [b"918273"]
    assert conduct.answers[-1][1] == " ".join(fake.PAPER_WORDS)


def test_any_key_takes_over_and_does_nothing_else() -> None:
    conduct = fake.FakeCeremony([fake.step(1), fake.ROLL_CALL])
    unattended = Unattended(None, lambda line: None)

    async def play(driver: Driver) -> None:
        driver.app._autoplay.pace = type(driver.app._autoplay.pace)(reading=60)  # type: ignore[union-attr]  # it plays
        await driver.until("PLAYING BY ITSELF: any key takes over")
        await driver.until("Are you here?")
        await driver.press("f1")
        await driver.until_true(lambda: unattended.taken_over)
        assert "REHEARSAL: Help" not in driver.frame()
        await driver.type("present")
        await driver.until("The ceremony is done.")

    drive(conduct, play, autoplay=unattended)
    assert conduct.answers == [("present/admin", "present", "admin")]


def test_an_error_of_the_answers_ends_the_loop_and_is_shown() -> None:
    async def play(driver: Driver) -> None:
        await driver.until("Code: ANSWERS-MISSING")

    drive(fake.FakeCeremony([fake.step(6), fake.FREE]), play, autoplay=Unattended(None, lambda line: None))


def test_what_is_typed_from_paper_does_not_stand_as_evidence() -> None:
    digest = "ab" * 32
    shown = Ask(key="seen", text="Compare", by="admin", accept="yes", digest=digest)
    again = Ask(key="again", text="The same", by="officer", accept="yes", shown=("first line", "second line"))

    async def play(driver: Driver) -> None:
        await driver.until("abab abab")
        await driver.type("yes")
        assert "abab abab" not in await driver.until("it is not shown here")
        await driver.type(" ".join(fake.PAPER_WORDS))
        await driver.until("The same")
        await driver.type("yes")
        frame = await driver.until("third line")
        assert frame.count("first line") == 1, "what stands there is not said again"

    more = Ask(key="more", text="And more", by="witness-1", accept="yes", shown=("first line", "second line", "third line"))
    drive(fake.FakeCeremony([fake.step(1), shown, fake.FROM_PAPER, again, more]), play)


def test_markup_and_controls_in_texts_are_shown_and_not_obeyed() -> None:
    notice = Notice(kind="info", lines=("[red]not markup[/red] \x1b[31m \u202e", "[/nothing]"))

    async def play(driver: Driver) -> None:
        frame = await driver.until("[red]not markup[/red] \\u{1B}[31m \\u{202E}")
        assert "[/nothing]" in frame

    drive(fake.FakeCeremony([fake.step(1), notice, fake.ROLL_CALL]), play)


def test_a_production_says_so() -> None:
    async def play(driver: Driver) -> None:
        frame = await driver.until("PRODUCTION | ")
        assert "REHEARSAL" not in frame

    drive(fake.FakeCeremony([fake.step(1), fake.ROLL_CALL]), play, heading=fake.heading(rehearsal=False))


def test_a_closed_face_answers_every_question_and_keeps_what_it_is_told() -> None:
    face = ScreenFace(lambda message: False)
    stop = Interrupt(kind="signal", text="SIGHUP", exit_code=129)
    waiting: Future[Answer | Interrupt] = Future()
    asking = threading.Thread(target=lambda: waiting.set_result(face.ask(fake.ROLL_CALL)))
    asking.start()
    while not face._unanswered:
        pass
    face.close(stop)
    assert waiting.result(5) == stop
    asking.join()
    assert face.ask(fake.ROLL_CALL) == stop
    assert face.secret(Secret(what="PIN", by="admin")) == stop
    face.tell(fake.FINDINGS)
    assert face.late == [fake.FINDINGS]


def test_textuals_own_conveniences_are_off() -> None:
    assert CeremonyApp.ENABLE_COMMAND_PALETTE is False
    assert CeremonyApp.ALLOW_SELECT is False
