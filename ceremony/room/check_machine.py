"""check-machine: the state of routes, interfaces, radios, swap, media and devices (design, rule 9)."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.machine.checks import check_machine, input_devices
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class CheckMachine(Verb):
    """Returns the findings; the one on input devices also lists those that are there, for the next check to compare."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks. `input_devices` are those seen when the machine was first checked.

        The clock must be steady since the session began, and not stand before the last line of the session before.
        """
        before = args["input_devices"] or None
        findings = check_machine(input_devices_before=before, clock_before=room.began, not_before=room.recorded_until)
        return {"findings": [finding.facts() for finding in findings], "input_devices": list(input_devices())}
