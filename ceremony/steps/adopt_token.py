"""adopt-token: takes a token that its vendor's tools have provisioned; it must hold nothing."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.activation.arrangement import WHICH, Which
from ceremony.engine.step import Act, Ask, Known, Run, Step, World
from ceremony.steps.token import token_text


class AdoptToken(Step, frozen=True, tag="adopt-token"):
    """Logs in, demands an empty inventory, records what the token says of itself."""

    confirmers = 1

    @property
    def opens(self) -> Which:
        """The user PIN."""
        return "user"

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A token that was never used here, people, and PINs that its vendor's tools can have set."""
        if world.token != "blank":
            yield "a token is in use already"
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if any(script.activation.held(which, before=True).kind == "shared-pin" for which in WHICH):
            yield "its vendor's tools split no PIN: say in [activation.before] how it is held, and share it by a change-activation"

    def leads_to(self, world: World, script: object) -> World:
        """The token is ready; the login ended with the step."""
        return msgspec.structs.replace(world, token="ready")

    def run(self, known: Known) -> Run:
        """Adopts, and has the serial compared with the device."""
        token = yield Act(key="adopt", verb="adopt-token", login=True, waiting="Waiting for the token")
        shown = (*token_text(token), "It holds no object.")
        for person in (self.actor, self.confirm[0]):
            yield Ask(
                key=f"serial/{person}",
                text="The serial, as it stands on the device's label.",
                by=person,
                shown=shown,
                accept=token["serial"],
            )
        return {"token": token}
