"""initialise-token: takes a blank token into use; makes, splits and proves its SO PIN and user PIN."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.activation.arrangement import WHICH, Which
from ceremony.engine.backed import backed
from ceremony.engine.holders import product_of
from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.steps.activation import arguments_of, made, proved
from ceremony.steps.token import token_text


class InitialiseToken(Step, frozen=True, tag="initialise-token"):
    """Only for a token that was never initialised. `label` is the token's new label, at most 32 bytes (PKCS#11 2.40, C_InitToken)."""

    label: str

    confirmers = 1

    @property
    def hands_out(self) -> frozenset[Which]:
        """Both PINs."""
        return frozenset(WHICH)

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A blank token, people, and an arrangement that nothing was before."""
        if world.token != "blank":
            yield "the token is not blank: initialise-token would wipe it"
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if not 1 <= len(self.label) <= 32 or not (self.label.isascii() and self.label.isprintable()):
            yield "the token label must be 1 to 32 printable ASCII characters"
        if script.activation.before:
            yield "[activation.before] is for a token in use: this one has the PINs of [activation] from the start"

    def leads_to(self, world: World, script: object) -> World:
        """The token is ready and locked."""
        return msgspec.structs.replace(world, token="ready")

    def run(self, known: Known) -> Run:
        """Shows the blank token, has it confirmed, initialises it."""
        blank = yield Act(key="blank", verb="find-blank-token", waiting="Looking for the blank token")
        activation = known.script.activation
        shown = (*token_text(blank), f"It is initialised with the label {self.label!r}, and two secrets are set.", *activation.lines())
        yield Ask(key="label", text="Which label shall the token have?", by=self.actor, shown=shown, accept=self.label)
        text = "Is it the right token, and shall it be initialised?"
        yield from backed(known, Ask(key="agree", text=text, by=self.confirm[0], shown=shown, accept="initialise"))
        pins = {which: arguments_of(activation.held(which)) for which in WHICH}
        args = {"label": self.label, "so_pin_by": self.actor, "user_pin_by": self.actor, "others": blank["others"], "activation": pins}
        done = yield Act(
            key="initialise",
            verb="initialise-token",
            args=args,
            after_crash="destroy-first",
            waiting="Waiting for the token: it is being initialised",
        )
        token = {name: value for name, value in done.items() if name != "activation"}
        yield Show(lines=("The token is initialised.", *token_text(token)))
        new = [made(which, activation.held(which), done["activation"][which]["set"]) for which in WHICH]
        for pin in new:
            yield from proved(pin)
        return {"token": token, "activation": product_of(known, new)}
