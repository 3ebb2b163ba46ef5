"""check-machine: nothing leads out of this machine; what could not be looked at is said (design, rule 9)."""

import msgspec

from ceremony.engine.machine_check import finding_text, machine_is_fit
from ceremony.engine.step import Ask, Known, Run, Step, World


class CheckMachine(Step, frozen=True, tag="check-machine"):
    """Looks at routes, interfaces, radios, swap, automount and input devices."""

    confirmers = 1

    def leads_to(self, world: World, script: object) -> World:
        """The machine is fit."""
        return msgspec.structs.replace(world, machine_checked=True)

    def run(self, known: Known) -> Run:
        """The check, and a look at it by both people."""
        found = yield from machine_is_fit("machine", known, self.actor, self.confirm[0])
        shown = tuple(finding_text(finding) for finding in found["findings"])
        for person in (self.actor, self.confirm[0]):
            yield Ask(key=f"seen/{person}", text="Have you read the findings?", by=person, shown=shown, accept="seen")
        return {"input_devices": known.products.get("input_devices") or found["input_devices"]}
