"""The screen of the ceremony: steps, what is to be read, evidence, the one question, the keys."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from ceremony.engine.step import Ask, Notice, Secret
from ceremony.machine.terminal import draws_half_blocks
from ceremony.said import digest_lines, instruction, notice_lines, person
from ceremony.tui.heading import Heading
from ceremony.tui.qr_codes import QrCodes
from ceremony.tui.secret_entry import SecretEntry
from ceremony.tui.widgets import AnswerInput, Choices, KeyBar, Reading, Text, shortened

_WIDE = 100
_READ_FIRST = "Read to the last line first: PgDn or Down. Then the answer can be typed."


class Conducting(Screen[None]):
    """Shows what the loop says and takes one answer at a time, which it posts as `Answered` or `SecretTyped`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
        Binding("f4", "look_again", show=False),
    ]

    class Ready(Message):
        """The screen stands: questions can come."""

    class Answered(Message):
        """Somebody answered the question."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    class SecretTyped(Message):
        """Activation data that fits the token's limits, typed as often as asked for; whoever takes it wipes it."""

        def __init__(self, octets: bytearray) -> None:
            super().__init__()
            self.octets = octets

    def __init__(self, heading: Heading, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.heading = heading
        self.past: list[str] = []
        self.fingerprint = ""
        self.plays = False
        self._clock = clock
        self._facts = {"token": "not known yet", "air gap": "not checked yet", **heading.facts}
        self._finished = {step.number: step.finished for step in heading.steps if step.finished}
        self._step = 0
        self._said: list[str] = []
        self._new = 0
        self._digest: str | None = None
        self._aloud = 0
        self._asked: Ask | Secret | None = None
        self._waiting_since: datetime | None = None
        self._waiting_for = ""
        self._error: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """Top to bottom: header, steps and reading, evidence, answer, keys."""
        yield Text(id="header")
        with Horizontal(id="body"):
            yield Reading(id="steps")
            yield Reading(id="reading")
        yield Text(id="evidence")
        with Vertical(id="answering"):
            yield Text(id="problem")
            yield Text(id="question")
            yield Text(id="instruction")
            with Horizontal(id="entry", classes="entry"):
                yield Text(id="prompt", classes="prompt")
                yield AnswerInput("answer")
            yield Choices("choices")
            yield SecretEntry("secret", self.heading.mode)
        yield KeyBar()

    def on_mount(self) -> None:
        """The frame, and a clock."""
        self.query_one("#steps", Reading).heading = "Steps, time = done"
        self.query_one("#reading", Reading).heading = "Before the first step"
        self._draw_steps()
        self._tick()
        self.set_interval(1, self._tick)
        self.post_message(self.Ready())

    def on_resize(self) -> None:
        """Header and steps follow the width."""
        self.call_after_refresh(self._tick)
        self.call_after_refresh(self._draw_steps)
        self._make_room()
        self._draw_evidence()

    def on_screen_resume(self) -> None:
        """What lay hidden is in view again."""
        if self.app.is_running:
            # After the refresh: until then the parts have the places of another size, if the terminal was resized below a cover.
            self.call_after_refresh(self.query_one("#reading", Reading).say_place)

    def _make_room(self) -> None:
        # On a narrow screen evidence wants the whole width for what is signed; the header still says which step it is.
        self.query_one("#steps").display = self.app.size.width >= _WIDE or not self.query_one("#evidence").display
        self.call_after_refresh(self._draw_steps)

    # what the loop tells

    def tell(self, notice: Notice) -> None:
        """Shows a notice where it belongs."""
        if notice.kind != "status":
            self.past += notice_lines(notice)
        self._waiting_since = None
        match notice.kind:
            case "step-started":
                self._begin(notice)
            case "step-finished":
                self._finished[notice.step or 0] = notice.time
                self._draw_steps()
            case "working":
                self._wait(" ".join(notice.lines))
            case "error":
                self._problem(notice.lines)
            case "fingerprint":
                self.fingerprint = notice.facts["fingerprint"]
                self.say([*notice.lines, "FINGERPRINT: read it aloud and write it on paper. It stands below."])
                self._evidence("FINGERPRINT (SHA-256) for the paper", self.fingerprint)
            case "status":
                self._facts.update(notice.facts)
                self._tick()
            case "info" | "ended":
                self.say(notice.lines)

    def _begin(self, notice: Notice) -> None:
        self._step = notice.step or 0
        title, *say = notice.lines or ("",)
        self.query_one("#reading", Reading).heading = f"Step {self._step}: {title}"
        self._said, self._new = say or [title], 0
        self._aloud = len(self._said)
        self._clear_problem()
        self._evidence("", None)
        self.say([])
        self._draw_steps()
        self._tick()

    def say(self, lines: Sequence[str]) -> None:
        """Adds lines to what is to be read in this step."""
        if lines and len(self._said) == self._aloud and self._said:
            self._said.append("")
        self._said += lines
        self.query_one("#reading", Reading).show(self._said, start=self._new)

    def _say_apart(self, lines: Sequence[str]) -> None:
        self.say(["", *lines] if len(self._said) > self._aloud else lines)

    def _show(self, shown: Sequence[str]) -> None:
        if not shown:
            return
        # What stands there last is not said again: the next is asked over the same lines, or over the same and some more.
        same = next((length for length in range(len(shown), 1, -1) if list(shown[:length]) == self._said[-length:]), 0)
        if same or list(shown) == self._said[-1:]:
            self._new = len(self._said) - (same or 1)
            self.say(shown[same or 1 :])
        else:
            self._say_apart(shown)
            self._new = min(self._new, len(self._said) - len(shown))

    def _problem(self, lines: Sequence[str]) -> None:
        self._error = tuple(lines)
        self.query_one("#problem", Text).show([f"ERROR: {lines[0]}"] if lines else [])
        self.query_one("#problem").display = bool(lines)
        if len(lines) > 1:
            self._say_apart(lines)

    def _evidence(self, title: str, digest: str | None) -> None:
        evidence = self.query_one("#evidence", Text)
        evidence.display = digest is not None
        evidence.border_title = title
        self._digest = digest
        self._make_room()
        self._draw_evidence()

    def _draw_evidence(self) -> None:
        if self._digest is not None:
            self.query_one("#evidence", Text).show(digest_lines(self._digest, max(40, self.app.size.width - 1)))

    def _wait(self, what: str) -> None:
        self._hide_entry()
        self._waiting_for, self._waiting_since = what, self._clock()
        self._tick()
        self.query_one("#instruction", Text).show(["This cannot be interrupted. A stop comes when it is done."])

    # what the loop asks

    def ask(self, ask: Ask) -> None:
        """Puts a question; the box for an order or approval stays shut until the last line was in view."""
        again = self._asked == ask
        self._asked, self._waiting_since = ask, None
        if not again:
            self._show(ask.shown)
        if ask.digest:
            self._evidence("EVIDENCE (SHA-256)", ask.digest)
        elif ask.blind:
            # What is typed from paper must not stand on the screen, nor anything that looks like it.
            self._evidence("", None)
        self.past += [f"{person(ask.by, self.heading.people, ask.name)} is asked: {ask.text}", *([] if again else ask.shown)]
        self._put(ask.text, ask.by, ask.name)
        self._open_entry(ask)
        if ask.qr and not again:
            self.action_look_again()

    def _put(self, text: str, by: str, called: str = "") -> None:
        self.query_one("#question", Text).show([f"{person(by, self.heading.people, called)}: {text}"])

    def _open_entry(self, ask: Ask) -> None:
        self._hide_entry()
        answering = self.query_one("#answering")
        answering.set_class(ask.order, "-order")
        answering.border_title = "THIS IS THE ORDER TO SIGN" if ask.order else ""
        if ask.choices and ask.accept is None:
            how = "Up, Down or a digit marks an answer; Enter gives it."
            self.query_one("#instruction", Text).show([f"F4: look at the QR codes again. {how}" if ask.qr else how])
            choices = self.query_one("#choices", Choices)
            choices.offer(ask.choices)
            choices.display = True
            self.set_focus(choices)
            return
        self.query_one("#instruction", Text).show([instruction(ask)])
        self._open(self.query_one("#answer", Input), "ORDER> " if ask.order else "Answer> ")
        if (ask.order or ask.read_first) and not self.query_one("#reading", Reading).all_seen:
            self._shut_until_read()

    def _shut_until_read(self) -> None:
        self.query_one("#answer", Input).disabled = True
        self.query_one("#instruction", Text).show([_READ_FIRST])
        self.set_focus(None)

    def on_reading_read_to_the_end(self, event: Reading.ReadToTheEnd) -> None:
        """Opens the box that was shut until then."""
        box = self.query_one("#answer", Input)
        # The message may be about the text before this one: what counts is what stands there when it arrives.
        if event.reading.id == "reading" and event.reading.all_seen and box.disabled and isinstance(self._asked, Ask):
            self.query_one("#instruction", Text).show([instruction(self._asked)])
            box.disabled = False
            self.set_focus(box)

    def ask_secret(self, secret: Secret) -> None:
        """Asks for activation data in the field that shows none of it."""
        if secret.shown and self._asked != secret:
            self.say(secret.shown)
        self._asked, self._waiting_since = secret, None
        self._hide_entry()
        self._put(secret.what, secret.by)
        self.query_one("#instruction").display = False
        self.query_one(SecretEntry).begin(secret, person(secret.by, self.heading.people))

    def action_look_again(self) -> None:
        """F4: QR codes once more; or the words of a new share for its holder, who types them from the first on then."""
        if isinstance(self._asked, Secret) and self._asked.reveal:
            self.query_one(SecretEntry).begin_again()
        elif isinstance(self._asked, Ask) and self._asked.qr and self.is_current:
            self.app.push_screen(QrCodes(self.heading.mode, self._asked.qr, half_blocks=draws_half_blocks(os.environ)))

    def on_secret_entry_looked(self, event: SecretEntry.Looked) -> None:
        """Says what was wrong with what was typed."""
        self._clear_problem()
        if event.problem:
            self._problem([event.problem])

    def on_secret_entry_typed(self, event: SecretEntry.Typed) -> None:
        """Activation data fits."""
        self._go_on()
        self.post_message(self.SecretTyped(event.octets))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """An answer."""
        event.stop()
        if isinstance(self._asked, Ask):
            self._answered(event.value)

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        """A choice is an answer like another."""
        self._answered(event.value)

    def _answered(self, value: str) -> None:
        if isinstance(self._asked, Ask) and not self._asked.blind:
            self.past.append(f"  answered: {value}")
        self._go_on()
        self.post_message(self.Answered(value))

    def _go_on(self) -> None:
        self._clear_problem()
        self._new = len(self._said)
        self.close_entry()

    def close_entry(self) -> None:
        """Nothing is asked at the moment; what was half typed is dropped."""
        self._waiting_since = None
        self._hide_entry()
        self.query_one("#question", Text).show([])
        self.query_one("#instruction", Text).show([])

    def forget_half_typed_secret(self) -> None:
        """Drops what was typed of activation data."""
        self.query_one(SecretEntry).begin_again()

    @property
    def asked_of(self) -> str:
        """The participant's id who is asked, or "" when nothing is asked."""
        return self._asked.by if self._asked is not None else next(iter(self.heading.people), "")

    def _open(self, box: Input, prompt: str) -> None:
        self.query_one("#prompt", Text).show([prompt])
        self.query_one("#entry").display = True
        box.disabled = False
        box.display = True
        self.set_focus(box)

    def _hide_entry(self) -> None:
        # This first: it takes the focus away, which would pass to a button when the fields go, and the next Enter would press it.
        self.query_one(SecretEntry).shut()
        self.query_one("#prompt", Text).show([])
        self.query_one("#answer", Input).value = ""
        self.query_one("#answer").display = False
        self.query_one("#entry").display = False
        self.query_one("#instruction").display = True
        self.query_one("#choices").display = False
        self.query_one("#answering").set_class(False, "-order")

    def _clear_problem(self) -> None:
        self._error = ()
        self.query_one("#problem").display = False

    # the frame

    def _tick(self) -> None:
        if not self.app.is_running:
            return
        now = self._clock().astimezone(UTC)
        width = self.app.size.width
        right = f" | {now:%Y-%m-%d %H:%M:%S} UTC"
        room = width - len(right)
        left = shortened(f"{self.heading.mode} | {self.heading.title}", room)
        step = f"Step {self._step} of {len(self.heading.steps)}" if self._step else f"{len(self.heading.steps)} steps"
        plays = ["PLAYING BY ITSELF: any key takes over"] if self.plays else []
        facts = shortened(" | ".join([step, *plays, *(f"{name}: {value}" for name, value in self._facts.items())]), width)
        self.query_one("#header", Text).show([f"{left:<{room}}{right}", f"{facts:<{width}}"])
        if self._waiting_since is not None:
            seconds = int((now - self._waiting_since).total_seconds())
            self.query_one("#question", Text).show([f"PLEASE WAIT: {self._waiting_for} ({seconds} s)"])

    def _draw_steps(self) -> None:
        if not self.app.is_running:
            return
        steps = self.query_one("#steps", Reading)
        width = max(16, steps.scrollable_content_region.width)
        steps.show([self._step_line(step.number, step.title, width) for step in self.heading.steps], start=max(0, self._step - 4))

    def _step_line(self, number: int, title: str, width: int) -> str:
        state = self._finished[number][11:16] if number in self._finished else "NOW" if number == self._step else ""
        return f"{state:<5} {number:>2} {shortened(title, width - 9)}"

    def action_page(self, by: int) -> None:
        """Scrolls what is to be read by a page."""
        self.query_one("#reading", Reading).page(by)

    def action_line(self, by: int) -> None:
        """Scrolls what is to be read by a line."""
        self.query_one("#reading", Reading).scroll_relative(y=by, animate=False, force=True)
