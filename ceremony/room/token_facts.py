"""token-facts and lock: what the token says of itself, and the end of a login."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class TokenFacts(Verb):
    """Returns label, serial, maker, flags and tries left."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Asks the token."""
        return room.token_info().facts()


class Lock(Verb):
    """Logs out."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Ends the login."""
        room.lock()
        return {}
