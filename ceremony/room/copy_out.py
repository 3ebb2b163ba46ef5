"""copy-out: a sealed bundle is copied to the outbound medium and read back, every byte."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.media import copy_out, must_be_fresh
from ceremony.machine.medium import medium_at
from ceremony.room.look_at_medium import must_be_new
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class CopyOut(Verb):
    """Returns the receipt. A copy that is there already, byte for byte, is read back and will do."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Copies bundle `bundle` to the medium that was taken for it: `device`, `file_system` and `serial` are that one's.

        Where another is in by now, because the first was faulty, its serial stands in the receipt, "" if the system knows none.
        Raises CeremonyError OUTBOX-NOT-NAMED, MEDIUM-…
        """
        if room.outbox is None:
            raise CeremonyError(
                "OUTBOX-NOT-NAMED",
                "The bundle has nowhere to go: no outbox is named.",
                state="The bundle is sealed and lies in the ceremony folder.",
            )
        medium = medium_at(room.outbox)
        if args["device"] and not medium.device:
            what = f"No medium is mounted at {room.outbox} any more."
            raise CeremonyError("MEDIUM-GONE", what, state="The bundle is sealed and lies in the ceremony folder.")
        name = bundle_name(room.script.id, room.rehearsal, args["bundle"])
        if medium.serial and medium.serial != args["serial"]:
            must_be_new(room, medium.serial)
        if not room.rehearsal:
            must_be_fresh(room.outbox, but_for=name)
        receipt = copy_out(room.folder.bundle(args["bundle"]), room.outbox, name, medium=medium)
        same = medium.file_system == args["file_system"]
        return {**receipt, "device": medium.device, "serial": medium.serial or (args["serial"] if same else "")}


def bundle_name(script_id: str, rehearsal: bool, number: int) -> str:
    """The folder of a bundle on its medium, at most 64 characters; a rehearsal's says so."""
    before, after = "rehearsal-" * rehearsal, f"-{number}"
    return f"{before}{script_id[: 64 - len(before) - len(after)]}{after}"
