"""look-at-medium and take-medium: which medium is in before anything goes onto it or comes off it, and that none is used twice."""

from typing import TYPE_CHECKING, Any

from ceremony.crossing.ledger import media_in
from ceremony.custody import same_fact
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.media import must_be_fresh, must_hold_only_bundles
from ceremony.machine.medium import medium_at
from ceremony.room.verb import Verb
from ceremony.transcript import read_lines

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class LookAtMedium(Verb):
    """Returns how the medium for what leaves (`outbox`) or comes in (`inbox`) is mounted, and the serial that the system knows of it."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks. One for what leaves must be empty; a rehearsal's own may hold earlier bundles of it.

        Raises CeremonyError OUTBOX-NOT-NAMED, INBOX-NOT-NAMED, MEDIUM-GONE, MEDIUM-NOT-EMPTY, MEDIUM-READ-ONLY.
        """
        place = room.outbox if args["box"] == "outbox" else room.inbox
        if place is None:
            if room.rehearsal and args["box"] == "inbox":
                return {"place": "", "device": "", "filesystem": "", "file_system": "", "read_only": False, "serial": "", "used": []}
            code = "OUTBOX-NOT-NAMED" if args["box"] == "outbox" else "INBOX-NOT-NAMED"
            raise CeremonyError(code, "No medium is named for this.", state="Nothing was sealed, copied or imported by this act.")
        medium = medium_at(place)
        if args["box"] == "outbox":
            if room.rehearsal:
                must_hold_only_bundles(place, room.ceremony)
            else:
                must_be_fresh(place)
        return {
            "place": str(place),
            "device": medium.device,
            "filesystem": medium.filesystem,
            "file_system": medium.file_system,
            "read_only": medium.read_only,
            "serial": medium.serial,
            "used": sorted(_used(room)),
        }


class TakeMedium(Verb):
    """Takes a medium for a bundle, by its serial; from now on it is a used one."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Returns the serial. Raises CeremonyError MEDIUM-USED."""
        must_be_new(room, args["serial"])
        return {"bundle": args["bundle"], "serial": args["serial"]}


def must_be_new(room: "TokenRoom", serial: str) -> None:
    """Refuses a medium that took a bundle before. Raises CeremonyError MEDIUM-USED."""
    if any(same_fact(serial, other) for other in _used(room)):
        raise CeremonyError("MEDIUM-USED", f"The medium {serial} took a bundle before.", state="Nothing was copied to it.")


def _used(room: "TokenRoom") -> set[str]:
    """The serials of all media that took a bundle, in this ceremony and by the ledger."""
    lines, _ = read_lines(room.folder.read("transcript.jsonl"))
    taken = {
        line.data["value"]["serial"]
        for line in lines
        if line.type == "result" and line.data["verb"] in ("take-medium", "copy-out") and line.data.get("value", {}).get("serial")
    }
    ledger = room.folder.path / "work" / "previous" / "record" / "ledger.json"
    return taken | (media_in(ledger.read_bytes()) if ledger.exists() else set())
