"""initialise-token: takes a blank token into use and sets its SO PIN and user PIN."""

from collections.abc import Iterable

import msgspec

from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.steps.token import token_text


class InitialiseToken(Step, frozen=True, tag="initialise-token"):
    """Only for a token that was never initialised. `label` is the token's new label, at most 32 bytes (PKCS#11 2.40, C_InitToken)."""

    label: str

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """A blank token, and people."""
        if world.token != "blank":
            yield "the token is not blank: initialise-token would wipe it"
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if not 1 <= len(self.label) <= 32 or not (self.label.isascii() and self.label.isprintable()):
            yield "the token label must be 1 to 32 printable ASCII characters"

    def leads_to(self, world: World, script: object) -> World:
        """The token is ready and locked."""
        return msgspec.structs.replace(world, token="ready")

    def run(self, known: Known) -> Run:
        """Shows the blank token, has it confirmed, initialises it."""
        blank = yield Act(key="blank", verb="find-blank-token", waiting="Looking for the blank token")
        shown = (
            *token_text(blank),
            f"It is initialised with the label {self.label!r}.",
            "Then two secrets are set: the SO PIN and the user PIN, each typed twice.",
        )
        yield Ask(key="label", text="Which label shall the token have?", by=self.actor, shown=shown, accept=self.label)
        yield Ask(
            key="agree", text="Is it the right token, and shall it be initialised?", by=self.confirm[0], shown=shown, accept="initialise"
        )
        args = {"label": self.label, "so_pin_by": self.actor, "user_pin_by": self.actor, "others": blank["others"]}
        token = yield Act(
            key="initialise",
            verb="initialise-token",
            args=args,
            after_crash="destroy-first",
            waiting="Waiting for the token: it is being initialised",
        )
        yield Show(lines=("The token is initialised.", *token_text(token)))
        return {"token": token}
