"""prove-activation: the shares of some holders, typed from paper, give a PIN that the token takes."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.pins import opens
from ceremony.room.room_secrets import wipe
from ceremony.room.shares import pin_from_shares
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ProveActivation(Verb):
    """Logs in by the shares of `holders`, and out again at once. `set` is the number of the set that is to be proved."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Proves. Raises CeremonyError SHARE-…, TokenError TOKEN-PIN-…"""
        token = room.token
        pin = pin_from_shares(room, args["which"], args["holders"], args["set"], room.token_info(), secret)
        try:
            if not opens(room, token, args["which"], pin):
                what = "These shares fit together, and give a PIN that is not the token's: they are of another set than the one in force."
                raise CeremonyError("SHARE-FOREIGN", what, state="Nobody is logged in. The wrong PIN cost a try.")
        finally:
            wipe(pin)
        return {"set": args["set"]}
