"""A person before the app: reads the screen, types what it asks for, and keeps each screen that was seen."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ceremony.room.sign_statement import REHEARSAL_PASSPHRASE
from tests.e2e.tmux import PATIENCE, Tmux

PRESS_AGAIN = 5.0
"""Seconds after which a page that did not turn is turned once more."""

_ENTRY = re.compile(r"^(Answer>|ORDER>|Not shown>)$", re.MULTILINE)
_CHOICES = "Up, Down or a digit marks an answer; Enter gives it."
ENDED = "The session has ended"
ALONE = "You ALONE look at this screen now"
_READ_ON = "Read to the last line first"
_TYPE = re.compile(r"^Type: (.+)$", re.MULTILINE)


@dataclass
class Person:
    """Plays everybody at once. `pin` is what is typed wherever a PIN is asked for, `free` what free questions get.

    `looked` is called with a name and the screen at each new question, before it is answered.
    """

    terminal: Tmux
    pin: str
    free: str = "BAG-0042"
    looked: Callable[[str, str], None] = lambda name, screen: None
    seen: list[str] = field(default_factory=list)

    def play(self, *, until: str = "") -> str:
        """Answers one question after the other, until the last screen (or one that shows `until`); returns that screen."""
        before = ""
        while True:
            screen = self._next(before)
            if ENDED in screen or (until and until in " ".join(screen.split())):
                return screen
            self.looked(question(screen), screen)
            before = signature(screen)
            self._answer(screen)

    def _next(self, before: str) -> str:
        end, again = time.monotonic() + PATIENCE, time.monotonic() + PRESS_AGAIN
        while True:
            screen = self.look()
            # A key that came while a new text was laid out scrolled the old one: a person presses it once more.
            if _READ_ON in screen and time.monotonic() > again:
                self.terminal.keys("NPage")
                again = time.monotonic() + PRESS_AGAIN
            # Drawn at once and still there: a frame that tmux was in the middle of is no question.
            if asks(screen) and signature(screen) != before and _without_clock(self.look()) == _without_clock(screen):
                return screen
            assert time.monotonic() < end, f"nothing new is asked; there is\n{screen}"
            time.sleep(0.03)

    def look(self) -> str:
        """The screen as it stands; each different one is kept."""
        screen = self.terminal.screen()
        if not self.seen or self.seen[-1] != screen:
            self.seen.append(screen)
        return screen

    def _answer(self, screen: str) -> None:
        match reaction(screen, self.pin, self.free):
            case "PgDn":
                self.terminal.keys("NPage")
            case answer:
                self.terminal.type(answer)


def asks(screen: str) -> bool:
    """Whether a question stands on the screen that can be answered, somebody is to be alone before it, or the session has ended."""
    return bool(_ENTRY.search(screen)) or any(text in screen for text in (_CHOICES, ENDED, ALONE))


def reaction(screen: str, pin: str, free: str) -> str:
    """What a person types before Enter; "PgDn" where there is more to be read first."""
    if _CHOICES in screen or "Press Enter to go on." in screen:
        return ""
    if _READ_ON in screen:
        return "PgDn"
    if "Not shown>" in screen:
        return REHEARSAL_PASSPHRASE if REHEARSAL_PASSPHRASE in screen else pin
    asked = _TYPE.search(screen)
    return asked[1] if asked else free


def question(screen: str) -> str:
    """The question and how to answer it: the lines below the evidence."""
    lines = screen.splitlines()
    end = next((number for number, line in enumerate(lines) if _ENTRY.match(line) or line.startswith(_CHOICES)), len(lines) - 2)
    start = max((number for number, line in enumerate(lines[:end]) if re.match(r"^[^ ].* \(.*\): ", line)), default=end)
    return " ".join(lines[start : end + 1])


def signature(screen: str) -> str:
    """What tells one question from the next: step and question; while something is still to be read, also what is in view."""
    step = screen.splitlines()[1].split("|")[0]
    return step + question(screen) + (_without_clock(screen) if _READ_ON in screen else "")


def _without_clock(screen: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d", "", screen)
