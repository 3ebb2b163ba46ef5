"""The medium before it is used: a fresh one of known serial for what leaves, one that is mounted read-only for what comes in."""

from collections.abc import Generator
from typing import Any

from ceremony.custody import same_fact
from ceremony.engine.override import overridden
from ceremony.engine.step import Act, Ask, Known, Request, Show
from ceremony.pki.names import shown_text
from ceremony.steps.physical import typed_twice

_NOT_OF_ITS_OWN = "It is no medium of its own, but a folder of this machine."


def outbound_medium(known: Known, bundle: int, people: tuple[str, str]) -> Generator[Request, Any, dict[str, Any]]:
    """A medium that never took a bundle is in, and is taken for this one; what the copy must know of it.

    Its serial is the one that the system knows, else both people type what stands on it; a rehearsal makes that up.
    """
    turn = 0
    while True:
        turn += 1
        shown = ("Take a fresh, empty medium out of its wrapping, put it in and mount it for writing.",)
        yield Ask(key=f"outbound/{turn}", text="Is a fresh medium in for what leaves?", by=people[0], shown=shown, accept="in")
        seen = yield from _looked_at(known, f"outbound/{turn}", "outbox", _wrong_with_outbound, people)
        serial: str = seen["serial"]
        if not serial and known.rehearsal:
            serial = f"REHEARSAL-{known.opened['ceremony']}-{bundle}"
            yield Show(lines=(f"REHEARSAL: the system knows no serial of this medium; in place of the one on its label: {serial}",))
        elif not serial:
            serial, _ = yield from typed_twice(f"outbound/{turn}/serial", "The serial on the medium, or on its label", "medium", people)
        if not any(same_fact(serial, used) for used in seen["used"]):
            yield Act(key=f"outbound/{turn}/take", verb="take-medium", args={"bundle": bundle, "serial": serial})
            return {"serial": serial, "device": seen["device"], "file_system": seen["file_system"]}
        shown = (f"The medium {shown_text(serial)} took a bundle before. Keep it, and take one that was never used.",)
        text = "Refused: it is no fresh medium. Have you read why?"
        yield Ask(key=f"outbound/{turn}/used", text=text, by=people[0], shown=shown, accept="seen")


def inbound_medium(known: Known, key: str, people: tuple[str, str]) -> Generator[Request, Any, None]:
    """The medium that brings something in is one, and nothing can be written to it; or two people override that."""
    yield from _looked_at(known, key, "inbox", _wrong_with_inbound, people)


def _wrong_with_outbound(seen: dict[str, Any]) -> str:
    return "" if seen["device"] else _NOT_OF_ITS_OWN


def _wrong_with_inbound(seen: dict[str, Any]) -> str:
    if not seen["device"]:
        return _NOT_OF_ITS_OWN
    return "" if seen["read_only"] else "It is mounted for writing. Unmount it, set its write protection, and mount it with the option ro."


def _looked_at(known: Known, key: str, box: str, wrong_with: Any, people: tuple[str, str]) -> Generator[Request, Any, dict[str, Any]]:
    """What the room sees of the medium, once nothing is wrong with it or two people bear that; it never stops a rehearsal."""
    look = 0
    while True:
        look += 1
        seen: dict[str, Any] = yield Act(
            key=f"{key}/look/{look}", verb="look-at-medium", args={"box": box}, waiting="Looking at the medium"
        )
        wrong = wrong_with(seen)
        if not wrong:
            return seen
        if known.rehearsal:
            yield Show(lines=(f"REHEARSAL: in a ceremony this would stop it: {seen['place'] or 'nothing'}: {wrong}",))
            return seen
        shown = (f"The medium at {shown_text(seen['place'])}: {wrong}",)
        text = "The medium is not as it should be. Look again, or override?"
        choice = yield Ask(key=f"{key}/unfit/{look}", text=text, by=people[0], shown=shown, choices=("look again", "override"))
        if choice == "override":
            what = f"Medium at {seen['place']} used all the same ({wrong})"
            yield from overridden(f"{key}/override/{look}", known, what, "For which reason is it used all the same?", shown, people)
            return seen
