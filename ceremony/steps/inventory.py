"""inventory: what is on the table is counted in at the start and counted out at the end, and must balance."""

from collections.abc import Generator, Iterable
from typing import Any, Literal

import msgspec

from ceremony.engine.override import overridden
from ceremony.engine.step import Ask, Known, Request, Run, Show, Step, World
from ceremony.pki.names import shown_text
from ceremony.steps.physical import FactName, typed_twice


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of thing to count. `change` is how many more (or, negative, fewer) there are when counted out: one bag used is -1."""

    name: FactName
    text: str
    change: int = 0


class Inventory(Step, frozen=True, tag="inventory"):
    """The actor counts each item, and the first confirmer counts it again without seeing the first count."""

    count: Literal["in", "out"]
    items: tuple[Item, ...]

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """Items do not repeat; only what was counted in is counted out, once."""
        names = [item.name for item in self.items]
        if not names:
            yield "there is nothing to count"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"the item {name!r} stands twice"
        for item in self.items:
            if self.count == "in" and item.name in world.counted_in:
                yield f"{item.name!r} was counted in already, and not out since"
            if self.count == "in" and item.change:
                yield f"{item.name!r}: a change can be foreseen only where it is counted out"
            if self.count == "out" and item.name not in world.counted_in:
                yield f"{item.name!r} was not counted in"

    def leads_to(self, world: World, script: object) -> World:
        """What was counted in and not out yet."""
        names = frozenset(item.name for item in self.items)
        return msgspec.structs.replace(world, counted_in=world.counted_in | names if self.count == "in" else world.counted_in - names)

    def run(self, known: Known) -> Run:
        """Each item twice; a count that does not balance is taken again, or borne by two people."""
        people = (self.actor, self.confirm[0])
        before: dict[str, int] = known.products.get("counted_in", {})
        counted: dict[str, int] = {}
        for item in self.items:
            wanted = before[item.name] + item.change if self.count == "out" else None
            value, turn = yield from typed_twice(item.name, _asked(item), "count", people)
            while wanted is not None and int(value) != wanted:
                if (yield from _borne(f"{item.name}/{turn}/balance", known, item, before[item.name], int(value), people)):
                    break
                value, turn = yield from typed_twice(item.name, _asked(item), "count", people, turn)
            counted[item.name] = int(value)
        if self.count == "in":
            return {"counted_in": {**before, **counted}}
        yield Show(lines=("Counted out:", *(f"  {item.name}: {before[item.name]} in, {counted[item.name]} out" for item in self.items)))
        rest = {name: number for name, number in before.items() if name not in counted}
        return {"counted_in": rest, "counted_out": {**known.products.get("counted_out", {}), **counted}}


def _asked(item: Item) -> str:
    return f"How many are there? {item.text}"


def _borne(key: str, known: Known, item: Item, before: int, now: int, people: tuple[str, str]) -> Generator[Request, Any, bool]:
    """Shows what does not balance; True when two people bear it, with a reason (design, rule 10)."""
    shown = (
        f"{shown_text(item.name)} does not balance: {shown_text(item.text)}",
        f"  counted in:  {before}" + (f", and {item.change:+} foreseen by the script" if item.change else ""),
        f"  counted out: {now}",
        "Something is missing, or came in unseen. Search for it before going on.",
    )
    text = "It does not balance. Count again, or go on with a deviation?"
    choice = yield Ask(key=key, text=text, by=people[0], shown=shown, choices=_CHOICES)
    if choice == "count again":
        return False
    what = f"Inventory of {item.name} does not balance (in {before}, foreseen {before + item.change}, out {now})"
    yield from overridden(key, known, what, "Why may the ceremony go on so?", shown, people)
    return True


_CHOICES = ("count again", "deviation")
