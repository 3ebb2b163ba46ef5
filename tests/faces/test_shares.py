"""Shares of activation data on the faces: shown to their holder alone, typed word by word, and nowhere else."""

import io

import msgspec
import pytest
from textual.events import Paste
from textual.widgets import Input

from ceremony.engine.step import Hidden, Secret
from ceremony.errors import CeremonyError
from ceremony.plain import Plain
from ceremony.secret_typing import ShareTyping, share_lines
from ceremony.tui.dialogs import Cover, Stop, TooSmall
from ceremony.tui.share_words import ShareWords
from ceremony.unattended import Answers, PlannedMistake, Unattended
from tests.e2e.tmux import terminal
from tests.faces import fake_ceremony as fake
from tests.faces.driving import Driver, drive
from tests.faces.terminal import Terminal

WORDS = fake.SHARE.split()
ALONE = "You ALONE look at this screen now"
CLEAR = "\x1b[H\x1b[2J\x1b[3J"
TELLING = ("playoff", "liberty", "walnut", "sympathy", "umbrella", "pacific")
"""Words of the two shares that no screen says for another reason."""


def holds_a_word(text: str) -> bool:
    return any(word in text for word in TELLING)


async def words_typed(driver: Driver, text: str) -> None:
    await driver.until_true(lambda: isinstance(driver.app.focused, Input) and driver.app.focused.id == "word")
    # All at once: the pilot waits a tenth of a second for each key.
    driver.app.post_message(Paste(text))
    await driver.until_true(lambda: driver.app.query_one("#word", Input).value == text)
    await driver.press("enter")


async def shown_and_hidden(driver: Driver) -> None:
    frame = await driver.until(ALONE)
    assert not holds_a_word(frame)
    await driver.press("enter")
    frame = await driver.until("10  liberty")
    assert all(word in frame for word in WORDS)
    await driver.press("enter")
    await driver.until("Word 1 of 20")


def test_a_new_share_is_shown_to_its_holder_and_typed_back_in_full() -> None:
    conduct = fake.FakeCeremony(fake.shares())

    async def play(driver: Driver) -> None:
        await shown_and_hidden(driver)
        await driver.press(*"apar")
        assert not holds_a_word(await driver.until("apart: Enter takes it."))
        await driver.press("enter")
        await driver.until("ERROR: Word 1 is not the one that was shown.")
        await driver.press(*"acad", "space", *"xyzz", "space")
        await driver.until("ERROR: Word 2 is not on the list of words for shares.")
        await words_typed(driver, "apart ac")
        await driver.until("ERROR: Word 3 is not on the list")
        await driver.press("backspace")
        await driver.until("Word 2 of 20")
        await driver.press("f4")
        await shown_and_hidden(driver)
        await words_typed(driver, " ".join(word[:4] for word in WORDS))
        frame = await driver.until("Bo Larsen (crypto-officer): Your share")
        assert not holds_a_word(frame)
        await driver.press("f3")
        assert not holds_a_word(await driver.until("Looking back"))
        await driver.press("escape")
        await words_typed(driver, fake.OTHER_SHARE)
        await driver.until("Has the screen been cleared?")
        await driver.press("enter")
        assert not holds_a_word(await driver.until("The ceremony is done."))
        assert driver.app.clipboard == ""
        assert not holds_a_word(repr(driver.app._conducting.past))

    drive(conduct, play)
    assert conduct.secrets == [fake.SHARE.encode(), fake.OTHER_SHARE.encode()]


def test_the_checksum_says_which_word_is_typed_again() -> None:
    conduct = fake.FakeCeremony([fake.OLD_SHARE])

    async def play(driver: Driver) -> None:
        await words_typed(driver, fake.OTHER_SHARE.replace("sheriff", "shrimp"))
        frame = await driver.until("Word 8 of 20")
        assert "word 8 is not that of the share" in " ".join(frame.split())
        await words_typed(driver, "sheriff")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.secrets == [fake.OTHER_SHARE.encode()]


def test_a_share_with_two_wrong_words_is_typed_once_more() -> None:
    typing = ShareTyping(fake.OLD_SHARE)
    assert "at least two words" in (typing.enter(bytearray(fake.OTHER_SHARE.replace("math worthy", "acid acne").encode())) or "")
    assert typing.taken() is None and typing.prompt == "Word 1 of 20"


