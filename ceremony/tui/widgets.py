"""The parts of the screens that Textual does not have, or has in a form that a ceremony cannot use."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Hide, Key
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ceremony.tui.glyphs import console_text

_MOST_CHOICES_SHOWN = 6


def _keep_focus_when_open_again(field: Widget, event: Hide) -> None:
    # Textual tells of a hiding when the field is shown again already, and would move the focus on to a button.
    if all(node.display for node in field.ancestors_with_self):
        event.prevent_default()


class AnswerInput(Input):
    """A field for an answer that may be seen."""

    def __init__(self, id: str) -> None:
        super().__init__(compact=True, id=id, select_on_focus=False)
        self.cursor_blink = False

    def on_hide(self, event: Hide) -> None:
        """Keeps the focus when it was shut and opened again at once."""
        _keep_focus_when_open_again(self, event)


class PinInput(Input):
    """A field for activation data: it can be pasted into, never copied or cut from."""

    def __init__(self, id: str) -> None:
        super().__init__(password=True, compact=True, id=id, select_on_focus=False)
        self.cursor_blink = False

    def on_hide(self, event: Hide) -> None:
        """Keeps the focus when it was shut and opened again at once."""
        _keep_focus_when_open_again(self, event)

    def action_copy(self) -> None:
        """Does nothing: Textual would put the clear text into the terminal's clipboard."""

    def action_cut(self) -> None:
        """Does nothing, as for copying."""


class WordInput(Input):
    """A field for one word of a share, which alone is to be seen: space enters it like Enter, nothing is copied or cut from it."""

    class Back(Message):
        """Backspace was pressed where nothing stood."""

    def __init__(self, id: str) -> None:
        super().__init__(compact=True, id=id, select_on_focus=False)
        self.cursor_blink = False

    def on_hide(self, event: Hide) -> None:
        """Keeps the focus when it was shut and opened again at once."""
        _keep_focus_when_open_again(self, event)

    async def on_key(self, event: Key) -> None:
        """Space and Backspace, as said."""
        if event.key in ("space", "enter"):
            # At once, not by the binding, which Textual follows when letters of the next word stand there already.
            event.prevent_default()
            event.stop()
            await self.action_submit()
        elif event.key == "backspace" and not self.value:
            event.stop()
            self.post_message(self.Back())

    async def action_submit(self) -> None:
        """Empties the field at once: the next word may be typed before the last was looked at."""
        typed, self.value = self.value, ""
        if typed:
            self.post_message(self.Submitted(self, typed))

    def action_copy(self) -> None:
        """Does nothing: Textual would put the clear text into the terminal's clipboard."""

    def action_cut(self) -> None:
        """Does nothing, as for copying."""


class Text(Static):
    """Plain text: no markup is read from it, and the console can show all of it."""

    def __init__(self, id: str | None = None, classes: str | None = None, text: str = "") -> None:
        super().__init__(Content(console_text(text)), id=id, classes=classes, markup=False)

    def show(self, lines: Iterable[str]) -> None:
        """Puts these lines in place of what stood there."""
        self.update(Content(console_text("\n".join(lines))))


def shortened(text: str, width: int) -> str:
    """Text cut to `width` characters, two dots at the end when something was cut; the console has no ellipsis."""
    safe = console_text(text)
    return safe if len(safe) <= width else safe[: max(0, width - 2)] + ".."


