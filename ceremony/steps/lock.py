"""lock: logs out of the token."""

import msgspec

from ceremony.engine.step import Act, Known, Run, Show, Step, World


class Lock(Step, frozen=True, tag="lock"):
    """Ends the login now, where a script wants it said aloud."""

    def leads_to(self, world: World, script: object) -> World:
        """The token is locked."""
        return msgspec.structs.replace(world, unlocked=False)

    def run(self, known: Known) -> Run:
        """Logs out."""
        yield Act(key="lock", verb="lock")
        yield Show(lines=("The token is locked.",))
        return {}