@pytest.mark.parametrize("over", ["locked", "stopping", "too small"])
def test_what_comes_over_the_words_hides_them_for_good(over: str) -> None:
    async def play(driver: Driver) -> None:
        await driver.until(ALONE)
        await driver.press("enter")
        await driver.until("10  liberty")
        words = driver.app.screen
        assert isinstance(words, ShareWords)
        match over:
            case "locked":
                driver.app._last_key = -1e9
                await driver.until_true(lambda: isinstance(driver.app.screen, Cover))
            case "stopping":
                await driver.press("ctrl+q")
                await driver.until_true(lambda: isinstance(driver.app.screen, Stop))
            case _:
                await driver.pilot.resize_terminal(40, 12)
                await driver.until_true(lambda: isinstance(driver.app.screen, TooSmall))
        assert not holds_a_word(await driver.still())
        match over:
            case "locked":
                await driver.press("enter")
            case "stopping":
                await driver.press("escape")
            case _:
                await driver.pilot.resize_terminal(80, 24)
        await shown_and_hidden(driver)
        await words_typed(driver, fake.SHARE)
        await driver.until("The ceremony is done.")

    conduct = fake.FakeCeremony([fake.step(4), fake.new_share()])
    drive(conduct, play, idle_seconds=1e6)
    assert conduct.secrets == [fake.SHARE.encode()]


def test_a_half_typed_share_is_dropped_by_a_stop_and_by_the_lock() -> None:
    conduct = fake.FakeCeremony([fake.step(4), fake.OLD_SHARE])

    async def play(driver: Driver) -> None:
        await words_typed(driver, "academic apart")
        await driver.until("Word 3 of 20")
        driver.app._last_key = -1e9
        await driver.until_true(lambda: isinstance(driver.app.screen, Cover))
        await driver.press("enter")
        await driver.until("Word 1 of 20")
        await words_typed(driver, "academic")
        await driver.until("Word 2 of 20")
        await driver.press("f2")
        await driver.until("Record a deviation")
        await driver.press("enter")
        await driver.type("the camera moved")
        await driver.until("Word 1 of 20")
        await words_typed(driver, fake.OTHER_SHARE)
        await driver.until("The ceremony is done.")

    drive(conduct, play, idle_seconds=1e6)
    assert [interrupt.text for interrupt in conduct.interrupts] == ["the camera moved"]
    assert conduct.secrets == [fake.OTHER_SHARE.encode()]


def test_a_share_is_neither_copied_nor_cut() -> None:
    async def play(driver: Driver) -> None:
        await driver.until("Word 1 of 20")
        await driver.press(*"playoff", "home", "shift+end", "ctrl+x", "ctrl+shift+c")
        assert driver.app.query_one("#word", Input).value == "playoff"
        assert driver.app.clipboard == ""

    drive(fake.FakeCeremony([fake.OLD_SHARE]), play)


def test_a_passphrase_is_typed_unseen() -> None:
    conduct = fake.FakeCeremony([fake.PASSPHRASE])

    async def play(driver: Driver) -> None:
        await driver.until("never a real passphrase")
        await driver.press(*"correct", "space", *"horse")
        assert "correct" not in await driver.still()
        await driver.press("enter")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.secrets == [b"correct horse"]


def rehearsed(secret: Secret, share: str) -> Secret:
    return msgspec.structs.replace(secret, suggestion=share)


@pytest.mark.parametrize("autoplay", [False, True], ids=["unattended", "app"])
def test_a_rehearsal_types_shares_back_after_a_planned_mistake(autoplay: bool) -> None:
    secrets = [rehearsed(fake.new_share(), fake.SHARE), fake.new_share(), rehearsed(fake.OLD_SHARE, fake.OTHER_SHARE)]
    conduct = fake.FakeCeremony([fake.step(4), *secrets])
    plan = Answers(mistakes=(PlannedMistake("4/secret", "xyzzy liberty"),))
    said: list[str] = []
    unattended = Unattended(plan, said.append)
    if autoplay:

        async def play(driver: Driver) -> None:
            await driver.until("The ceremony is done.")

        drive(conduct, play, autoplay=unattended)
    else:
        conduct(unattended)
        assert "  ERROR Word 1 is not on the list of words for shares. Type word 1 again." in said
        assert "  ERROR Word 1 is not the one that was shown. Type word 1 again." in said
    assert conduct.secrets == [fake.SHARE.encode(), fake.SHARE.encode(), fake.OTHER_SHARE.encode()]
    assert not holds_a_word("\n".join(said))
    unattended.finish()


def test_the_rehearsal_says_which_word_to_type() -> None:
    typing = ShareTyping(rehearsed(fake.OLD_SHARE, fake.OTHER_SHARE))
    typing.enter(bytearray(b"acad apar acad agen alar"))
    assert typing.instruction == "Type the word, or its first four letters. REHEARSAL: type sympathy, never a word of a real share."


def test_the_words_in_columns_are_read_downwards() -> None:
    lines = share_lines(bytearray(fake.SHARE.encode()))
    assert lines[0] == " 1  academic        11  dance"
    assert lines[9] == "10  liberty         20  learn"
    assert all(len(line) <= 72 for line in lines)


