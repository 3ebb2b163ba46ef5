"""unlock: the user PIN opens the token for the step that follows."""

from collections.abc import Iterable

import msgspec

from ceremony.activation.arrangement import Which
from ceremony.engine.step import Act, Known, Run, Show, Step, World
from ceremony.steps.token import token_text


class Unlock(Step, frozen=True, tag="unlock"):
    """Logs in. The login ends with the next step, at any pause, and after ten idle minutes (design, rule 12)."""

    keeps_login = True

    @property
    def opens(self) -> Which:
        """The user PIN."""
        return "user"

    def requires(self, world: World, script: object) -> Iterable[str]:
        """A token in use, and people."""
        if world.token == "blank":
            yield "the token is blank: initialise or adopt it first"
        if world.token == "wiped":
            yield "the token is wiped: it has no user PIN"
        if not world.roll_called:
            yield "no roll-call since the start of the session"

    def leads_to(self, world: World, script: object) -> World:
        """The token is open."""
        return msgspec.structs.replace(world, unlocked=True)

    def run(self, known: Known) -> Run:
        """Logs in and shows the token."""
        token = yield Act(key="token", verb="token-facts", login=True, waiting="Waiting for the token")
        yield Show(lines=token_text(token))
        return {"token": token}
