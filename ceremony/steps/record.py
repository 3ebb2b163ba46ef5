"""record: physical facts (bag, seal, safe, medium), typed twice by two people."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from ceremony.engine.step import Ask, Known, Run, Step, World


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to write down. `name` is unique in the step; `text` says where to read it."""

    name: str
    what: Literal["bag", "seal", "safe", "medium", "token", "video", "other"]
    text: str


class Record(Step, frozen=True, tag="record"):
    """The actor types each fact, and the first confirmer types it again without seeing it."""

    facts: tuple[Fact, ...]

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """Names of facts do not repeat."""
        names = [fact.name for fact in self.facts]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"the fact {name!r} stands twice"

    def run(self, known: Known) -> Run:
        """Each fact twice; `differs` begins it anew."""
        recorded: list[dict[str, str]] = []
        for fact in self.facts:
            turn = 1
            while True:
                value = yield Ask(key=f"{fact.name}/{turn}/first", text=f"{fact.text} ({fact.what})", by=self.actor, least=1)
                again = yield Ask(
                    key=f"{fact.name}/{turn}/second", text=f"Type it again from the thing itself: {fact.text} ({fact.what})",
                    by=self.confirm[0], accept=value, blind=True, choices=("differs",),
                )  # fmt: skip
                if again != "differs":
                    break
                turn += 1
            recorded.append({"name": fact.name, "what": fact.what, "text": fact.text, "value": value})
        return {"physical": [*known.products.get("physical", []), *recorded]}
