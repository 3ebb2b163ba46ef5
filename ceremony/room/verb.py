"""What a verb of the room is: a way to do it, and ways to look after an interruption."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class Verb(ABC):
    """One act of the room. A subclass has `do`; the rest says, by default, that nothing can be found and nothing is left."""

    @abstractmethod
    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Does it and returns its result as JSON. Raises CeremonyError or TokenError."""

    def look_for(self, room: "TokenRoom", args: dict[str, Any]) -> dict[str, Any] | None:
        """The result, if it was done before an interruption and can be adopted."""
        return None

    def left_by(self, room: "TokenRoom", args: dict[str, Any]) -> dict[str, Any] | None:
        """What was left that may not be adopted."""
        return None

    def undo(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> None:
        """Destroys what was left. Asked for only where `left_by` found something: a verb that leaves nothing has no way to destroy it."""
        raise CeremonyError("INTERNAL", f"{type(self).__name__} leaves nothing that could be destroyed.", state="Nothing was destroyed.")
