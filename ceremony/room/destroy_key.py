"""destroy-key: both halves of the root's key go from the token. list-objects: what is left there."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.look_at_key import objects_on
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class DestroyKey(Verb):
    """Destroys what bears `key_id`, if its public half is still that of `public_key` (DER SPKI, hex). Doing it twice does no harm.

    Returns whether anything was there: after an interruption nothing may be. Raises CeremonyError ROOT-NOT-ON-TOKEN.
    """

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks, and destroys. An interruption between the halves leaves one, which goes the next time."""
        key_id = bytes.fromhex(args["key_id"])
        found = room.token.find_key(key_id)
        if found is not None and found.public_key_der not in (None, bytes.fromhex(args["public_key"])):
            what = f"The id {args['key_id']} is now that of another key."
            raise CeremonyError("ROOT-NOT-ON-TOKEN", what, state="Nothing was destroyed.")
        if found is not None:
            room.token.destroy(key_id)
        return {"was_there": found is not None, "serial": room.token_info().serial}


class ListObjects(Verb):
    """Returns every object on the token, for somebody who is logged in."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Asks the token anew."""
        return {"objects": objects_on(room), "serial": room.token_info().serial}
