"""adopt-token: a provisioned token is taken as it is, if it holds nothing."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class AdoptToken(Verb):
    """Logged in; the inventory must be empty. Returns the token's facts. Raises CeremonyError TOKEN-HOLDS-OBJECTS."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks at every object that the login shows."""
        objects = room.token.inventory()
        if objects:
            held = ", ".join(f"{found.object_class} {found.label!r}" for found in objects)
            raise CeremonyError("TOKEN-HOLDS-OBJECTS", f"The token is not empty: {held}.", state="The token is unchanged.")
        info = room.token_info()
        room.use(room.token, info.serial)
        return info.facts()
