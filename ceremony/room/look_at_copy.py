"""look-at-copy: what the second token says of the root's key, to somebody who is logged in. Nothing is signed."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.room.look_at_key import LookAtKey
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class LookAtCopy(Verb):
    """Returns what `look-at-key` does, of the token in use. Raises CeremonyError BACKUP-OTHER-KEY."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Finds the key by `public_key` (DER SPKI, hex)."""
        try:
            return LookAtKey().do(room, args, secret)
        except CeremonyError as failed:
            if failed.code != "ROOT-NOT-ON-TOKEN":
                raise
            labels = [shown_text(found.label) for found in room.token.inventory() if found.object_class == "PRIVATE_KEY"]
            held = f"the private keys {', '.join(map(repr, labels))}, and none of them is the root's" if labels else "no private key"
            what = f"The token {shown_text(room.token_info().serial)} holds {held}."
            raise CeremonyError("BACKUP-OTHER-KEY", what, state="Nothing was signed.") from failed
