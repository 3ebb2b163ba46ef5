"""Makes docs/pictures/*.svg from the app itself: `python docs/make_pictures.py`.

A rehearsal of first-ceremony.toml runs in the real app, without a terminal, at 80 columns and 24 lines. Most questions
are answered as an unattended rehearsal answers them; those that are pictured come to the screen and are answered by keys.
"""

import asyncio
import re
import tempfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ceremony import shipped
from ceremony.commands.conducting import PeopleOf
from ceremony.engine.step import Answer, Ask, Face, Interrupt, Notice, Secret
from ceremony.machine.site import Site
from ceremony.rehearsal import prepared
from ceremony.session import Outcome, Session, begun
from ceremony.tui.app import CeremonyApp
from ceremony.tui.heading import Heading, StepHeading
from ceremony.tui.widgets import Reading
from ceremony.unattended import Unattended, read_answers

PICTURES = Path(__file__).parent / "pictures"
SIZE = (80, 24)
PICTURED = {"root/order": "order", "paper/admin": "fingerprint"}
"""The question, by its key, that each picture shows when it is put for the first time."""


class Sitter:
    """A Face between the loop and the app: passes everything on to the app but the questions that nobody wants to see."""

    def __init__(self, screen: Face, answers: Unattended) -> None:
        """`screen` is the app's own face."""
        self._screen = screen
        self._answers = answers
        self.wanted = dict(PICTURED)
        self.pictured: Future[tuple[str, Ask]] = Future()

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """On the screen when it is to be pictured; after the last picture the rehearsal is aborted."""
        if not self.wanted:
            return Interrupt(kind="abort", text="all pictures are taken", by=ask.by)
        planned = self._answers.ask(ask)
        name = self.wanted.pop(ask.key, "")
        if not name:
            return planned
        self.pictured.set_result((name, ask))
        return self._screen.ask(ask)

    def tell(self, notice: Notice) -> None:
        """To both."""
        self._answers.tell(notice)
        self._screen.tell(notice)

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """Typed by nobody: a rehearsal offers its own."""
        return self._answers.secret(secret)


async def take(session: Session, answers: Unattended) -> None:
    """Runs the app over the session and saves a picture of each question in PICTURED."""
    sitters: list[Sitter] = []

    def conduct(screen: Face) -> Outcome:
        sitters.append(Sitter(screen, answers))
        return session.conduct(sitters[0])

    steps = [StepHeading(number, step.title) for number, step in enumerate(session.script.steps, 1)]
    app = CeremonyApp(conduct, heading=Heading(session.script.title, session.rehearsal, steps, PeopleOf(session)))
    async with app.run_test(size=SIZE) as pilot:
        while not sitters:
            await pilot.pause(0.05)
        for _ in PICTURED:
            name, ask = await asyncio.wrap_future(sitters[0].pictured)
            sitters[0].pictured = Future()
            await pilot.pause(0.3)
            while not app.screen.query_one("#reading", Reading).all_seen:
                await pilot.press("pagedown")
            words = (ask.accept or "").split()
            await pilot.press(*" ".join(words[:2]), *([] if len(words) < 2 else ["space"]))
            await pilot.pause()
            save(app, name)
            await pilot.press(*" ".join(words[2:]), "enter")
        await pilot.pause(0.3)
        await pilot.press("enter")
    app.outcome()


def save(app: CeremonyApp[Outcome], name: str) -> None:
    """The screen as SVG, drawn with the reader's own font: what the app exports would fetch one from the network."""
    drawn = app.export_screenshot(title="ceremony rehearse first-ceremony.toml")
    drawn = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")
    (PICTURES / f"{name}.svg").write_text(drawn + "\n", encoding="utf-8")


def main() -> None:
    """Rehearses in a folder that is thrown away."""
    path = shipped.path_of("first-ceremony")
    script: bytes = path.read_bytes()
    answers = read_answers(path.with_name("first-ceremony.answers.toml").read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "rehearsal"
        rehearsed = prepared(script, directory, None, ())
        known: dict[str, Any] = {"site": Site(), "inbox": None, "outbox": None, "previous": None, "removed": ()}
        with begun(script, directory, **known, rehearsed=rehearsed) as session:
            kinds = [str(step.__struct_config__.tag) for step in session.script.steps]
            asyncio.run(take(session, Unattended(answers, lambda said: None, kinds=kinds)))


if __name__ == "__main__":
    main()
