"""QR codes over the whole screen, one after the other."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from ceremony.qr import Symbol, codes_of, drawn
from ceremony.tui.widgets import Text


class QrCodes(Screen[None]):
    """Shows them as they fit the screen, drawn anew when its size changes; Escape, or Enter at the last one, leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,pagedown,right", "go(1)", show=False),
        Binding("pageup,left,backspace", "go(-1)", show=False),
        Binding("s", "swap", show=False),
        Binding("escape", "leave", show=False),
    ]

    def __init__(self, mode: str, text: str, *, half_blocks: bool) -> None:
        """`mode` is REHEARSAL or PRODUCTION; `half_blocks`: the terminal can draw them."""
        super().__init__()
        self._mode, self._qr, self._half_blocks = mode, text, half_blocks
        self._codes: list[Symbol] = []
        self._place = 0
        self._swapped = False

    def compose(self) -> ComposeResult:
        """The code, and a line of words."""
        yield Static(id="code", markup=False)
        yield Text(id="keys")

    def on_resize(self) -> None:
        """The codes that fit now, from the first on."""
        self._codes = codes_of(self._qr, self.app.size.width, self.app.size.height - 1, half_blocks=self._half_blocks)
        self._place = 0
        self._draw()

    def action_go(self, by: int) -> None:
        """To the next code, or the one before."""
        if self._place + by >= len(self._codes):
            self.dismiss(None)
            return
        self._place = max(0, self._place + by)
        self._draw()

    def action_swap(self) -> None:
        """Light for dark, for a terminal with dark letters on a light screen."""
        self._swapped = not self._swapped
        self._draw()

    def action_leave(self) -> None:
        """Back to the question."""
        self.dismiss(None)

    def _draw(self) -> None:
        if not self._codes:
            size = f"{self.app.size.width} columns and {self.app.size.height} lines"
            why = f"These QR codes do not fit this terminal ({size}). A larger console can show them; the medium carries it as well."
            self.query_one("#code", Static).update(Content(why))
            self.query_one("#keys", Text).show([f"{self._mode} | Esc: back"])
            return
        rows = drawn(self._codes[self._place], half_blocks=self._half_blocks, swapped=self._swapped)
        lines = [Content("").join([Content.styled(text, "reverse") if light else Content(text) for text, light in row]) for row in rows]
        self.query_one("#code", Static).update(Content("\n").join(lines))
        place = f"QR code {self._place + 1} of {len(self._codes)}"
        self.query_one("#keys", Text).show([f"{self._mode} | {place} | Enter next | PgUp back | S light/dark | Esc leave"])
