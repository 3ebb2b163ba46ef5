"""read-custody: what was put away last in the ceremonies before, by the ledger of the last bundle."""

from typing import TYPE_CHECKING, Any

from ceremony.crossing.ledger import custody_in
from ceremony.engine.step import AskSecret
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ReadCustody(Verb):
    """Returns the last value of each thing that was ever put away, by name."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Reads the copy that was verified when the ceremony was opened. Raises CeremonyError LEDGER-BROKEN."""
        ledger = (room.folder.path / "work" / "previous" / "record" / "ledger.json").read_bytes()
        return {"custody": {thing.name: {"what": thing.what, "value": thing.value} for thing in custody_in(ledger)}}
