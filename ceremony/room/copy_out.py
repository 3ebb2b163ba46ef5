"""copy-out: a sealed bundle is copied to the outbound medium and read back, every byte."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.media import copy_out
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class CopyOut(Verb):
    """Returns the receipt. A copy that is there already, byte for byte, is read back and will do."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Copies bundle `bundle`. Raises CeremonyError OUTBOX-NOT-NAMED, MEDIUM-…"""
        if room.outbox is None:
            raise CeremonyError(
                "OUTBOX-NOT-NAMED",
                "The bundle has nowhere to go: no outbox is named.",
                state="The bundle is sealed and lies in the ceremony folder.",
            )
        return dict(copy_out(room.folder.bundle(args["bundle"]), room.outbox, bundle_name(room.script.id, room.rehearsal, args["bundle"])))


def bundle_name(script_id: str, rehearsal: bool, number: int) -> str:
    """The folder of a bundle on its medium, at most 64 characters; a rehearsal's says so."""
    before, after = "rehearsal-" * rehearsal, f"-{number}"
    return f"{before}{script_id[: 64 - len(before) - len(after)]}{after}"
