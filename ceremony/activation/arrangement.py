"""Who holds user PIN and SO PIN, as a script says it, and how few people reach the key by them. No token and no share is here.

With the SO PIN alone one can set a new user PIN and then sign (PKCS#11 v2.40 base, 5.5, C_InitPIN): both PINs are keys to the key.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

Which = Literal["user", "so"]
"""Of which PIN: the user's, by which the token is used, or the security officer's."""

Kind = Literal["pin", "shared-pin", "pin-pad"]

WHICH: tuple[Which, ...] = ("so", "user")
PIN_NAMES: dict[Which, str] = {"user": "user PIN", "so": "SO PIN"}
MOST_HOLDERS = 16
"""SLIP-39 gives at most 16 shares of one secret."""


class HeldPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one PIN is held: `pin`: one person knows it; `pin-pad`: typed on the token; `shared-pin`: any `threshold` of the `holders`."""

    kind: Kind
    threshold: int | None = None
    holders: tuple[str, ...] = ()

    @property
    def smallest_group(self) -> int:
        """How many people it takes at least."""
        return self.threshold or 1 if self.kind == "shared-pin" else 1

    def line(self) -> str:
        """In words, the holders by their ids."""
        if self.kind == "shared-pin":
            return f"any {self.threshold} of {len(self.holders)}: {', '.join(self.holders)}"
        return "one person who knows it" if self.kind == "pin" else "one person who types it on the token's own pad"


class HeldSoPin(HeldPin, frozen=True, kw_only=True):
    """`[activation.so]`. `smaller` is the reason why fewer people may suffice for it than for the user PIN; else that is refused."""

    smaller: str = ""


class Before(HeldPin, frozen=True, kw_only=True):
    """`[activation.before]`: how the user PIN is held when the ceremony begins, and `so` the SO PIN where that changes too."""

    so: HeldPin | None = None


class Activation(HeldPin, frozen=True, kw_only=True):
    """`[activation]`: how the user PIN is held, and `so` the SO PIN (unless said, as a PIN or pad like the user's).

    `before` is the arrangement that a `change-activation` starts from.
    """

    so: HeldSoPin | None = None
    before: Before | None = None

    def held(self, which: Which, *, before: bool = False) -> HeldPin:
        """How this PIN is held, `before`: when the ceremony begins."""
        if before and self.before is not None:
            if which == "user":
                return _plain(self.before)
            if self.before.so is not None:
                return self.before.so
        if which == "user":
            return _plain(self)
        return _plain(self.so) if self.so is not None else HeldPin(kind="pin-pad" if self.kind == "pin-pad" else "pin")

    @property
    def changes(self) -> frozenset[Which]:
        """The PINs that are held otherwise when the ceremony begins."""
        return frozenset(which for which in WHICH if self.held(which) != self.held(which, before=True))

    def lines(self, *, before: bool = False) -> list[str]:
        """How both PINs are held, and the smallest group that reaches the key by any of them."""
        user, so = self.held("user", before=before), self.held("so", before=before)
        least = min(user.smallest_group, so.smallest_group)
        by = "either PIN" if user.smallest_group == so.smallest_group else "the SO PIN" if least == so.smallest_group else "the user PIN"
        people = f"{least} people" if least > 1 else "1 person"
        lines = [f"User PIN: {user.line()}.", f"SO PIN: {so.line()}."]
        lines.append(f"Smallest group that reaches the key by any PIN: {people}, by {by}.")
        if not before and self.so and self.so.smaller:
            lines.append(f"Fewer people suffice for the SO PIN than for the user PIN, because: {self.so.smaller}")
        return lines


def _plain(held: HeldPin) -> HeldPin:
    return HeldPin(kind=held.kind, threshold=held.threshold, holders=held.holders)


def covering(holders: Sequence[str], threshold: int) -> list[tuple[str, ...]]:
    """The fewest groups of exactly `threshold` holders in which everybody is: each in turn, the last filled up from the end."""
    groups = [tuple(holders[start : start + threshold]) for start in range(0, len(holders), threshold)]
    groups[-1] = tuple(holders[-threshold:])
    return groups


def problems_with(activation: Activation, roles: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What can't hold of an arrangement, each with its key path. `roles` are those of the participants, by id."""
    places: list[tuple[str, HeldPin]] = [("activation", activation)]
    if activation.so:
        places.append(("activation.so", activation.so))
    if activation.before:
        places.append(("activation.before", activation.before))
        if activation.before.so:
            places.append(("activation.before.so", activation.before.so))
    for where, held in places:
        yield from _problems_with_holders(where, held, roles)
    for before in (False, True) if activation.before else (False,):
        yield from _problems_with_pair(activation, before=before)


def _problems_with_holders(where: str, held: HeldPin, roles: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if held.kind != "shared-pin":
        if held.threshold is not None or held.holders:
            yield where, f'threshold and holders belong to kind = "shared-pin", and this is {held.kind!r}'
        return
    if not 2 <= len(held.holders) <= MOST_HOLDERS:
        yield f"{where}.holders", f"2 to {MOST_HOLDERS} people hold shares; here are {len(held.holders)}"
    elif held.threshold is None or not 2 <= held.threshold <= len(held.holders):
        yield f"{where}.threshold", f"2 to {len(held.holders)} of the holders must come together; here it is {held.threshold}"
    for id in sorted({id for id in held.holders if held.holders.count(id) > 1}):
        yield f"{where}.holders", f"{id!r} stands twice: nobody holds two shares"
    for id in dict.fromkeys(held.holders):
        if id not in roles:
            yield f"{where}.holders", f"{id!r} is no participant"
        elif roles[id] in ("auditor", "observer"):
            yield f"{where}.holders", f"{id!r} is an {roles[id]}, who holds no share"


def _problems_with_pair(activation: Activation, *, before: bool) -> Iterator[tuple[str, str]]:
    """The two PINs together: neither may be an easier way to the key than the script says."""
    user, so = activation.held("user", before=before), activation.held("so", before=before)
    where = "activation.before.so" if before else "activation.so"
    if (user.kind == "pin-pad") != (so.kind == "pin-pad"):
        yield where, "a token with a pad takes both PINs on it: user PIN and SO PIN are of kind pin-pad together, or neither is"
    elif user.kind == "shared-pin" and so.kind == "pin":
        yield where, "the SO PIN alone sets a new user PIN and so reaches the key: beside a shared user PIN it must be shared too"
    elif not before and so.smallest_group < user.smallest_group and not (activation.so and activation.so.smaller.strip()):
        yield (
            where,
            (
                f"{so.smallest_group} people reach the key by the SO PIN, and the user PIN takes {user.smallest_group}: "
                "raise the threshold, or say in `smaller` why fewer may suffice"
            ),
        )
    if not before and activation.so and activation.so.smaller and so.smallest_group >= user.smallest_group:
        yield f"{where}.smaller", "the SO PIN takes no fewer people than the user PIN: there is nothing to give a reason for"
