"""find-blank-token and initialise-token: a token that was never used becomes ours."""

from typing import TYPE_CHECKING, Any

import msgspec

from ceremony.activation.arrangement import WHICH, HeldPin, Which
from ceremony.engine.step import AskSecret
from ceremony.room.pins import opens, typed_new
from ceremony.room.room_secrets import wipe
from ceremony.room.shares import OnPaper, keep_in_mind, new_pin, on_paper, pin_on_paper, told
from ceremony.room.verb import Verb
from hsm.client import Token
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
    """Sets label, SO PIN and user PIN, and hands out the shares of those that nobody holds alone."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Initialises. Never a token that is in use: `undo` alone takes one up again, after an interruption of this act."""
        serial = room.to_be_initialised_again
        token = room.module.token(serial=serial) if serial else room.module.token(serial=room.site.tokens.get("primary"), blank=True)
        room.hardware(token.info())
        held = {which: msgspec.convert(args["activation"][which], HeldPin) for which in WHICH}
        if held["so"].kind == "shared-pin":
            papers = _with_shares(room, token, args, held, secret, again=bool(serial))
        else:
            papers = {}
            _as_typed(room, token, args, held, secret, again=bool(serial))
        info = token.info()
        room.to_be_initialised_again = ""
        room.use(room.module.token(serial=info.serial), info.serial)
        return {**info.facts(), "activation": {which: told(papers.get(which), held[which]) for which in WHICH}}

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


def _as_typed(room: "TokenRoom", token: Token, args: dict[str, Any], held: dict[Which, HeldPin], secret: AskSecret, *, again: bool) -> None:
    """Each PIN is typed twice by a person, or on the token's own pad."""
    info = token.info()
    so_pin = user_pin = None
    try:
        so_pin = typed_new(room, "so", held["so"], args["so_pin_by"], info, secret)
        user_pin = typed_new(room, "user", held["user"], args["user_pin_by"], info, secret)
        token.initialise(args["label"], so_pin, user_pin, again=again)
    finally:
        wipe(so_pin)
        wipe(user_pin)


def _with_shares(
    room: "TokenRoom", token: Token, args: dict[str, Any], held: dict[Which, HeldPin], secret: AskSecret, *, again: bool
) -> dict[Which, OnPaper]:
    """The SO PIN is shared, and the user PIN is shared or typed.

    A blank token gives no random bytes. So it is initialised under PINs that everybody knows, as long as it is as empty as a blank
    one; then shares are made with its generator, and once they are on paper it gets the PINs that they give. After an interruption
    what is on paper already is typed by a quorum and taken.
    """
    papers = {which: on_paper(room, which, held[which], None) for which in WHICH}
    known_to_all = _known_to_all(token.info())
    so_in_force, pins = known_to_all, dict[Which, bytearray | None]()
    try:
        if again and papers["so"] and papers["so"].sent:
            pins["so"] = so_pin = pin_on_paper(room, "so", papers["so"], token.info(), secret)
            so_in_force = so_pin if opens(room, token, "so", so_pin) else known_to_all
        token.initialise(args["label"], so_in_force, known_to_all, again=again)
        for which in WHICH:
            if which not in pins:
                pins[which], papers[which] = _pin_of(room, token, which, held[which], args["user_pin_by"], papers, secret)
        assert papers["so"] is not None  # noqa: S101  # for the type checker: the SO PIN is shared
        keep_in_mind(room, "so", msgspec.structs.replace(papers["so"], sent=True))
        if so_in_force is known_to_all:
            token.set_pin("so", known_to_all, pins["so"], last_try_too=room.last_try_too)
        token.reset_user_pin(pins["so"], pins["user"], last_try_too=room.last_try_too)
    finally:
        for pin in pins.values():
            wipe(pin)
    return {which: found for which, found in papers.items() if found}


def _pin_of(
    room: "TokenRoom", token: Token, which: Which, held: HeldPin, by: str, papers: dict[Which, OnPaper | None], secret: AskSecret
) -> tuple[bytearray | None, OnPaper | None]:
    if held.kind != "shared-pin":
        return typed_new(room, which, held, by, token.info(), secret), None
    if found := papers[which]:
        return pin_on_paper(room, which, found, token.info(), secret), found
    return new_pin(room, token, which, held, secret, [other.set for other in papers.values() if other])


def _known_to_all(info: TokenInfo) -> bytearray:
    """A PIN that is no secret, of digits, as long as the token takes, up to 16."""
    return bytearray(b"0123456789012345"[: max(min(16, info.longest_pin), info.shortest_pin)])


def _begun(room: "TokenRoom", args: dict[str, Any]) -> TokenInfo | None:
    new = (info for info in room.module.tokens() if info.initialised and info.label == args["label"] and info.serial not in args["others"])
    return next(new, None)
