"""close: the last sign-off, seal and export; after it nothing can be added."""

from collections.abc import Iterable

import msgspec

from ceremony.engine.step import Act, Known, Run, Step, World, Write
from ceremony.steps.sealing import sealed_and_exported, sealing_requires


class Close(Step, frozen=True, tag="close"):
    """Sign-off, seal, export, teardown. Comes last."""

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """Not closed before, and people to sign."""
        if world.closed:
            yield "the ceremony is closed already"
        if world.counted_in:
            yield f"counted in and not out again: {', '.join(sorted(world.counted_in))}"
        if world.filmed:
            yield "a camera was started, and no step recorded its stop"
        yield from sealing_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """The end."""
        return msgspec.structs.replace(world, closed=True, unsealed=False, unlocked=False)

    def run(self, known: Known) -> Run:
        """Seals, exports, locks, closes."""
        number = yield from sealed_and_exported(known, self.actor, self.confirm[0])
        yield Act(key="teardown", verb="lock")
        yield Write(key="closed", type="closed", data={"bundle": number}, by=self.actor)
        return {}
