"""How user PIN and SO PIN are held, as record and ledger tell of it."""

import msgspec

from ceremony.activation.arrangement import HeldPin, Kind, Which


class Holder(msgspec.Struct, frozen=True):
    """A participant's id, and who that was when the share was given."""

    id: str
    name: str


class PinHeldBy(msgspec.Struct, frozen=True):
    """How a PIN is held: any `threshold` of the `holders` for a shared one; `set` is the number of the set of its shares."""

    kind: Kind
    threshold: int | None = None
    holders: tuple[Holder, ...] = ()
    set: int | None = None

    @property
    def as_said(self) -> HeldPin:
        """The same as a script says it."""
        return HeldPin(kind=self.kind, threshold=self.threshold, holders=tuple(holder.id for holder in self.holders))


class BothPins(msgspec.Struct, frozen=True):
    """Both PINs, as they are held from some moment on."""

    user: PinHeldBy
    so: PinHeldBy

    def of(self, which: Which) -> PinHeldBy:
        """One of them."""
        return self.user if which == "user" else self.so


class PinMade(HeldPin, frozen=True, forbid_unknown_fields=False, kw_only=True):
    """A PIN in the result of initialise-token."""

    set: int | None = None

    @property
    def as_said(self) -> HeldPin:
        """The same as a script says it."""
        return HeldPin(kind=self.kind, threshold=self.threshold, holders=self.holders)


class BothMade(msgspec.Struct, frozen=True):
    """Both PINs in the result of initialise-token."""

    user: PinMade
    so: PinMade


class LoginArguments(msgspec.Struct, frozen=True):
    """The arguments of a login: the ids of those who gave a share, nobody where the user PIN is not shared."""

    holders: tuple[str, ...] = ()


class ProveArguments(msgspec.Struct, frozen=True):
    """The arguments of `prove-activation`: whose shares, of which PIN, of which set."""

    which: Which
    holders: tuple[str, ...]
    set: int | None = None


class ChangeArguments(HeldPin, frozen=True, forbid_unknown_fields=False, kw_only=True):
    """The arguments of `change-activation`: how the PIN is held from now on, and who opened the token for it."""

    which: Which
    by: str
    holders_before: tuple[str, ...]


class Changed(msgspec.Struct, frozen=True):
    """The value of `change-activation`: the number of the new set."""

    set: int | None
