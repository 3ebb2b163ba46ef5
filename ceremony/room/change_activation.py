"""change-activation: a PIN of the token in use becomes a new one, and nobody is left without a PIN that opens it."""

from typing import TYPE_CHECKING, Any

import msgspec

from ceremony.activation.arrangement import HeldPin, Which
from ceremony.engine.step import AskSecret
from ceremony.room.pins import given, on_pad, opens
from ceremony.room.room_secrets import wipe
from ceremony.room.shares import OnPaper, keep_in_mind, new_pin, on_paper, pin_on_paper
from ceremony.room.verb import Verb
from hsm.client import Token
from hsm.errors import TokenError

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ChangeActivation(Verb):
    """Puts the new shares on paper first, then has the old holders open the token, then gives it the new PIN.

    An interruption after the paper loses nothing: when it is done again, the shares on paper are taken; if the token was asked to
    take them already, they are tried first, and if they open it, they are in force.
    """

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Returns the number of the new set (None where nothing is split), and whether it was found to be in force already.

        Raises CeremonyError SHARE-…, TOKEN-NO-PAD, TokenError TOKEN-PIN-…
        """
        which: Which = args["which"]
        token, info = room.token, room.token_info()
        held = msgspec.convert({name: args[name] for name in ("kind", "threshold", "holders")}, HeldPin)
        opened_by: Which = "so" if args["by"] == "so" else which
        old_held = HeldPin(kind=args["opened_by"]["kind"])
        in_force = args["in_force"]
        new = old = None
        paper: OnPaper | None = None
        try:
            if held.kind == "shared-pin":
                paper = on_paper(room, which, held, in_force[which])
                if paper is None:
                    new, paper = new_pin(room, token, which, held, secret, [number for number in in_force.values() if number is not None])
                else:
                    new = pin_on_paper(room, which, paper, info, secret)
                    if paper.sent and opens(room, token, which, new):
                        return {"set": paper.set, "found": True}
            else:
                on_pad(held, info)
            shown = (f"Now the {'SO PIN' if opened_by == 'so' else 'user PIN'} as it is held until now opens the token.",)
            old = given(room, opened_by, old_held, args["typed_by"], args["holders_before"], in_force[opened_by], info, secret, shown)
            _change(room, token, args, paper, old, new)
        finally:
            wipe(old)
            wipe(new)
        return {"set": paper.set if paper else None, "found": False}


def _change(
    room: "TokenRoom", token: Token, args: dict[str, Any], paper: OnPaper | None, old: bytearray | None, new: bytearray | None
) -> None:
    """The change itself. It is written down that the token may have done it, and taken back only when it surely did not."""
    which: Which = args["which"]
    if paper:
        keep_in_mind(room, which, msgspec.structs.replace(paper, sent=True))
    try:
        if args["by"] == "so":
            token.reset_user_pin(old, new, last_try_too=room.last_try_too)
        else:
            token.set_pin(which, old, new, last_try_too=room.last_try_too)
    except TokenError as refused:
        if paper and not refused.outcome_unknown:
            keep_in_mind(room, which, msgspec.structs.replace(paper, sent=False))
        raise
