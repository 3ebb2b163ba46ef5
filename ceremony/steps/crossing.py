"""crossing: what was made leaves in a bundle, and the ceremony pauses until something comes back."""

from collections.abc import Iterable

import msgspec

from ceremony.engine.step import Known, Run, Step, World, Write
from ceremony.steps.sealing import sealed_and_exported, sealing_requires


class Crossing(Step, frozen=True, tag="crossing"):
    """Sign-off, seal, export; then a pause. What follows begins with roll-call and the checks anew."""

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """Something to take out, and people to sign for it."""
        yield from sealing_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """Sealed; every resource is gone."""
        return msgspec.structs.replace(
            world, crossed=True, unsealed=False, unlocked=False, machine_checked=False, clock_checked=False, roll_called=False
        )

    def run(self, known: Known) -> Run:
        """Seals, exports, pauses."""
        number = yield from sealed_and_exported(known, self.actor, self.confirm[0])
        yield Write(key="pause", type="paused", data={"reason": "crossing", "text": f"bundle {number} is on its way"})
        return {}
