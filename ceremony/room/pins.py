"""The PINs of a token as people give them: typed, on the token's own pad, or in shares."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceremony.activation.arrangement import PIN_NAMES, HeldPin, Which
from ceremony.engine.step import AskSecret, Secret
from ceremony.errors import CeremonyError
from ceremony.room.shares import pin_from_shares
from hsm.client import Token
from hsm.errors import TokenError
from hsm.facts import TokenInfo

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom

REHEARSAL_PINS: dict[Which, str] = {"so": "rehearsal-so-pin", "user": "rehearsal-user-pin"}
"""What a rehearsal offers to type, so that no real activation data is ever used in one; the end of it, where a token takes no more."""


def typed(
    room: "TokenRoom", which: Which, by: str, info: TokenInfo, secret: AskSecret, *, twice: bool = False, shown: Sequence[str] = ()
) -> bytearray:
    """A PIN that a person types, within the token's limits."""
    suggestion = REHEARSAL_PINS[which][-info.longest_pin :] if room.rehearsal else None
    shortest = max(info.shortest_pin, 1)
    what = PIN_NAMES[which]
    return secret(
        Secret(what=what, by=by, twice=twice, shortest=shortest, longest=info.longest_pin, shown=tuple(shown), suggestion=suggestion)
    )


def typed_new(room: "TokenRoom", which: Which, held: HeldPin, by: str, info: TokenInfo, secret: AskSecret) -> bytearray | None:
    """A new PIN, typed twice; None where it is typed on the token's own pad. Raises CeremonyError TOKEN-NO-PAD."""
    return None if on_pad(held, info) else typed(room, which, by, info, secret, twice=True)


def given(
    room: "TokenRoom", which: Which, held: HeldPin, by: str, givers: Sequence[str], number: int | None, info: TokenInfo, secret: AskSecret,
    shown: Sequence[str] = (),
) -> bytearray | None:  # fmt: skip
    """The PIN that is in force: of its holders' shares (`number`: their set), typed by one person, or None: on the token's own pad.

    Raises CeremonyError SHARE-…, TOKEN-NO-PAD.
    """
    if held.kind == "shared-pin":
        return pin_from_shares(room, which, givers, number, info, secret, shown)
    return None if on_pad(held, info) else typed(room, which, by, info, secret, shown=shown)


def on_pad(held: HeldPin, info: TokenInfo) -> bool:
    """Whether a PIN is typed on the token. Raises CeremonyError TOKEN-NO-PAD when the script says so, and the token has no pad."""
    if held.kind == "pin-pad" and not info.protected_path:
        raise CeremonyError("TOKEN-NO-PAD", f"The token {info.serial} has no pad to type a PIN on.", state="Nothing was done on it.")
    return info.protected_path


def opens(room: "TokenRoom", token: Token, which: Which, pin: bytearray) -> bool:
    """Whether this is the PIN in force, by a login that ends at once; costs a try when it is not. Raises TokenError."""
    try:
        if which == "so":
            token.login_so(pin, last_try_too=room.last_try_too)
        else:
            token.login(pin, last_try_too=room.last_try_too)
            token.logout()
    except TokenError as refused:
        if refused.code == "TOKEN-PIN-WRONG":
            return False
        raise
    return True
