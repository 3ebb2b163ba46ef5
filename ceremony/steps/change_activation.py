"""change-activation: a PIN of the token in use is made anew and given to the holders of the script, under those who hold it now."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from ceremony.activation.arrangement import PIN_NAMES, WHICH, Which
from ceremony.engine.backed import backed
from ceremony.engine.holders import givers_of, pin_in_force, product_of
from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.steps.activation import arguments_of, made, proved
from ceremony.steps.token import token_text


class ChangeActivation(Step, frozen=True, tag="change-activation"):
    """`which` PIN goes from [activation.before] to [activation]; shares that are replaced are void from then on.

    `by` its own quorum (C_SetPIN), or `so`: the SO PIN resets the user PIN (C_InitPIN; PKCS#11 v2.40 base, 5.5 and 5.6).
    """

    which: Which
    by: Literal["quorum", "so"] = "quorum"

    confirmers = 1

    @property
    def opens(self) -> Which:
        """The PIN whose holders allow the change."""
        return "so" if self.by == "so" else self.which

    @property
    def hands_out(self) -> frozenset[Which]:
        """The new PIN."""
        return frozenset({self.which})

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A token in use, people, a checked machine, and a PIN that can be changed so."""
        if world.token == "blank":
            yield "the token is blank: it has no PIN to change"
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if not world.machine_checked:
            yield "no check-machine since the start of the session"
        if self.which in world.changed_pins:
            yield f"the {PIN_NAMES[self.which]} was changed already"
        if self.which == "so" and self.by == "so":
            yield 'the SO PIN is changed by those who hold it: by = "quorum"'
        if self.by == "so" and "so" in world.changed_pins:
            yield "the SO PIN was just changed: reset the user PIN before it, by the shares that have proved themselves for longer"
        if script.activation.held(self.which).kind == "pin":
            yield "it makes shares, or a PIN on the token's pad; a PIN that one person knows is not what it changes to"
        kinds = {script.activation.held(self.which, before=before).kind for before in (False, True)}
        if "pin-pad" in kinds and len(kinds) > 1:
            yield "a PIN moves between pad and keyboard only with another token"

    def leads_to(self, world: World, script: Any) -> World:
        """The PIN is the script's; what was opened by the one before is locked."""
        return msgspec.structs.replace(world, changed_pins=world.changed_pins | {self.which}, unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Shows both arrangements, has the change confirmed, changes the PIN, and has every new share proved."""
        name = PIN_NAMES[self.which]
        before = pin_in_force(known, self.which)
        opened_by = pin_in_force(known, "so") if self.by == "so" else before
        held = known.script.activation.held(self.which)
        token = yield Act(key="token", verb="token-facts", waiting="Waiting for the token")
        shown = (
            *token_text(token),
            f"The {name} is held now by: {before.line()}" + (f" (set {before.set})." if before.set is not None else "."),
            f"From then on by: {held.line()}.",
            f"It is changed under the {PIN_NAMES[opened_by.which]}. Every paper with a share of it from before is void then.",
            *known.script.activation.lines(),
        )
        yield Ask(key="change", text=f"This orders the change: type {name}.", by=self.actor, shown=shown, accept=name)
        text = f"Do you agree that the {name} is changed now?"
        yield from backed(known, Ask(key="agree", text=text, by=self.confirm[0], shown=shown, accept="change"))
        givers = yield from givers_of("share", opened_by, known, self.actor)
        args = {
            "which": self.which,
            "by": self.by,
            "holders_before": list(givers),
            **arguments_of(held),
            "opened_by": {"kind": opened_by.kind},
            "in_force": {which: pin_in_force(known, which).set for which in WHICH},
            "typed_by": self.actor,
        }
        done = yield Act(key="change/act", verb="change-activation", args=args, waiting=f"Waiting for the token: it changes the {name}")
        pin = made(self.which, held, done["set"])
        lines = [f"The {name} is changed."]
        if pin.set is not None:
            lines.append(f"In force are the shares of the set {pin.set}, and no others.")
        if done["found"]:
            lines.append("They were in force already: the interruption came after the token had taken them.")
        yield Show(lines=tuple(lines))
        yield from proved(pin)
        return {"activation": product_of(known, [pin])}
