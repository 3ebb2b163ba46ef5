"""store: bytes that must be on the disk before anything is intended with them."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class Store(Verb):
    """Writes `hex` to `path` in the ceremony's folder, flushed, and says what stands there."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Writes, reads back and compares. Raises CeremonyError RECORD-UNWRITABLE."""
        octets = bytes.fromhex(args["hex"])
        written = room.folder.write(args["path"], octets)
        if sha256_hex(written.read_bytes()) != args["sha256"]:
            raise CeremonyError("RECORD-UNWRITABLE", f"{args['path']} was read back as other bytes than were written.")
        return {"path": args["path"], "sha256": args["sha256"]}
