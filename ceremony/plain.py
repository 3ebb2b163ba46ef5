"""Line mode: the ceremony as plain prompts, for a serial console, a braille line, or where the app cannot run.

Only printable ASCII is written, but for QR codes and the sequence that clears the screen after a share. Activation data is read
from the terminal without echo, never from a pipe.
"""

import getpass
import os
import signal
import sys
import termios
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from ceremony.engine.step import Answer, Ask, Hidden, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.machine.terminal import draws_half_blocks
from ceremony.pki.names import shown_text
from ceremony.qr import codes_of, drawn
from ceremony.said import WIDTH, People, digest_lines, instruction, notice_lines, person
from ceremony.secret_typing import ShareTyping, share_lines, typing_of

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

_HELP = (
    ":pause            record a pause and leave; `ceremony resume` goes on later",
    ":abort REASON     end this ceremony for good",
    ":deviation TEXT   record that something was not done as written",
    ":help             these lines",
)
_DURING_SECRETS = "At a prompt for a PIN or a passphrase only :pause and :abort REASON are understood; neither can begin with them."
_AT_A_SHARE = (
    "  :back    drop the last word and type it anew",
    "  :look    where the words of a new share were shown: see them once more, and begin anew",
    "  :pause, :abort REASON",
)


class _Signalled(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Plain:
    """A Face of plain lines. `people` gives name and role by participant's id.

    Inside `with plain.signals():` SIGTERM, SIGHUP, SIGINT and SIGQUIT become a recorded stop.
    """

    def __init__(self, people: People, *, read: TextIO | None = None, write: TextIO | None = None) -> None:
        """`read` and `write` are the streams to use; standard input and standard error unless given."""
        self._people = people
        self._read = read or sys.stdin
        self._write = write or sys.stderr
        self._waiting = False
        self._stopped_by: int | None = None
        self._asked: Ask | None = None

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While open, a signal is kept until a question stands, and is then answered as a recorded stop. Main thread only."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """Prints what is to be read, unless it was printed just before, then reads one line."""
        if ask.shown and ask != self._asked:
            self._lines("", *ask.shown)
        if ask.digest and ask != self._asked:
            self._lines("", "SHA-256:", *digest_lines(ask.digest))
        if ask.qr and ask != self._asked and (interrupt := self._draw_codes(ask.qr, ask.by)):
            return interrupt
        self._asked = ask
        self._lines("", *(["THIS IS THE ORDER TO SIGN."] if ask.order else []))
        self._lines(f"{person(ask.by, self._people, ask.name)}: {ask.text}", instruction(ask))
        while True:
            typed = self._line("ORDER> " if ask.order else "> ")
            if isinstance(typed, Interrupt):
                return typed
            if not typed.startswith(":"):
                return Answer(value=typed, by=ask.by)
            if interrupt := self._command(typed, ask.by):
                return interrupt

    def tell(self, notice: Notice) -> None:
        """Prints the notice."""
        self._lines(*notice_lines(notice))

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """Reads activation data without echo. Raises CeremonyError SECRET-NEEDS-PERSON without a terminal."""
        self._lines("", *secret.shown, f"{person(secret.by, self._people)}: {secret.what}")
        if not self._read.isatty() or (secret.reveal and not self._write.isatty()):
            return self._without_terminal(secret)
        with self._no_echo():
            if secret.reveal and (interrupt := self._shown_alone(secret, secret.reveal)):
                return interrupt
            return self._typed(secret)

    def _typed(self, secret: Secret) -> bytearray | Interrupt:
        typing = typing_of(secret)
        instruction = ""
        while True:
            if typing.instruction != instruction:
                instruction = typing.instruction
                self._lines(instruction)
            typed: bytearray | Interrupt | None = self._without_echo(f"{typing.prompt}: ", secret.by)
            if isinstance(typed, bytearray) and isinstance(typing, ShareTyping) and typed.startswith(b":"):
                typed = self._command_at_a_share(typed, typing, secret)
            if isinstance(typed, Interrupt):
                typing.forget()
                return typed
            if typed is not None and (problem := typing.enter(typed)):
                self._lines(f"ERROR {problem}")
            if whole := typing.taken():
                return whole

    @contextmanager
    def _no_echo(self) -> Iterator[None]:
        # Between two prompts, too: who types on before the next one stands must not see it on the screen.
        descriptor = self._read.fileno()
        before = None
        # A terminal that is gone is told by what is read from it.
        with suppress(termios.error):
            before = termios.tcgetattr(descriptor)
            silent = [*before]
            silent[3] &= ~termios.ECHO
            termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        try:
            yield
        finally:
            if before is not None:
                with suppress(termios.error):
                    termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _without_terminal(self, secret: Secret) -> bytearray:
        if secret.suggestion is None:
            raise CeremonyError("SECRET-NEEDS-PERSON", f"{secret.what} must be typed at a terminal; standard input or output is not one.")
        self._lines("Without a terminal, what the rehearsal offers is taken.")
        return bytearray(secret.suggestion.encode())

    def _command_at_a_share(self, typed: bytearray, typing: ShareTyping, secret: Secret) -> Interrupt | None:
        match bytes(typed):
            case b":back":
                typing.back()
            case b":look" if secret.reveal:
                typing.forget()
                return self._shown_alone(secret, secret.reveal)
            case _:
                self._lines("ERROR That is not a command.", *_AT_A_SHARE)
        return None

    def _shown_alone(self, secret: Secret, share: Hidden) -> Interrupt | None:
        name = person(secret.by, self._people)
        self._lines("", f"{name} ALONE looks at this screen now; nobody else and no camera sees it.", *_AT_A_SHARE)
        if interrupt := self._enter_pressed("Press Enter to be shown the words: ", secret.by):
            return interrupt
        try:
            self._lines("", f"{secret.what}. Write each word with its number on paper:", "", *share_lines(share.octets), "")
            return self._enter_pressed("Press Enter when all stand on paper; the screen is cleared, and you type them back: ", secret.by)
        finally:
            self._clear()
            self._lines("The screen was cleared. What else keeps what is written to this terminal must be cleared by hand.")

    def _draw_codes(self, text: str, by: str) -> Interrupt | None:
        half = draws_half_blocks(os.environ)
        codes = []
        if self._write.isatty():
            size = os.get_terminal_size(self._write.fileno())
            codes = codes_of(text, size.columns, size.lines - 1, half_blocks=half)
        if not codes:
            self._lines("QR codes do not fit here. This is what they would say:", *textwrap.wrap(text, WIDTH))
        for number, code in enumerate(codes, 1):
            lines = ("".join(f"\x1b[7m{run}\x1b[0m" if light else run for run, light in row) for row in drawn(code, half_blocks=half))
            with suppress(OSError):
                print(*lines, sep="\n", file=self._write, flush=True)
            if interrupt := self._enter_pressed(f"QR code {number} of {len(codes)}. Press Enter to go on: ", by):
                return interrupt
        return None

    def _enter_pressed(self, prompt: str, by: str) -> Interrupt | None:
        while True:
            typed = self._line(prompt)
            self._lines("")
            if isinstance(typed, Interrupt):
                return typed
            if not typed.startswith(":"):
                return None
            if interrupt := self._command(typed, by):
                return interrupt

    def _clear(self) -> None:
        # In this order: a terminal may move what ED 2 clears to what scrolled by, which ED 3 (xterm, Linux' console) erases.
        with suppress(OSError):
            print("\x1b[H\x1b[2J\x1b[3J", end="", file=self._write, flush=True)

    def _lines(self, *lines: str) -> None:
        # A terminal that is gone must not keep the record from being ended in order.
        with suppress(OSError):
            print(*(wrapped for line in lines for wrapped in _wrapped(line)), sep="\n", file=self._write, flush=True)

    def _line(self, prompt: str) -> str | Interrupt:
        try:
            print(prompt, end="", file=self._write, flush=True)
            typed = self._while_waiting(self._read.readline)
        except OSError:
            return self._end_of_input()
        except _Signalled as stopped:
            return self._signalled(stopped.number)
        except UnicodeDecodeError:
            self._lines("ERROR That was not UTF-8 text.")
            return ""
        return typed.strip() if typed else self._end_of_input()

    def _without_echo(self, prompt: str, by: str) -> bytearray | Interrupt:
        try:
            typed = self._while_waiting(lambda: self._getpass(shown_text(prompt)))
        except _Signalled as stopped:
            return self._signalled(stopped.number)
        except EOFError:
            return self._end_of_input()
        if typed == ":pause":
            return Interrupt(kind="pause", text="paused by the operator", by=by)
        if typed.startswith(":abort"):
            return Interrupt(kind="abort", text=typed.removeprefix(":abort").strip() or "aborted at the prompt for activation data", by=by)
        return bytearray(typed.encode(errors="surrogateescape"))

    def _getpass(self, prompt: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                return getpass.getpass(prompt, self._write)
            except getpass.GetPassWarning as echoes:
                raise CeremonyError("SECRET-NEEDS-PERSON", "This terminal cannot hide what is typed.") from echoes

    def _while_waiting(self, read: Callable[[], str]) -> str:
        if self._stopped_by is not None:
            raise _Signalled(self._stopped_by)
        self._waiting = True
        try:
            return read()
        finally:
            self._waiting = False

    def _command(self, typed: str, by: str) -> Interrupt | None:
        name, _, text = typed.partition(" ")
        text = text.strip()
        match name:
            case ":pause":
                return Interrupt(kind="pause", text=text or "paused by the operator", by=by)
            case ":abort" if text:
                return Interrupt(kind="abort", text=text, by=by)
            case ":deviation" if text:
                return Interrupt(kind="deviation", text=text, by=by)
            case ":abort" | ":deviation":
                self._lines(f"ERROR {name} needs words after it: what happened, in one line.")
            case ":help":
                self._lines(*_HELP, _DURING_SECRETS)
            case _:
                self._lines(f"ERROR {name} is not a command.", *_HELP)
        return None

    def _end_of_input(self) -> Interrupt:
        # Ctrl+D, a pipe's end and a pulled cable look alike; none of them is a success.
        return self._signalled(self._stopped_by or signal.SIGHUP)

    def _signalled(self, number: int) -> Interrupt:
        self._lines("")
        return Interrupt(kind="signal", text=signal.Signals(number).name, exit_code=128 + number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopped_by = number
        if self._waiting:
            raise _Signalled(number)
        # A handler may have interrupted a write to the stream, so the descriptor is used.
        with suppress(OSError):
            os.write(2, b"\nThe stop is noted; it comes when the next question stands.\n")


def _wrapped(line: str) -> list[str]:
    safe = shown_text(line)
    indent = " " * (len(safe) - len(safe.lstrip()))
    return textwrap.wrap(safe, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]
