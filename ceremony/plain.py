"""Line mode: the ceremony as plain prompts, for a serial console, a braille line, or where the app cannot run.

Only printable ASCII is written. Activation data is read from the terminal without echo, never from a pipe.
"""

import getpass
import os
import signal
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.said import WIDTH, People, digest_lines, instruction, notice_lines, person, secret_problem

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

_HELP = (
    ":pause            record a pause and leave; `ceremony resume` goes on later",
    ":abort REASON     end this ceremony for good",
    ":deviation TEXT   record that something was not done as written",
    ":help             these lines",
)
_DURING_SECRETS = "At a prompt for a PIN only :pause and :abort REASON are understood; a PIN cannot begin with them."


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
        self._asked = ask
        self._lines("", *(["THIS IS THE ORDER TO SIGN."] if ask.order else []))
        self._lines(f"{person(ask.by, self._people)}: {ask.text}", instruction(ask))
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
        """Reads activation data without echo; twice when asked for. Raises CeremonyError SECRET-NEEDS-PERSON without a terminal."""
        self._lines("", *secret.shown, f"{person(secret.by, self._people)}: {secret.what}")
        if secret.suggestion is not None:
            self._lines(f"REHEARSAL: type {secret.suggestion}, never a real PIN.")
        if not self._read.isatty():
            if secret.suggestion is None:
                raise CeremonyError("SECRET-NEEDS-PERSON", f"{secret.what} must be typed at a terminal; standard input is not one.")
            self._lines("Standard input is not a terminal: what the rehearsal offers is taken.")
            return bytearray(secret.suggestion.encode())
        while True:
            typed = self._without_echo(f"{secret.what}: ", secret.by)
            if isinstance(typed, Interrupt):
                return typed
            if problem := secret_problem(secret, typed):
                self._lines(f"ERROR {problem}")
            elif not secret.twice:
                return typed
            else:
                again = self._without_echo("The same again: ", secret.by)
                if isinstance(again, Interrupt):
                    return again
                if typed == again:
                    _wipe(again)
                    return typed
                self._lines("ERROR The two do not agree. Nothing was changed; type both once more.")
                _wipe(again)
            _wipe(typed)

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


def _wipe(octets: bytearray) -> None:
    octets[:] = bytes(len(octets))
