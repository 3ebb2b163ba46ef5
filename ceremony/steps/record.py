"""record: physical facts (bag, seal, safe, medium), typed twice by two people, and held against what was put away last."""

from collections.abc import Generator, Iterable
from typing import Any, Literal

import msgspec

from ceremony.custody import MOMENTS, Kind, same_fact
from ceremony.engine.override import overridden
from ceremony.engine.step import Act, Ask, Known, Request, Run, Step, World
from ceremony.pki.names import shown_text
from ceremony.steps.physical import FactName, typed_twice


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to write down. `name` is unique in the step and means the same thing in every ceremony; `text` says where to read it."""

    name: FactName
    what: Kind
    text: str


class Record(Step, frozen=True, tag="record"):
    """The actor types each fact, and the first confirmer types it again without seeing it.

    `custody`: things that are `taken-out` are compared with what was put away last, in this ceremony or in the ledger; the last
    value of each that is `put-away` goes into the ledger. What is taken out in a session is put away before the session ends.
    """

    facts: tuple[Fact, ...]
    custody: Literal["", "taken-out", "put-away"] = ""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """Names do not repeat and keep their kind; things in custody are out or away, and a camera runs or not."""
        names = [fact.name for fact in self.facts]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"the fact {name!r} stands twice"
        kinds = {fact.name: fact.what for step in script.steps if isinstance(step, Record) and step.custody for fact in step.facts}
        for fact in self.facts:
            if self.custody and fact.what in MOMENTS:
                yield f"{fact.name!r} is a moment ({fact.what}), which nobody takes out or puts away"
            elif self.custody and kinds.get(fact.name, fact.what) != fact.what:
                yield f"{fact.name!r} is a {fact.what} here and a {kinds[fact.name]} elsewhere"
            if self.custody == "taken-out" and fact.name in world.taken_out:
                yield f"{fact.name!r} was taken out already, and not put away since"
        whats = [fact.what for fact in self.facts]
        if "video-stop" in whats and not (world.filmed or "video-start" in whats):
            yield "the camera is stopped, and no step before recorded its start"

    def leads_to(self, world: World, script: object) -> World:
        """What is out now, and whether a camera runs."""
        names = frozenset(fact.name for fact in self.facts)
        out = {"taken-out": world.taken_out | names, "put-away": world.taken_out - names}.get(self.custody, world.taken_out)
        videos = [fact.what for fact in self.facts if fact.what.startswith("video-")]
        return msgspec.structs.replace(world, taken_out=out, filmed=videos[-1] == "video-start" if videos else world.filmed)

    def run(self, known: Known) -> Run:
        """Each fact twice; `differs` begins it anew."""
        people = (self.actor, self.confirm[0])
        last: dict[str, Any] = {}
        if self.custody == "taken-out":
            if known.script.previous:
                last = (yield Act(key="last-custody", verb="read-custody"))["custody"]
            last = {**last, **known.products.get("custody", {})}
        recorded: list[dict[str, str]] = []
        for fact in self.facts:
            value, turn = yield from typed_twice(fact.name, _asked(fact), fact.what, people)
            while fact.name in last and not same_fact(value, last[fact.name]["value"]):
                if (yield from _borne(f"{fact.name}/{turn}/custody", known, fact, last[fact.name]["value"], value, people)):
                    break
                value, turn = yield from typed_twice(fact.name, _asked(fact), fact.what, people, turn)
            recorded.append({"name": fact.name, "what": fact.what, "text": fact.text, "value": value, "custody": self.custody})
        products: dict[str, Any] = {"physical": [*known.products.get("physical", []), *recorded]}
        if self.custody == "put-away":
            away = {fact["name"]: {"what": fact["what"], "value": fact["value"]} for fact in recorded}
            products["custody"] = {**known.products.get("custody", {}), **away}
        return products


def _asked(fact: Fact) -> str:
    return f"{fact.text} ({fact.what})"


def _borne(key: str, known: Known, fact: Fact, last: str, now: str, people: tuple[str, str]) -> Generator[Request, Any, bool]:
    """Shows that a thing is not as it was put away; True when two people bear that, with a reason (design, rule 10)."""
    shown = (
        f"{shown_text(fact.name)} ({fact.what}) is not what was put away last.",
        f"  put away last: {shown_text(last)}",
        f"  now:           {shown_text(now)}",
        "Somebody may have opened, exchanged or relabelled it since. Find out before going on.",
    )
    text = "It differs. Look again, or go on with a deviation?"
    choice = yield Ask(key=key, text=text, by=people[0], shown=shown, choices=_CHOICES)
    if choice == "look again":
        return False
    what = f"Custody of {fact.name} differs (last {last!r}, now {now!r})"
    yield from overridden(key, known, what, "Why may the ceremony go on with it?", shown, people)
    return True


_CHOICES = ("look again", "deviation")
