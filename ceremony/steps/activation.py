"""What initialise-token and change-activation have in common: new shares are proved, and nothing else is taken for a proof."""

from collections.abc import Generator
from typing import Any

from ceremony.activation.arrangement import PIN_NAMES, HeldPin, Which, covering
from ceremony.engine.step import Act, PinInForce, Request, Show


def arguments_of(held: HeldPin) -> dict[str, Any]:
    """How a PIN is held, as it stands in an intent."""
    return {"kind": held.kind, "threshold": held.threshold, "holders": list(held.holders)}


def made(which: Which, held: HeldPin, number: int | None) -> PinInForce:
    """A PIN that was just made; `number` is that of the set of its shares."""
    return PinInForce(which=which, kind=held.kind, threshold=held.threshold, holders=held.holders, set=number)


def proved(pin: PinInForce) -> Generator[Request, Any, None]:
    """Every holder of a shared PIN takes part in at least one group whose shares log in, read from paper. Nothing for another PIN."""
    if pin.kind != "shared-pin":
        return
    name = PIN_NAMES[pin.which]
    groups = covering(pin.holders, pin.smallest_group)
    yield Show(
        lines=(
            f"The {name} is split; its shares have the set number {pin.set}.",
            f"Now each paper is proved: {len(groups)} groups of {pin.smallest_group} log in, so that every holder takes part.",
        )
    )
    for number, group in enumerate(groups, 1):
        args = {"which": pin.which, "holders": list(group), "set": pin.set}
        waiting = f"Waiting for the token: group {number} of {len(groups)} proves the {name}"
        yield Act(key=f"prove/{pin.which}/{number}", verb="prove-activation", args=args, waiting=waiting)
    yield Show(lines=(f"Every share of the {name} is proved.",))
