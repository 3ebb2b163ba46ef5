"""The app plays by itself: answers appear at a pace that people can follow, until a key is pressed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from textual.widgets import Input

from ceremony.engine.step import Answer, Ask, Interrupt, Notice
from ceremony.errors import CeremonyError
from ceremony.tui.conducting import Conducting
from ceremony.tui.face import Asked, SecretAsked
from ceremony.tui.share_words import ShareWords
from ceremony.tui.widgets import Choices, Reading
from ceremony.unattended import Unattended


@dataclass(frozen=True)
class Pace:
    """Seconds: before an answer, for each character of it, for each page, before Enter, and for the last screen."""

    reading: float = 1.6
    character: float = 0.03
    page: float = 0.7
    enter: float = 0.5
    ending: float = 6.0


class Autoplay:
    """Types what the unattended face answers."""

    def __init__(self, unattended: Unattended, conducting: Conducting, pace: Pace, interrupt: Callable[[Interrupt], None]) -> None:
        """`interrupt` is called with a planned deviation."""
        self.pace = pace
        self._interrupt = interrupt
        self._unattended = unattended
        self._conducting = conducting

    def tell(self, notice: Notice) -> None:
        """Keeps the unattended face in step."""
        self._unattended.tell(notice)

    def leave_to_people(self) -> None:
        """Somebody pressed a key: what is half typed goes, and unused answers are no error any more."""
        self._unattended.taken_over = True
        for box in self._conducting.query(Input):
            box.value = ""

    async def answer(self, question: Asked) -> None:
        """Answers as a person would: reads, types, presses Enter."""
        try:
            planned = self._unattended.ask(question.ask)
        except CeremonyError as refused:
            question.reply.set_exception(refused)
            return
        await asyncio.sleep(self.pace.reading)
        if isinstance(planned, Interrupt):
            self._interrupt(planned)
        else:
            await self._type(question.ask, planned)

    async def _type(self, ask: Ask, planned: Answer) -> None:
        reading = self._conducting.query_one("#reading", Reading)
        while not reading.all_seen:
            reading.page(1)
            await asyncio.sleep(self.pace.page)
        if ask.choices and ask.accept is None:
            choices = self._conducting.query_one("#choices", Choices)
            choices.marked = ask.choices.index(planned.value) if planned.value in ask.choices else 0
            await asyncio.sleep(self.pace.enter)
            choices.action_choose()
            return
        await self._enter(self._conducting.query_one("#answer", Input), planned.value)

    async def _enter(self, box: Input, value: str) -> None:
        for character in value:
            box.insert_text_at_cursor(character)
            await asyncio.sleep(self.pace.character)
        await asyncio.sleep(self.pace.enter)
        await box.action_submit()
        while box.value:
            await asyncio.sleep(0.01)

    async def type_secret(self, question: SecretAsked) -> None:
        """Types what the rehearsal offers as a person would; a new share is looked at first."""
        secret = question.secret
        try:
            entries = self._unattended.typed(secret)
        except CeremonyError as refused:
            question.reply.set_exception(refused)
            return
        await asyncio.sleep(self.pace.reading)
        if secret.reveal:
            await self._look_at_the_words()
        box = self._conducting.query_one("#word" if secret.kind == "share" else "#pin", Input)
        for _ in range(2 if secret.twice else 1):
            for entry in entries:
                if box.display:
                    await self._enter(box, entry)

    async def _look_at_the_words(self) -> None:
        self._conducting.query_one("#alone", Choices).action_choose()
        while not (isinstance(words := self._conducting.app.screen, ShareWords) and words.query("#words")):
            await asyncio.sleep(0.01)
        await asyncio.sleep(self.pace.reading)
        words.action_leave(True)
        while not self._conducting.query_one("#word", Input).display:
            await asyncio.sleep(0.01)
