"""The app as the loop sees it: a Face whose calls come from the loop's thread and are answered on the screen."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import TypeVar

from textual.message import Message

from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret

Reply = TypeVar("Reply")


class Asked(Message):
    """The loop waits for an answer; `reply` takes it."""

    def __init__(self, ask: Ask, reply: "Future[Answer | Interrupt]") -> None:
        super().__init__()
        self.ask = ask
        self.reply = reply


class SecretAsked(Message):
    """The loop waits for activation data; `reply` takes it."""

    def __init__(self, secret: Secret, reply: "Future[bytearray | Interrupt]") -> None:
        super().__init__()
        self.secret = secret
        self.reply = reply


class Told(Message):
    """The loop tells something and goes on."""

    def __init__(self, notice: Notice) -> None:
        super().__init__()
        self.notice = notice


class ScreenFace:
    """Hands questions and notices to the app by messages, which is the one thing that a foreign thread may do.

    Once closed, every question is answered with the interrupt that closed it: the loop ends in order
    although the screen is gone. What it tells after that is kept in `late`, for the terminal.
    """

    def __init__(self, post: Callable[[Message], bool]) -> None:
        self._post = post
        self._guard = Lock()
        self._interrupt: Interrupt | None = None
        self._unanswered: list[Future[Answer | Interrupt] | Future[bytearray | Interrupt]] = []
        self.late: list[Notice] = []

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """Puts the question on the screen and waits."""
        reply: Future[Answer | Interrupt] = Future()
        return self._closed_by(reply) or self._wait(Asked(ask, reply), reply)

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """Asks for activation data on the screen and waits."""
        reply: Future[bytearray | Interrupt] = Future()
        return self._closed_by(reply) or self._wait(SecretAsked(secret, reply), reply)

    def tell(self, notice: Notice) -> None:
        """Shows the notice; returns at once."""
        with self._guard:
            if self._interrupt is not None:
                self.late.append(notice)
                return
        self._post(Told(notice))

    def close(self, interrupt: Interrupt) -> None:
        """The screen ends. The question that stands, and each one after it, is answered with `interrupt`."""
        with self._guard:
            if self._interrupt is None:
                self._interrupt = interrupt
            for reply in self._unanswered:
                if not reply.done():
                    reply.set_result(self._interrupt)

    def _closed_by(self, reply: "Future[Answer | Interrupt] | Future[bytearray | Interrupt]") -> Interrupt | None:
        with self._guard:
            self._unanswered = [reply]
            return self._interrupt

    def _wait(self, message: Message, reply: "Future[Reply]") -> Reply:
        self._post(message)
        return reply.result()