class Choices(Static, can_focus=True):
    """A few choices, one a line; up and down or a digit marks one, Enter takes it. The mark is a character, not a colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "mark(-1)", show=False),
        Binding("down", "mark(1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    marked: reactive[int] = reactive(0)

    class Chosen(Message):
        """Somebody took a choice: its place in the list, and the choice."""

        def __init__(self, choices: "Choices", place: int, value: str) -> None:
            super().__init__()
            self.choices = choices
            self.place = place
            self.value = value

        @property
        def control(self) -> "Choices":
            """The list that was chosen from."""
            return self.choices

    def __init__(self, id: str, options: Sequence[str] = ()) -> None:
        super().__init__(id=id, markup=False)
        self.options: Sequence[str] = ()
        self.offer(options)

    def offer(self, options: Sequence[str]) -> None:
        """Puts these choices in place of the earlier ones; the first is marked."""
        self.options = options
        self.marked = 0
        self._draw()

    def validate_marked(self, place: int) -> int:
        """Keeps the mark within the list."""
        return max(0, min(place, len(self.options) - 1))

    def watch_marked(self) -> None:
        """Draws the mark where it is now."""
        self._draw()

    def on_hide(self, event: Hide) -> None:
        """Keeps the focus when it was shut and opened again at once."""
        _keep_focus_when_open_again(self, event)

    def watch_has_focus(self, has_focus: bool) -> None:
        """The mark is reversed only while keys come here."""
        super().watch_has_focus(has_focus)
        self._draw()

    def on_key(self, event: Key) -> None:
        """A digit marks the choice of that number."""
        if event.character and event.character.isdecimal() and 1 <= int(event.character) <= len(self.options):
            self.marked = int(event.character) - 1
            event.stop()

    def action_mark(self, by: int) -> None:
        """Moves the mark."""
        self.marked += by

    def action_choose(self) -> None:
        """Takes the marked choice."""
        if self.options:
            self.post_message(self.Chosen(self, self.marked, self.options[self.marked]))

    def _draw(self) -> None:
        first = max(0, min(self.marked - _MOST_CHOICES_SHOWN + 1, len(self.options) - _MOST_CHOICES_SHOWN))
        lines = []
        for place, option in enumerate(self.options[first : first + _MOST_CHOICES_SHOWN], first):
            line = f"{'>' if place == self.marked else ' '} {place + 1} {console_text(option)}"
            lines.append(Content.styled(line, "reverse") if place == self.marked and self.has_focus else Content(line))
        below = len(self.options) - first - _MOST_CHOICES_SHOWN
        if below > 0:
            lines.append(Content(f"    ({below} more below)"))
        self.update(Content("\n").join(lines))


class Reading(VerticalScroll, can_focus=False):
    """Text to be read, with its place in words: which lines of how many, and whether there is more.

    `heading` stands in its border. `all_seen` says whether the last line has been in view since the text was put there.
    """

    class ReadToTheEnd(Message):
        """The last line has come into view."""

        def __init__(self, reading: "Reading") -> None:
            super().__init__()
            self.reading = reading

    def __init__(self, id: str, lines: Sequence[str] = (), *, start: int = 0) -> None:
        """`lines` are shown from line `start` on as soon as there is a screen."""
        super().__init__(id=id)
        self.heading = ""
        self._text = Text(text="\n".join(lines))
        self._above = "\n".join(lines[:start])
        self._to_bring = True
        self.all_seen = False

    def compose(self) -> ComposeResult:
        """The text alone; the scroll bar is words in the border."""
        yield self._text

    def on_mount(self) -> None:
        """Brings the first lines into their place."""
        self.call_after_refresh(self._bring)

    def show(self, lines: Sequence[str], *, start: int = 0) -> None:
        """Puts `lines` in place of what stood there, and brings line `start` (from 0) to the top."""
        self.all_seen = False
        self._text.show(lines)
        self._above = "\n".join(lines[:start])
        self._to_bring = True
        self.call_after_refresh(self._bring)

    def watch_virtual_size(self) -> None:
        """The text has got its place, or another width."""
        self.call_after_refresh(self._bring if self._to_bring else self.say_place)

    @property
    def _laid_out(self) -> bool:
        # Until the next layout size and place are those of the text before.
        size = self._text.size
        return size.height == self._text.get_content_height(size, self.app.size, size.width)

    def _bring(self) -> None:
        if not self._laid_out:
            return
        self._to_bring = False
        width = max(1, self.scrollable_content_region.width)
        height = Content(console_text(self._above)).get_height({}, width) if self._above else 0
        self.scroll_to(y=height, animate=False, immediate=True, force=True)
        self.say_place()

    def page(self, by: int) -> None:
        """Scrolls by pages, or lines when `by` is 1 or -1, less one line so that nothing is lost."""
        rows = max(1, self.scrollable_content_region.height - 1)
        self.scroll_to(y=self.scroll_offset.y + by * rows, animate=False, immediate=True, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Says the new place."""
        super().watch_scroll_y(old_value, new_value)
        self.say_place()

    def on_resize(self) -> None:
        """A larger window may show all."""
        self.call_after_refresh(self.say_place)

    @property
    def _in_view(self) -> bool:
        # Beneath a box it can be read; a cover is no modal screen, and hides it. (Textual calls both "current".)
        stack = self.app.screen_stack
        return self.screen in stack and all(screen.is_modal for screen in stack[stack.index(self.screen) + 1 :])

    def say_place(self) -> None:
        """Writes the place into the border, and tells once that the last line was seen."""
        rows, total = self.scrollable_content_region.height, self.virtual_size.height
        first = int(self.scroll_offset.y)
        last = min(total, first + rows)
        if rows <= 0 or not self.is_attached:
            return
        self.border_title = shortened(self.heading, self.outer_size.width - 6)
        more = ", PgDn: more" if last < total else ", end"
        place = f"{first + 1}-{last} of {total}"
        self.border_subtitle = "" if total <= rows else f"lines {place}{more}" if self.id != "steps" else place
        if last >= total and not self.all_seen and not self._to_bring and self._laid_out and self._in_view:
            self.all_seen = True
            self.post_message(self.ReadToTheEnd(self))


class KeyBar(Horizontal):
    """Every action as a button that names its key; Tab reaches them, too."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("F1 Help", "app.help"),
        ("F2 Deviation", "app.deviation"),
        ("F3 Look back", "app.look_back"),
        ("F10 Pause or abort", "app.pause"),
        ("Ctrl+Q Stop", "app.stop"),
    )

    def compose(self) -> ComposeResult:
        """One button for each action."""
        for label, action in self.KEYS:
            yield Button(Content(label), compact=True, action=action)
