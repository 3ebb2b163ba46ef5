"""The app: runs the loop in one thread, shows its questions on the screen, and leaves a clean terminal on every way out."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste, Resize
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.worker import WorkerFailed

from ceremony.engine.conduct import Stopped
from ceremony.engine.step import Answer, Face, Interrupt
from ceremony.errors import CeremonyError, unforeseen
from ceremony.said import digest_lines, notice_lines
from ceremony.secret_typing import wipe
from ceremony.tui.autoplay import Autoplay, Pace
from ceremony.tui.conducting import Conducting
from ceremony.tui.dialogs import SMALLEST, Box, Cover, Deviation, End, Help, LookBack, Stop, TooSmall
from ceremony.tui.face import Asked, ScreenFace, SecretAsked, Told
from ceremony.tui.heading import Heading
from ceremony.unattended import Unattended

Outcome = TypeVar("Outcome")

IDLE_SECONDS = 300.0
"""After so long without a key the screen locks."""

_STOPPED_BY = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class LoopEnded(Message):
    """The loop has ended; `result` holds what it returned or raised."""

    def __init__(self, result: Future[Any]) -> None:
        super().__init__()
        self.result = result


class CeremonyApp(App[None], Generic[Outcome]):
    """The ceremony on the screen. `conduct` runs in a thread of its own and is handed the Face; `outcome()` gives what it gave."""

    CSS_PATH = "ceremony.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "stop", show=False, priority=True),
        Binding("ctrl+c", "stop", show=False, priority=True),
        Binding("f1", "help", show=False, priority=True),
        Binding("f2", "deviation", show=False, priority=True),
        Binding("f3", "look_back", show=False, priority=True),
        Binding("f10", "pause", show=False, priority=True),
    ]

    def __init__(
        self,
        conduct: Callable[[Face], Outcome],
        *,
        heading: Heading,
        autoplay: Unattended | None = None,
        ending: Callable[[Outcome], Sequence[str]] = lambda outcome: ["The ceremony is done."],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        idle_seconds: float = IDLE_SECONDS,
        pace: Pace | None = None,
    ) -> None:
        """`ending` says in lines how it ended, for the last screen, when `conduct` returned."""
        # Only with native colours do NO_COLOR and the 8 colours of the console leave everything readable.
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.heading = heading
        self.face = ScreenFace(self.post_message)
        self.failures: list[BaseException] = []
        self._conduct = conduct
        self._ending_of = ending
        self._conducting = Conducting(heading, clock)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ceremony")
        self._result: Future[Outcome] | None = None
        self._open: Asked | SecretAsked | None = None
        self._pending: list[Interrupt] = []
        self._leaving = False
        self._idle_seconds = idle_seconds
        self._last_key = time.monotonic()
        self._conducting.plays = autoplay is not None
        self._autoplay = Autoplay(autoplay, self._conducting, pace or Pace(), self._interrupt) if autoplay else None

    def get_default_screen(self) -> Screen[None]:
        """The screen of the ceremony."""
        return self._conducting

    def on_mount(self) -> None:
        """Catches the signals, and begins the watch over idle time."""
        loop = asyncio.get_running_loop()
        # asyncio's own would log the error with its message.
        loop.set_exception_handler(lambda _, context: self._failed(context.get("exception")))
        for number in _STOPPED_BY:
            loop.add_signal_handler(number, self._on_signal, number)
        self.set_interval(min(1.0, self._idle_seconds), self._lock_when_idle)

    def on_conducting_ready(self) -> None:
        """Starts the loop."""
        result = self._result = self._executor.submit(self._conduct, self.face)
        # From the loop's own thread, so that it comes after all that the loop told.
        self._executor.submit(lambda: self.post_message(LoopEnded(result)))
        self._cover_when_small(self.size)

    def outcome(self) -> Outcome:
        """What the loop returned. Call it when the app has run: it waits for the loop's thread.

        Raises Stopped and CeremonyError as the loop raised them; for every other error CeremonyError INTERNAL.
        """
        if self._result is None:
            raise CeremonyError("INTERNAL", "The screen failed before the ceremony began.", state="Nothing was begun.")
        self.face.close(Interrupt(kind="signal", text="the screen failed", exit_code=1))
        failure = self._result.exception()
        if isinstance(failure, Exception) and not isinstance(failure, CeremonyError | Stopped):
            raise unforeseen(failure) from None
        return self._result.result()

    # the loop's questions

    @property
    def _screen_stands(self) -> bool:
        # Messages of the loop's thread may come while the app is leaving, when the screen has lost its parts already
        # and still counts as attached; `face.close` answers their questions.
        return self.is_running and self._conducting.is_attached and not self._leaving

    def on_told(self, event: Told) -> None:
        """Shows a notice."""
        if not self._screen_stands:
            return
        self._conducting.tell(event.notice)
        if self._autoplay:
            self._autoplay.tell(event.notice)

    def on_asked(self, event: Asked) -> None:
        """Puts a question, unless somebody wanted to stop meanwhile."""
        if not self._screen_stands:
            return
        if self._pending:
            event.reply.set_result(self._pending.pop(0))
            return
        self._open = event
        self._conducting.ask(event.ask)
        if self._autoplay:
            self._play(self._autoplay.answer(event))

    def on_secret_asked(self, event: SecretAsked) -> None:
        """Asks for activation data, unless somebody wanted to stop meanwhile."""
        if not self._screen_stands:
            return
        if self._pending:
            event.reply.set_result(self._pending.pop(0))
            return
        self._open = event
        self._conducting.ask_secret(event.secret)
        if self._autoplay:
            self._play(self._autoplay.type_secret(event))

    def on_conducting_answered(self, event: Conducting.Answered) -> None:
        """Hands the answer to the loop."""
        question = self._take_question()
        if isinstance(question, Asked):
            question.reply.set_result(Answer(value=event.value, by=question.ask.by))

    def on_conducting_secret_typed(self, event: Conducting.SecretTyped) -> None:
        """Hands the activation data to the loop."""
        question = self._take_question()
        if isinstance(question, SecretAsked):
            question.reply.set_result(event.octets)
        else:
            wipe(event.octets)

    def on_secret_entry_words_hidden(self) -> None:
        """Erases what the terminal itself kept of earlier screens, and draws this one anew.

        ED 3 is xterm's; Linux' console erases the whole display with it, too (console_codes(4)).
        """
        if self._driver is not None:
            self._driver.write("\x1b[3J")
        self.screen.refresh()

    def _take_question(self) -> Asked | SecretAsked | None:
        question, self._open = self._open, None
        return None if question is None or question.reply.done() else question

    def _interrupt(self, interrupt: Interrupt | None) -> None:
        if interrupt is None:
            return
        question = self._take_question()
        if question is None:
            self._pending.append(interrupt)
            self._conducting.say(["Noted; it is recorded when the next question stands."])
            return
        self._conducting.close_entry()
        question.reply.set_result(interrupt)

    # keys

    async def on_event(self, event: Event) -> None:
        """Notes each key for the lock; while the app plays by itself, any key takes over and does nothing else."""
        if isinstance(event, Key | Paste):
            self._last_key = time.monotonic()
            if self._autoplay and isinstance(event, Key) and event.key not in ("ctrl+c", "ctrl+q"):
                self._take_over()
                return
        await super().on_event(event)

    def copy_to_clipboard(self, text: str) -> None:
        """Nothing of a ceremony goes to a clipboard: Textual would write it to the terminal, and the terminal keep it."""

    async def action_quit(self) -> None:
        """Textual's own way out: here it is a stop like the others."""
        self.action_stop()

    def action_help_quit(self) -> None:
        """Textual's hint at Ctrl+C: here it is a stop like the others."""
        self.action_stop()

    def action_help(self) -> None:
        """F1."""
        self._over(lambda: Help(self.heading.mode))

    def action_look_back(self) -> None:
        """F3."""
        self._over(lambda: LookBack(self.heading.mode, self._conducting.past))

    def action_deviation(self) -> None:
        """F2."""
        self._over(lambda: Deviation(self.heading.mode, self.heading.people, self._conducting.asked_of))

    def action_pause(self) -> None:
        """F10."""
        self._over(lambda: Stop(self.heading.mode, "pause", self._conducting.asked_of))

    def action_stop(self) -> None:
        """Ctrl+Q and Ctrl+C ask once; a second time they stop at once."""
        self._take_over()
        if isinstance(self.screen, Stop):
            self.screen.kind = "signal"
            self.screen.stop_now()
        elif isinstance(self.screen, End):
            self.screen.dismiss(None)
        elif not isinstance(self.screen, TooSmall):
            self.push_screen(Stop(self.heading.mode, "signal", self._conducting.asked_of), self._interrupt)

    def _over(self, box: Callable[[], Box]) -> None:
        if self.screen is self._conducting:
            self.push_screen(box(), self._interrupt)

    def _lock_when_idle(self) -> None:
        if self._autoplay or time.monotonic() - self._last_key < self._idle_seconds or isinstance(self.screen, Cover | TooSmall):
            return
        self._conducting.forget_half_typed_secret()
        self.push_screen(Cover(self.heading.mode))

    def on_resize(self, event: Resize) -> None:
        """Covers everything while the terminal is too small for it."""
        if self._result is not None and self._screen_stands:
            self._cover_when_small(event.size)

    def _cover_when_small(self, size: Size) -> None:
        small = size.width < SMALLEST[0] or size.height < SMALLEST[1]
        if small and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall(self.heading.mode))
        elif not small and isinstance(self.screen, TooSmall):
            self.pop_screen()

    # playing by itself

    def _play(self, playing: Coroutine[None, None, None]) -> None:
        self.run_worker(playing, group="autoplay", exclusive=True)

    def _take_over(self) -> None:
        if self._autoplay is None:
            return
        self._autoplay.leave_to_people()
        self._conducting.plays = False
        self._autoplay = None
        self.workers.cancel_group(self, "autoplay")

    # the ways out

    def _on_signal(self, number: signal.Signals) -> None:
        self._leaving = True
        self.face.close(Interrupt(kind="signal", text=number.name, exit_code=128 + number))
        self.exit(return_code=128 + number)

    def on_loop_ended(self, event: LoopEnded) -> None:
        """Shows how it ended until somebody has read it."""
        if not self._screen_stands:
            return
        failure = event.result.exception()
        if failure is not None and not isinstance(failure, CeremonyError | Stopped):
            self.exit(return_code=1)
            return
        self._conducting.close_entry()
        if isinstance(self.screen, TooSmall):
            self.pop_screen()
        self.push_screen(End(self.heading.mode, self._ending(event.result)), lambda _: self.exit())
        self._cover_when_small(self.size)
        if self._autoplay:
            self.set_timer(self._autoplay.pace.ending, self._leave_unless_taken_over)

    def _leave_unless_taken_over(self) -> None:
        if self._autoplay:
            self.exit()

    def _ending(self, result: Future[Outcome]) -> list[str]:
        match failure := result.exception():
            case CeremonyError():
                lines = failure.lines()
            case Stopped():
                lines = [f"Stopped: {failure.text or failure.reason}"]
            case _:
                lines = list(self._ending_of(result.result()))
        if self._conducting.fingerprint:
            lines += ["", "FINGERPRINT (SHA-256). Read it aloud; everybody writes it on paper:"]
            lines += digest_lines(self._conducting.fingerprint, 70)
        return lines

    def _fatal_error(self) -> None:
        # Textual would print the error's message, lines of source and local variables: a PIN may stand in each of them.
        self._failed(self._exception)
        self._close_messages_no_wait()

    def _failed(self, error: BaseException | None) -> None:
        if error is not None:
            self.failures.append(error.error if isinstance(error, WorkerFailed) else error)


def run_app(
    conduct: Callable[[Face], Outcome],
    *,
    heading: Heading,
    autoplay: Unattended | None = None,
    ending: Callable[[Outcome], Sequence[str]] = lambda outcome: ["The ceremony is done."],
) -> Outcome:
    """Runs the app over `conduct` and returns what it returns; raises what `CeremonyApp.outcome` raises.

    `ending` says in lines how it ended, for the last screen, when `conduct` returned.

    Whatever ends the screen ends the loop in order: its open question is answered with an Interrupt of kind
    `signal` (exit code 128 + number, or 1 when the screen itself failed). Why the screen failed, and what was told
    after its end, such as the fingerprint of the pause, goes to standard error.
    """
    app = CeremonyApp(conduct, heading=heading, autoplay=autoplay, ending=ending)
    app.run(mouse=False)
    with suppress(OSError):
        for error in app.failures:
            failed = unforeseen(error)
            failed.state = "The screen failed; the record holds what was announced."
            print(*failed.lines(), sep="\n", file=sys.stderr)
    try:
        return app.outcome()
    finally:
        with suppress(OSError):
            for notice in app.face.late:
                print(*notice_lines(notice), sep="\n", file=sys.stderr)
