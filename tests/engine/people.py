"""The people in the room: they type back what is shown, keep a paper with fingerprints, and do what a test tells them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ceremony.activation.shares import read_share, set_of
from ceremony.engine.step import Answer, Ask, Interrupt, Notice, Secret
from tests.credentials import PASSPHRASE
from tests.engine.memory_room import World, bring_what_was_asked_for

Said = Callable[[Ask], str | Interrupt | None]

PINS = {"SO PIN": b"so-pin-of-the-test", "user PIN": b"user-pin-of-the-test"}
MOST_QUESTIONS = 600
CHOICES = {"after-error": "again", "after-refusal": "pause"}


@dataclass
class People:
    """A Face. `told` answers a question differently, or interrupts; None: as usual. All that was asked and told is kept."""

    world: World
    told: Said = lambda ask: None
    secrets_told: Callable[[Secret], bytes | Interrupt | None] = lambda secret: None
    brings_request: bool = True
    asked: list[Ask] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def ask(self, ask: Ask) -> Answer | Interrupt:
        self.asked.append(ask)
        if len(self.asked) > MOST_QUESTIONS:
            raise AssertionError(f"asked for ever: {ask.key}")
        said = self.told(ask)
        if isinstance(said, Interrupt):
            return said
        return Answer(value=self._usual(ask) if said is None else said, by=ask.by)

    def _usual(self, ask: Ask) -> str:
        if ask.key == "resume/fingerprint":
            return self.world.paper[-1] if self.world.paper else "none"
        if ask.key.startswith("medium/") and self.brings_request:
            bring_what_was_asked_for(self.world)
        if ask.key.startswith("outbound/") and ask.accept == "in":
            self.world.put_in_a_fresh_medium()
        if ask.accept is not None:
            return ask.accept
        if ask.choices:
            return CHOICES.get(ask.key, ask.choices[0])
        if ask.form == "count":
            # Three of each; the script foresees that two bags are used.
            return "1" if "one went to each" in ask.text else "3"
        return f"seen by {ask.by}" if not ask.key.endswith("/first") else "B-1234"

    def tell(self, notice: Notice) -> None:
        self.notices.append(notice)
        if notice.kind == "fingerprint":
            self.world.paper.append(notice.facts["fingerprint"])
            self.world.changed("paper")

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        said = self.secrets_told(secret)
        if isinstance(said, Interrupt):
            return said
        if said is None and secret.kind == "share":
            return bytearray(self._share(secret))
        if said is None:
            said = (secret.suggestion or PASSPHRASE).encode() if secret.kind == "passphrase" else PINS[secret.what]
        return bytearray(said)

    def _share(self, secret: Secret) -> bytes:
        """What stands on this person's last paper; of another set than that, if it is asked for by its number."""
        papers = self.world.shares.setdefault((secret.what, secret.by), [])
        if secret.reveal is not None:
            papers.append(bytes(secret.reveal.octets))
            self.world.changed("paper with a share")
            return papers[-1]
        named = re.search(r"from the set (\d+)", " ".join(secret.shown))
        fits = [paper for paper in papers if named and set_of(read_share(bytearray(paper))) == int(named[1])]
        return fits[-1] if fits else papers[0]

    def asked_keys(self) -> list[str]:
        return [ask.key for ask in self.asked]

    def errors(self) -> list[str]:
        return [line for notice in self.notices if notice.kind == "error" for line in notice.lines]
