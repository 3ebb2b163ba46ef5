"""Drives the app without a terminal: waits for what is on the screen, never for time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from textual.pilot import Pilot
from textual.widgets import Input

from ceremony.engine.step import Interrupt
from ceremony.tui.app import CeremonyApp
from ceremony.tui.autoplay import Pace
from ceremony.tui.heading import Heading
from ceremony.unattended import Unattended
from tests.faces import fake_ceremony as fake

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
AT_ONCE = Pace(reading=0, character=0, page=0, enter=0, ending=0.05)
PATIENCE = 15.0


class Driver:
    """The app under test with its pilot."""

    def __init__(self, app: CeremonyApp[str], pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    def frame(self) -> str:
        """What is on the screen, as lines of text."""
        # Private: Textual has no public way to plain text (pilot has SVG alone).
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips) + "\n"

    async def still(self) -> str:
        """The frame when it has not changed for a tenth of a second."""
        before, same = self.frame(), 0
        while same < 5:
            await self.pilot.pause(0.02)
            now = self.frame()
            before, same = now, same + 1 if now == before else 0
        return before

    async def until(self, text: str) -> str:
        """Waits until `text` is on the screen; returns the frame."""
        for _ in range(int(PATIENCE / 0.02)):
            if text in self.frame():
                return self.frame()
            await self.pilot.pause(0.02)
        raise AssertionError(f"{text!r} did not come; there is\n{self.frame()}")

    async def until_true(self, condition: Callable[[], bool]) -> None:
        """Waits for something that is not on the screen."""
        for _ in range(int(PATIENCE / 0.02)):
            if condition():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"it did not come true; there is\n{self.frame()}")

    async def press(self, *keys: str) -> None:
        """Presses keys."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Types text into the focused field, and Enter."""
        await self.until_true(lambda: isinstance(self.app.focused, Input) and self.app.focused.display)
        await self.pilot.press(*("space" if character == " " else character for character in text), "enter")


Play = Callable[[Driver], Awaitable[None]]


def drive(
    conduct: fake.FakeCeremony,
    play: Play,
    *,
    size: tuple[int, int] = (80, 24),
    autoplay: Unattended | None = None,
    idle_seconds: float = 300.0,
    heading: Heading | None = None,
) -> CeremonyApp[str]:
    """Runs `play` against the app over `conduct`, and ends the app's loop whatever happens."""
    app: CeremonyApp[str] = CeremonyApp(
        conduct,
        heading=heading or fake.heading(),
        autoplay=autoplay,
        clock=lambda: NOON,
        idle_seconds=idle_seconds,
        pace=AT_ONCE if autoplay else None,
    )

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await play(Driver(app, pilot))

    try:
        asyncio.run(run())
    finally:
        app.face.close(Interrupt(kind="signal", text="the test is over", exit_code=1))
    return app
