"""Whose shares open the token: how a PIN is held now, and which of its holders give theirs."""

from collections.abc import Collection, Generator, Iterable
from typing import Any

from ceremony.activation.arrangement import PIN_NAMES, WHICH, HeldPin, Which
from ceremony.engine.step import Ask, Known, PinInForce, Request, Run, Secret
from ceremony.errors import CeremonyError


def pin_in_force(known: Known, which: Which) -> PinInForce:
    """How this PIN is held now: as steps of this ceremony made it, else as the last ceremony left it, else as the script says."""
    if said := _told(known, which):
        ids = tuple(holder["id"] for holder in said["holders"])
        return PinInForce(which=which, kind=said["kind"], threshold=said["threshold"], holders=ids, set=said["set"])
    held = known.script.activation.held(which, before=True)
    return PinInForce(which=which, kind=held.kind, threshold=held.threshold, holders=held.holders)


def product_of(known: Known, pins: Iterable[PinInForce]) -> dict[str, Any]:
    """Both PINs as later steps and the ledger know them, with the holders' names: `pins` as they are from now on, others as before."""
    new = {pin.which: _with_names(known, pin) for pin in pins}
    return {which: new.get(which) or _told(known, which) or _with_names(known, pin_in_force(known, which)) for which in WHICH}


def _told(known: Known, which: Which) -> dict[str, Any]:
    """What steps of this ceremony, or the ledger of the last, tell of a PIN; empty when nothing does."""
    said = known.products.get("activation") or (known.opened.get("previous") or {}).get("activation") or {}
    return dict(said.get(which) or {})


def _with_names(known: Known, pin: PinInForce) -> dict[str, Any]:
    holders = [{"id": id, "name": known.person(id).name} for id in pin.holders]
    return {"kind": pin.kind, "threshold": pin.threshold, "holders": holders, "set": pin.set}


def holders_needed(script: Any, step: int) -> tuple[frozenset[str], list[tuple[str, HeldPin]]]:
    """Whose shares the session wants that begins with this step (its number, from 1) and ends before the next roll-call.

    First those who get a share and so must all be here; then each PIN that is opened, by its name, and how it is held then.
    """
    handed_out = {which for entry in script.steps[: step - 1] for which in entry.hands_out}
    everybody: set[str] = set()
    opened: list[tuple[str, HeldPin]] = []
    for entry in script.steps[step - 1 :]:
        if entry.calls_the_roll and entry is not script.steps[step - 1]:
            break
        if entry.opens is not None:
            opened.append((PIN_NAMES[entry.opens], script.activation.held(entry.opens, before=entry.opens not in handed_out)))
        everybody.update(id for which in entry.hands_out for id in script.activation.held(which).holders)
        handed_out.update(entry.hands_out)
    return frozenset(everybody), opened


def people_missing(name: str, pin: HeldPin, people: Collection[str]) -> CeremonyError | None:
    """PEOPLE-MISSING when too few of the holders of a shared PIN are among these people (ids); None when there are enough."""
    away = [id for id in pin.holders if id not in people]
    here = len(pin.holders) - len(away)
    if pin.kind != "shared-pin" or here >= pin.smallest_group:
        return None
    what = f"The {name} takes the shares of {pin.smallest_group} of its {len(pin.holders)} holders, and {here} are here"
    away_text = f"at least {pin.smallest_group - here} more must come of {', '.join(away)}"
    return CeremonyError("PEOPLE-MISSING", f"{what}: {away_text}.", state="Nothing was typed, and the token is as it was.")


def givers_of(key: str, pin: PinInForce, known: Known, by: str) -> Generator[Request, Any, tuple[str, ...]]:
    """Which holders give their share, exactly as many as it takes; asked of `by` where more are here. Nobody for a PIN that is not shared.

    Raises CeremonyError PEOPLE-MISSING.
    """
    if pin.kind != "shared-pin":
        return ()
    here = {known.person(id).name: id for id in pin.holders if id in known.people}
    if missing := people_missing(PIN_NAMES[pin.which], pin, known.people):
        raise missing
    if len(here) == pin.smallest_group:
        return tuple(here.values())
    givers: list[str] = []
    for number in range(1, pin.smallest_group + 1):
        text = f"Who gives share {number} of the {pin.smallest_group} that the {PIN_NAMES[pin.which]} takes?"
        givers.append(here.pop((yield Ask(key=f"{key}/{number}", text=text, by=by, choices=tuple(here)))))
    return tuple(id for id in pin.holders if id in givers)


def alone_at_the_screen(secret: Secret) -> Run:
    """Said aloud and recorded before a new share is shown: one person, no camera."""
    shown = (
        f"{secret.what}: next it is shown to one person, who writes it on paper.",
        "Say aloud: the camera is off the screen and off the keys, and I am alone before it.",
        "Everybody else stays in the room, where the screen can't be read.",
    )
    text = f"{secret.what}: is the camera off the screen, and are you alone before it?"
    yield Ask(key=f"alone/{secret.by}", text=text, by=secret.by, shown=shown, accept="alone")
    return {}
