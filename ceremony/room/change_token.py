"""take-token and leave-token: over to the second token, and back to the first. No login outlives the change (design, rule 12)."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.vendor_copy import serial_of_copy, stand_in_for_vendor
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom

_UNCHANGED = "The token in use is the same as before, and locked."


class TakeToken(Verb):
    """Takes the token that the site file calls `name` as the one in use. Returns its facts, and the serial that it comes `from`.

    `first` are the serials of tokens on which the key was used as the first, `lost` those that were reported as lost.
    Raises CeremonyError BACKUP-NOT-NAMED, BACKUP-IS-PRIMARY, TOKEN-WAS-LOST, and TokenError TOKEN-….
    """

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Logs out, starts the module anew, so that it sees what is plugged in now, and looks for the serial."""
        before = room.serial or room.token_info().serial
        wanted, made_up = _serial_of(room, args["name"], before)
        if wanted in (before, *args["first"]):
            raise _same(wanted)
        if wanted in args["lost"]:
            what = f"The token {wanted} was reported as lost: it is not used any more, wherever it was."
            raise CeremonyError("TOKEN-WAS-LOST", what, state=_UNCHANGED)
        room.lock()
        room.restart()
        token = room.module.token(serial=wanted)
        info = room.hardware(token.info())
        if info.serial == before:
            raise _same(before)
        room.use(token, info.serial)
        return {"token": info.facts(), "from": before, "made_up": made_up}


class LeaveToken(Verb):
    """The token of `serial` is the one in use again; it is looked for when something needs it. Returns its serial."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Logs out of the other, and ends the module's process."""
        room.lock()
        room.restart()
        room.serial = args["serial"]
        return {"serial": room.serial}


def _serial_of(room: "TokenRoom", name: str, before: str) -> tuple[str, bool]:
    """The serial, and whether a rehearsal made up that token."""
    if room.rehearsal and name not in room.site.tokens:
        room.restart()
        stand_in_for_vendor(room.environment, before)
        return serial_of_copy(before), True
    if name not in room.site.tokens:
        what = f'The site file names no token {name!r}: [tokens] {name} = "SERIAL".'
        raise CeremonyError("BACKUP-NOT-NAMED", what, state=_UNCHANGED)
    return room.site.tokens[name], False


def _same(serial: str) -> CeremonyError:
    what = f"The second token has the serial {serial}, which is a first one's: the same token, or one that can't be told from it."
    return CeremonyError("BACKUP-IS-PRIMARY", what, state=_UNCHANGED)