def test_a_share_in_lines_is_shown_once_cleared_and_typed_without_echo() -> None:
    with Terminal("plain", "share") as terminal:
        terminal.wait_for("ALONE looks at this screen now")
        terminal.wait_for("be shown the words: ")
        terminal.type("\r")
        terminal.wait_for("10  liberty")
        terminal.wait_for("you type them back: ")
        terminal.type("\r")
        terminal.wait_for(CLEAR)
        terminal.wait_for("Word 1 of 20: ")
        for typed, then in (
            ("acad", "Word 2 of 20: "),
            ("play", "Word 2 is not the one that was shown"),
            (":back", "Word 1 of 20: "),
            ("acad", "Word 2 of 20: "),
            (":list", "That is not a command"),
            (":look", "be shown the words: "),
        ):
            terminal.type(f"{typed}\r")
            terminal.wait_for(then)
            if not then.endswith(": "):
                terminal.wait_for(" of 20: ")
        terminal.type("\r")
        terminal.wait_for("you type them back: ")
        terminal.type("\r")
        terminal.wait_for(CLEAR)
        terminal.wait_for("Word 1 of 20: ")
        cleared = len(terminal.seen)
        for number, word in enumerate(WORDS, 1):
            terminal.type(f"{word[:4]}\r")
            terminal.wait_for(f"Word {number + 1} of 20: " if number < 20 else "Bo Larsen")
        terminal.wait_for("Word 1 of 20: ")
        terminal.type(f"{fake.OTHER_SHARE}\r")
        terminal.wait_for("Has the screen been cleared?")
        terminal.wait_for("> ")
        terminal.type("yes\r")
        assert terminal.exit_code() == 0
        assert not holds_a_word(terminal.seen[cleared:])
        assert fake.sha256(fake.SHARE.encode()) in terminal.seen.replace("\r\n", "")


@pytest.mark.parametrize("typed", [":pause", "\x04"], ids=["pause", "end of input"])
def test_the_words_in_lines_are_cleared_on_each_way_out(typed: str) -> None:
    with Terminal("plain", "share") as terminal:
        terminal.wait_for("be shown the words: ")
        terminal.type("\r")
        terminal.wait_for("you type them back: ")
        terminal.type(typed + "\r" * (typed[0] == ":"))
        terminal.wait_for(CLEAR)
        assert terminal.exit_code() in (0, 129)


def test_a_share_is_shown_on_a_terminal_alone() -> None:
    written = io.StringIO()
    plain = Plain(fake.PEOPLE, read=io.StringIO("\n\n"), write=written)
    with pytest.raises(CeremonyError) as refused:
        plain.secret(fake.new_share())
    assert refused.value.code == "SECRET-NEEDS-PERSON"
    assert plain.secret(rehearsed(fake.new_share(), fake.SHARE)) == bytearray(fake.SHARE.encode())
    assert not holds_a_word(written.getvalue())


@pytest.mark.parametrize("face", ["app", "plain"])
def test_no_word_is_left_in_a_terminal(face: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tmux") / "tmux"
    with terminal(folder, face, "share", module="tests.faces.play") as tmux:
        if face == "app":
            tmux.until(ALONE)
            tmux.keys("Enter")
            tmux.until("10  liberty")
        else:
            tmux.until("be shown the words:")
            tmux.keys("Enter")
            tmux.until("10  liberty")
        tmux.keys("Enter")
        tmux.until("Word 1 of 20")
        assert not holds_a_word(tmux.history())
        for share, then in ((fake.SHARE, "Bo Larsen"), (fake.OTHER_SHARE, "Has the screen been cleared?")):
            # Line mode takes a line at a time; in the app words may come faster than they are looked at.
            for typed in [share] if face == "plain" else share.split():
                tmux.type(typed)
            tmux.until(then)
        assert not holds_a_word(tmux.history())
        tmux.type("" if face == "app" else "yes")
        if face == "app":
            tmux.until("The session has ended")
            tmux.keys("Enter")
        assert tmux.exit_code() == 0
        assert not holds_a_word(tmux.history())
        assert b"\x1b]52" not in tmux.raw.read_bytes()


def test_a_crash_shows_no_word() -> None:
    with Terminal("crash", "share") as terminal:
        terminal.wait_for("Word 1 of 20>")
        terminal.type("playoff\r")
        assert terminal.exit_code() == 1
        after = terminal.seen.partition("\x1b[?1049l")[2]
        assert "Code: INTERNAL" in after
        assert not holds_a_word(after)


def test_hidden_octets_have_no_representation() -> None:
    hidden = Hidden(bytearray(fake.SHARE.encode()))
    assert not holds_a_word(repr(Secret(what="x", by="admin", reveal=hidden)) + repr(hidden) + str(hidden))
