"""What lies over the ceremony's screen for a while: help, a deviation, the record so far, a stop, the lock, the end."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input

from ceremony.engine.step import Interrupt
from ceremony.said import People
from ceremony.tui.widgets import AnswerInput, Choices, Reading, Text

SMALLEST = (80, 24)
"""Columns and lines that every screen fits into."""

_HELP = (
    "Middle   what to read aloud, what will happen, what was found",
    "Below    the evidence: a digest in hex and in words; compare it",
    "Bottom   one person is asked, and that person types the answer",
    "",
    "Enter        give the answer",
    "Tab          go to the next field or button",
    "PgUp, PgDn   read what does not fit; Up, Down by a line",
    "F2           record that something was not done as written",
    "F3           look back at all that was said; nothing is undone",
    "F10          pause the ceremony, or abort it for good",
    "Ctrl+Q       stop now, also Ctrl+C; it is recorded, and can be resumed",
    "",
    "A PIN is never shown, recorded or copied. Of a share one word at a time",
    "is seen while it is typed; Space or Enter takes it, Backspace goes back.",
    "After five minutes without a key this screen locks.",
    "An order to sign waits until all that will be signed was in view.",
)


class Box(ModalScreen[Interrupt | None]):
    """A bordered box over the screen; Escape closes it without effect."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]
    subject = ""

    def __init__(self, mode: str) -> None:
        """`mode` is REHEARSAL or PRODUCTION: every screen says which."""
        super().__init__()
        self._mode = mode

    def boxed(self, *parts: Widget) -> Vertical:
        """The box around the parts, with its title."""
        box = Vertical(*parts, classes="box")
        box.border_title = f"{self._mode}: {self.subject}"
        box.border_subtitle = "Esc: back"
        return box

    def action_leave(self) -> None:
        """Closes the box."""
        self.dismiss(None)

    def action_page(self, by: int) -> None:
        """Scrolls what is to be read."""
        for reading in self.query(Reading):
            reading.page(by)


class Help(Box):
    """What the screen shows and which keys do what."""

    subject = "Help"

    def compose(self) -> ComposeResult:
        """The lines."""
        yield self.boxed(Text(text="\n".join(_HELP)))


class LookBack(Box):
    """All that was said in this session. Looking back undoes nothing."""

    subject = "Looking back; nothing is undone"

    def __init__(self, mode: str, lines: Sequence[str]) -> None:
        super().__init__(mode)
        self._lines = lines

    def compose(self) -> ComposeResult:
        """The lines, the last ones in view."""
        yield self.boxed(Reading("past", self._lines, start=len(self._lines)))


class Deviation(Box):
    """Who reports what was not done as written."""

    subject = "Record a deviation"

    def __init__(self, mode: str, people: People, by: str) -> None:
        """`by` is the person who is asked at the moment: the first to choose from."""
        super().__init__(mode)
        self._people = sorted(people, key=lambda participant: participant != by)
        self._names = [f"{people[participant][0]} ({people[participant][1]})" for participant in self._people]

    def compose(self) -> ComposeResult:
        """A choice of people and a line of text."""
        yield self.boxed(
            Text(text="Who reports it? Up, Down, Enter"),
            Choices("reporter", self._names),
            Text(text="What was not done as written? Enter records it as it is typed."),
            Horizontal(Text(text="> "), AnswerInput("deviation"), classes="line"),
        )

    def on_choices_chosen(self) -> None:
        """On to the text."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hands the deviation over; an empty one is not taken."""
        event.stop()
        if event.value.strip():
            self.dismiss(Interrupt(kind="deviation", text=event.value.strip(), by=self._people[self.query_one(Choices).marked]))


class Stop(Box):
    """Pause, stop or abort, after a second look; an abort wants a reason."""

    subject = "Stop here?"
    _STOPS: ClassVar[dict[str, tuple[str, str]]] = {
        "pause": ("Pause: recorded; everybody writes the fingerprint down", "F10"),
        "signal": ("Stop now: recorded; the command ends with exit code 130", "Ctrl+Q"),
    }

    def __init__(self, mode: str, kind: Literal["pause", "signal"], by: str) -> None:
        super().__init__(mode)
        self.kind = kind
        self._by = by

    def compose(self) -> ComposeResult:
        """The choices, and the line for a reason."""
        stop, _ = self._STOPS[self.kind]
        yield self.boxed(
            Text(text="What is done and recorded stays. The token is locked. After a pause or a stop, `ceremony resume` goes on."),
            Choices("stop", ("Go on with the ceremony", stop, "Abort: this ceremony ends for good, and cannot be resumed")),
            Text(id="why"),
            Horizontal(Text(text="> "), AnswerInput("reason"), classes="line"),
        )

    def on_mount(self) -> None:
        """The line for a reason comes with the abort."""
        self.query_one(".line").display = False

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        """Goes on, stops, or asks for the reason."""
        if event.place == 0:
            self.dismiss(None)
        elif event.place == 1:
            self.stop_now()
        else:
            self.query_one("#why", Text).show(["Why? Enter records the reason and aborts; Esc goes back."])
            self.query_one(".line").display = True
            self.query_one(Input).focus()

    def stop_now(self) -> None:
        """Pauses, or stops as by Ctrl+C: exit code 130."""
        _, key = self._STOPS[self.kind]
        self.dismiss(Interrupt(kind=self.kind, text=f"stopped by {key}", by=self._by, exit_code=130 if self.kind == "signal" else 0))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Aborts, when there is a reason."""
        event.stop()
        if event.value.strip():
            self.dismiss(Interrupt(kind="abort", text=event.value.strip(), by=self._by))


class Cover(Screen[None]):
    """The lock: hides everything until Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", show=False)]

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """One box with the reason and the way on."""
        why = "Locked: no key was pressed for five minutes. The ceremony stands where it stood."
        box = Vertical(Text(text=f"{why}\n\nPress Enter to open."), classes="box")
        box.border_title = f"{self._mode}: locked"
        yield box

    def action_open(self) -> None:
        """Opens."""
        self.dismiss(None)


class TooSmall(Screen[None]):
    """Hides everything while the terminal is too small for it; the app takes it away."""

    _MEANWHILE = "Until then no key\ndoes anything; the\nquestion stays open."

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """What to do, in lines that fit a very small terminal."""
        columns, lines = SMALLEST
        yield Text(text=f"{self._mode}\nTerminal too small:\nmake it {columns}x{lines}.\n\n{self._MEANWHILE}")


class End(Box):
    """The last screen: how it ended, and the fingerprint for the paper."""

    subject = "The session has ended"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", show=False), Binding("escape", "stay", show=False)]

    def __init__(self, mode: str, lines: Sequence[str]) -> None:
        super().__init__(mode)
        self._lines = lines

    def compose(self) -> ComposeResult:
        """The lines and the one key."""
        box = self.boxed(Reading("ending", self._lines), Text(text="Press Enter to leave."))
        box.border_subtitle = ""
        yield box

    def action_stay(self) -> None:
        """Escape does not leave: the fingerprint must not vanish by a slip."""
