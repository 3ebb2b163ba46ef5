"""The words of a new share, for the eyes of its holder alone: no other screen, no look-back and no log holds them."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from ceremony.engine.step import Hidden, Secret
from ceremony.secret_typing import share_lines
from ceremony.tui.widgets import Text, shortened

_WIDTH = 72
_MOST_LINES = 3
_HOW = (
    "Enter    they stand on paper: hide them",
    "Esc      hide them, I am not alone; they can be shown again",
    "Ctrl+Q   stop the ceremony",
)


class ShareWords(Screen[bool]):
    """Shows the words until Enter (True: they stand on paper) or Escape. Anything that comes over it hides them for good."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave(True)", show=False),
        Binding("escape", "leave(False)", show=False),
    ]

    def __init__(self, mode: str, holder: str, secret: Secret) -> None:
        """`holder` is the person's name and role. What `secret` shows stands above the words: it belongs onto the paper, too."""
        super().__init__()
        self._mode = mode
        shown = (shortened(line, _WIDTH) for line in secret.shown[:_MOST_LINES])
        self._heading = (f"{holder}: {secret.what}", *shown, "You ALONE look at this screen: nobody else, no camera.", "")
        self._words: Hidden | None = secret.reveal

    def compose(self) -> ComposeResult:
        """The words in a frame, and the keys."""
        words = share_lines(self._words.octets) if self._words else []
        frame = Vertical(Text(text="\n".join(self._heading)), Text(id="words", text="\n".join(words)), Text(text="\n".join(("", *_HOW))))
        frame.classes = "box"
        frame.border_title = f"{self._mode}: a new share"
        yield frame

    def on_screen_suspend(self) -> None:
        """Something lies over the words: they go."""
        if self._words is not None:
            self._hide()

    def on_screen_resume(self) -> None:
        """What lay over the words is gone; they were hidden, and can be shown again after the holder was asked to be alone."""
        if self._words is None and self.is_current:
            self.dismiss(False)

    def action_leave(self, written: bool) -> None:
        """Hides the words."""
        self._hide()
        self.dismiss(written)

    def _hide(self) -> None:
        self._words = None
        self.query_one("#words", Text).show([])
