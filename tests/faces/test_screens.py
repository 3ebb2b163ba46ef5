"""Each screen as text, against its golden (`make goldens` writes them anew), and within what a bare console can draw."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ceremony.engine.step import Ask, Face, Notice
from ceremony.said import WIDTH, digest_lines
from ceremony.tui.glyphs import BULLET, CONSOLE_SAFE, console_text
from ceremony.words import words_of
from tests.faces import fake_ceremony as fake
from tests.faces.driving import Driver, Play, drive

GOLDENS = Path(__file__).parent / "goldens"


async def check(name: str, driver: Driver) -> None:
    """The frame, once it stands still, equals its golden, draws only what the console can, and uses no colour."""
    frame = await driver.still()
    strange = set(frame) - CONSOLE_SAFE - {"\n", BULLET}
    assert not strange, f"{strange} in\n{frame}"
    for strip in driver.app.screen._compositor.render_strips():
        for segment in strip:
            colours = (segment.style.color, segment.style.bgcolor) if segment.style else ()
            assert all(colour is None or colour.is_default for colour in colours), f"{segment} has a colour"
    golden = GOLDENS / f"{name}.txt"
    if os.environ.get("WRITE_GOLDENS"):
        GOLDENS.mkdir(exist_ok=True)
        golden.write_text(frame)
    assert golden.read_text() == frame


def shows(name: str, questions: Sequence[fake.Question], text: str, *keys: str, then: str = "") -> tuple[str, fake.FakeCeremony, Play]:
    """A case: the questions, the text to wait for, the keys to press then, and what to wait for after them."""

    async def play(driver: Driver) -> None:
        await driver.until(text)
        await driver.until_true(lambda: driver.app.focused is not None or name in ("order-first-page", "order-read", "ended"))
        await driver.press(*keys)
        await driver.until(then or text)
        await check(name, driver)

    return name, fake.FakeCeremony(questions), play


ROLL_CALL: list[fake.Question] = [fake.step(1, *fake.SAY_ROLL_CALL), fake.ROLL_CALL]
SEEN = Ask(key="seen", text="Has everybody seen the findings?", by="witness-1", choices=("yes", "no"))
LOOKED_AT = fake.step(3, "Read aloud: The machine is looked at.")
MACHINE: list[fake.Question] = [*ROLL_CALL[:1], fake.done(1), LOOKED_AT, fake.FINDINGS, fake.STATUS, SEEN]
PIN: list[fake.Question] = [fake.step(4, "Read aloud: The PIN is typed by its holder alone."), fake.NEW_PIN]
NEW_SHARE: list[fake.Question] = [fake.step(4, "Read aloud: One holder at a time comes to the screen."), fake.new_share()]
CERTIFY: list[fake.Question] = [fake.step(7, "Read aloud: The root signs its own certificate."), fake.ORDER]
FAILED = Notice(kind="error", lines=fake.CHOICE.shown)
ON_PAPER = Notice(kind="fingerprint", facts={"fingerprint": fake.FINGERPRINT})
WRITTEN = Ask(key="written", text="Does it stand on everybody's paper? Type: written", by="witness-1", accept="written")
ORIGIN = Ask(
    key="origin",
    text="Type the first eight words of the key digest of 'alpha.1'.",
    by="officer",
    accept=" ".join(fake.PAPER_WORDS),
    blind=True,
    choices=("refuse",),
)

CASES = [
    shows("roll-call", ROLL_CALL, "Are you here?"),
    shows("refused-answer", ROLL_CALL, "Are you here?", *"absent", "enter", then="ERROR"),
    shows("machine", MACHINE, "> 1 yes"),
    shows("pin", PIN, "Type it twice.", *"7391"),
    shows("passphrase", [fake.step(8), fake.PASSPHRASE], "never a real passphrase", *"correct"),
    shows("share-alone", NEW_SHARE, "You ALONE look at this screen now"),
    shows("share-shown", NEW_SHARE, "You ALONE", "enter", then="10  liberty"),
    shows("share-typed", NEW_SHARE, "You ALONE", "enter", "enter", *"acad", then="academic: Enter takes it."),
    shows("share-wrong-word", NEW_SHARE, "You ALONE", "enter", "enter", *"apar", "enter", then="ERROR: Word 1"),
    shows("order-first-page", CERTIFY, "Read to the last line first"),
    shows("order-read", CERTIFY, "Read to the last line first", *["pagedown"] * 6, then="Type: afflict"),
    shows("confirm", [*CERTIFY[:1], fake.CONFIRM], "Confirm the order"),
    shows("failed-act", [fake.step(5), FAILED, fake.CHOICE], "> 1 pause"),
    shows("fingerprint", [fake.step(8, "Read aloud: The fingerprint goes onto paper."), ON_PAPER, WRITTEN], "Does it stand"),
    shows("from-paper", [fake.step(9), ORIGIN], "Or type: refuse"),
    shows("before-the-first-step", [fake.FREE], "Before the first step"),
    shows("help", ROLL_CALL, "Are you here?", "f1", then="REHEARSAL: Help"),
    shows("deviation", ROLL_CALL, "Are you here?", "f2", then="Record a deviation"),
    shows("look-back", MACHINE, "> 1 yes", "f3", then="Looking back"),
    shows("pause", ROLL_CALL, "Are you here?", "f10", then="Stop here?"),
    shows("stop", ROLL_CALL, "Are you here?", "ctrl+q", then="exit code 130"),
    shows("abort", ROLL_CALL, "Are you here?", "f10", "3", "enter", then="Why? Enter records"),
    shows("ended", [fake.step(14), ON_PAPER], "The ceremony is done."),
]


@pytest.mark.parametrize(("name", "conduct", "play"), CASES, ids=[name for name, _, _ in CASES])
def test_screen(name: str, conduct: fake.FakeCeremony, play: Play) -> None:
    drive(conduct, play)


def test_screen_on_a_large_terminal() -> None:
    name, conduct, play = shows("order-large", CERTIFY, "Type: afflict")
    drive(conduct, play, size=(132, 43))


def test_screen_while_the_token_works() -> None:
    go_on = threading.Event()

    def work(face: Face) -> None:
        face.tell(Notice(kind="working", lines=("Generating the root key on the token",)))
        go_on.wait(10)

    async def play(driver: Driver) -> None:
        await driver.until("PLEASE WAIT")
        await check("working", driver)
        go_on.set()

    drive(fake.FakeCeremony([fake.step(6, "Read aloud: The key is made inside the token."), work]), play)


def test_screen_when_locked() -> None:
    async def play(driver: Driver) -> None:
        await driver.until("Press Enter to open.")
        await check("locked", driver)

    drive(fake.FakeCeremony(ROLL_CALL), play, idle_seconds=0.2)


def test_each_golden_has_its_screen() -> None:
    assert {path.stem for path in GOLDENS.glob("*.txt")} == {*(name for name, _, _ in CASES), "order-large", "working", "locked"}


def test_what_the_console_cannot_draw_is_escaped() -> None:
    assert console_text("a\tb \u2026 \u2713 \x1b é\n") == "a   b \\u{2026} \\u{2713} \\u{1B} é\n"


@pytest.mark.parametrize("digest", ["00" * 32, "ff" * 32, fake.DIGEST, fake.FINGERPRINT, "c47e" * 16, "9f56" * 16])
@pytest.mark.parametrize("width", [WIDTH, 70, 40])
def test_a_digest_fits_its_width_and_is_complete(digest: str, width: int) -> None:
    lines = digest_lines(digest, width)
    assert all(len(line) <= width for line in lines) or width == 40
    words = words_of(digest)
    text = " ".join(lines).split()
    assert "".join(text[:16]) == digest
    assert text[16:] == words
