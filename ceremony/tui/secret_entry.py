"""Where activation data is typed: a PIN or passphrase unseen, a share word by word, a new share after it was shown to its holder alone."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from ceremony.engine.step import Secret
from ceremony.secret_typing import ShareTyping, Typing, typing_of
from ceremony.tui.share_words import ShareWords
from ceremony.tui.widgets import Choices, PinInput, Text, WordInput

_ALONE = "You ALONE look at this screen now: nobody else and no camera sees it. Enter:"
_SHOW = "Show me the words of my share"


class SecretEntry(Vertical):
    """The lines below the question. It posts `Typed` when all fits, and `Looked` after each entry."""

    class Typed(Message):
        """The whole of it, within the limits, typed as often as asked for; whoever takes it wipes it."""

        def __init__(self, octets: bytearray) -> None:
            super().__init__()
            self.octets = octets

    class Looked(Message):
        """What was wrong with the last entry; "" when nothing was."""

        def __init__(self, problem: str) -> None:
            super().__init__()
            self.problem = problem

    class WordsHidden(Message):
        """The words of a share were on the screen, and are not any more."""

    def __init__(self, id: str, mode: str) -> None:
        """`mode` is REHEARSAL or PRODUCTION."""
        super().__init__(id=id)
        self._mode = mode
        self._secret: Secret | None = None
        self._holder = ""
        self._typing: Typing | None = None

    def compose(self) -> ComposeResult:
        """How to type it, and the fields of the two kinds."""
        yield Text(id="how")
        yield Choices("alone", (_SHOW,))
        with Horizontal(classes="entry"):
            yield Text(classes="prompt")
            yield PinInput("pin")
            yield WordInput("word")

    def begin(self, secret: Secret, holder: str) -> None:
        """Asks `holder` (name and role) for it; a new share is shown first."""
        self.shut()
        self._secret, self._holder, self._typing = secret, holder, typing_of(secret)
        self.display = True
        if secret.reveal:
            self.query_one("#how", Text).show([_ALONE])
            self._open(self.query_one("#alone", Choices))
        else:
            self._open_field()

    def begin_again(self) -> None:
        """Drops what was typed; a new share is shown once more before it is typed."""
        if self._secret is not None:
            self.begin(self._secret, self._holder)

    def shut(self) -> None:
        """Nothing is asked; what was half typed is overwritten."""
        # Before the fields go, or the focus would pass to a button, and the next Enter would press it.
        self.screen.set_focus(None)
        if self._typing is not None:
            self._typing.forget()
        self._secret = self._typing = None
        self.display = False
        self.query_one("#alone", Choices).display = False
        self.query_one(".entry").display = False
        for field in self.query(Input).results(Input):
            field.display = False
            field.value = ""

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        """The holder is alone: the words are shown."""
        event.stop()
        if (secret := self._secret) is not None and secret.reveal:
            words = ShareWords(self._mode, self._holder, secret)
            self.app.push_screen(words, lambda written: self._words_seen(secret, written))

    def _words_seen(self, secret: Secret, written: bool | None) -> None:
        self.post_message(self.WordsHidden())
        if written and self._secret is secret:
            self.query_one("#alone", Choices).display = False
            self._open_field()

    def _open_field(self) -> None:
        share = isinstance(self._typing, ShareTyping)
        self._say_how()
        self.query_one(".entry").display = True
        self._open(self.query_one("#word", WordInput) if share else self.query_one("#pin", PinInput))

    def _open(self, part: Choices | Input) -> None:
        part.display = True
        self.screen.set_focus(part)

    def _say_how(self) -> None:
        prompt, how = "Not shown", self._typing.instruction if self._typing else ""
        if isinstance(self._typing, ShareTyping):
            prompt = self._typing.prompt
            if meant := self._typing.meant(self.query_one("#word", WordInput).value):
                how = f"{meant}: Enter takes it."
            elif self._secret and self._secret.reveal:
                how += " F4: look at the words again."
        self.query_one(".prompt", Text).show([f"{prompt}> "])
        self.query_one("#how", Text).show([how])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Says which word is meant as soon as its letters tell."""
        event.stop()
        if self._secret is not None and event.input.display:
            self._say_how()

    def on_word_input_back(self) -> None:
        """Backspace where nothing stands: the word before is typed anew."""
        if isinstance(self._typing, ShareTyping):
            self._typing.back()
            self.post_message(self.Looked(""))
            self._say_how()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes what stood there when Enter was pressed; anything typed after it is dropped, but for the next word of a share."""
        event.stop()
        if event.input.id == "pin":
            event.input.value = ""
        self.entered(bytearray(event.value.encode()))

    def entered(self, typed: bytearray) -> None:
        """Looks at what was typed."""
        if self._typing is None:
            return
        self.post_message(self.Looked(self._typing.enter(typed) or ""))
        if whole := self._typing.taken():
            self.post_message(self.Typed(whole))
            self.shut()
        else:
            self._say_how()
