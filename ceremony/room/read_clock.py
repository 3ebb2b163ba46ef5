"""read-clock: the time as this machine has it, and what speaks against it."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.machine.clock import read_clock
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ReadClock(Verb):
    """Returns UTC to the second and problems. Time that went back since the ceremony's last agreed time is one."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Reads. `not_before` is the time that people agreed on last, "" if none."""
        moment = room.clock()
        went_back = bool(args["not_before"]) and moment.time < args["not_before"]
        problems = [f"The clock stands before {args['not_before']}, the time agreed on earlier."] if went_back else []
        return {"utc": moment.time, "problems": problems, "facts": read_clock()}
