"""find-blank-token and initialise-token: a token that was never used becomes ours."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.room.room_secrets import wipe
from ceremony.room.verb import Verb
from hsm.facts import TokenInfo

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class FindBlankToken(Verb):
    """Exactly one token that was never initialised; by the site file's serial where it names one."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Returns its facts, and the serials of the `others` that are in use already: an interruption must not be taken for theirs.

        Raises TokenError TOKEN-NOT-FOUND, TOKEN-AMBIGUOUS, TOKEN-NOT-BLANK.
        """
        facts = room.hardware(room.module.token(serial=room.site.tokens.get("primary"), blank=True).info()).facts()
        return {**facts, "others": sorted(info.serial for info in room.module.tokens() if info.initialised)}


class InitialiseToken(Verb):
    """Sets label, SO PIN and user PIN; both are typed twice by people, and wiped here as soon as the token has them."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Initialises. Never a token that is in use: `undo` alone takes one up again, after an interruption of this act."""
        serial = room.to_be_initialised_again
        token = room.module.token(serial=serial) if serial else room.module.token(serial=room.site.tokens.get("primary"), blank=True)
        info = room.hardware(token.info())
        so_pin = user_pin = bytearray()
        try:
            so_pin = secret(room.pin("SO PIN", args["so_pin_by"], info, twice=True))
            user_pin = secret(room.pin("user PIN", args["user_pin_by"], info, twice=True))
            info = token.initialise(args["label"], so_pin, user_pin, again=bool(serial))
        finally:
            wipe(so_pin)
            wipe(user_pin)
        room.to_be_initialised_again = ""
        room.use(room.module.token(serial=info.serial), info.serial)
        return info.facts()

    def left_by(self, room: "TokenRoom", args: dict[str, Any]) -> dict[str, Any] | None:
        """A token of this label that came to be in the interrupted act; never one that was in use before it."""
        found = _begun(room, args)
        return (
            {"token label": found.label, "serial": found.serial, "user PIN set": "yes" if found.user_pin_set else "no"} if found else None
        )

    def undo(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> None:
        """Nothing is destroyed here: the act itself initialises this token once more, which wipes it."""
        found = _begun(room, args)
        room.to_be_initialised_again = found.serial if found else ""


def _begun(room: "TokenRoom", args: dict[str, Any]) -> TokenInfo | None:
    new = (info for info in room.module.tokens() if info.initialised and info.label == args["label"] and info.serial not in args["others"])
    return next(new, None)
