"""The PINs of one token: made, proved, changed, by typing or on its own pad (child process only).

What can be refused is refused before it costs a try. None in place of a PIN: it is typed on the token's own pad (PKCS#11 v2.40
base, 5.4 and 5.6, CKF_PROTECTED_AUTHENTICATION_PATH).
"""

from typing import Final, Literal, NamedTuple

import pkcs11

from hsm import keys
from hsm.errors import TokenError
from hsm.facts import TRIES_IN_WORDS, TokenInfo, Tries
from hsm.present import present_tokens
from hsm.session import LOGGED_OUT, TokenSession, handle_of
from hsm.sidecar import SECURITY_OFFICER, USER

Who = Literal["user", "so"]


class _Pin(NamedTuple):
    name: str
    user_type: int


_PINS: Final[dict[Who, _Pin]] = {"user": _Pin("user PIN", USER), "so": _Pin("SO PIN", SECURITY_OFFICER)}
_HALF_INITIALISED: Final = "The token is erased, has the new label and SO PIN, and no user PIN yet: initialise it again."
_REFUSALS: Final = frozenset(
    {"TOKEN-PIN-WRONG", "TOKEN-PIN-LENGTH", "TOKEN-PIN-REFUSED", "TOKEN-PIN-LOCKED", "TOKEN-PIN-EXPIRED", "TOKEN-CANCELLED",
     "TOKEN-READ-ONLY", "TOKEN-NOT-LOGGED-IN", "MECHANISM-MISSING"}
)  # fmt: skip
"""Answers to a change of a PIN that leave it as it was; after any other it may be the new one."""


class TokenPins(TokenSession):
    """A token and what its PINs allow: the user signs; the security officer (SO) sets the user PIN."""

    def initialise(self, label: str, so_pin: bytearray | None, user_pin: bytearray | None, *, again: bool) -> TokenInfo:
        """C_InitToken, then the user PIN. Everything that can be refused is refused before the token is touched.

        `again` is for an initialisation that was interrupted: only when no object is visible without a login.
        """
        info = self.info()
        profile = self._profile_of(info)
        self._refuse(profile.no_initialisation or (profile.no_second_initialisation if info.initialised and again else ""))
        if not 1 <= len(label.encode()) <= 32:
            raise TokenError("TOKEN-LABEL", f"The label {label!r} has {len(label.encode())} bytes.")
        if info.initialised and not again:
            raise TokenError("TOKEN-NOT-BLANK", f"The token {info.serial} is initialised already; its label is {info.label!r}.")
        if info.so_pin_tries in ("final", "locked"):
            code = "TOKEN-PIN-LOCKED" if info.so_pin_tries == "locked" else "TOKEN-PIN-LAST-TRY"
            raise TokenError(code, f"The SO PIN of the token {info.serial} has no try to spare.", state="No try was used.")
        self._require_fit(so_pin, "so", info)
        self._require_fit(user_pin, "user", info)
        if info.initialised and (visible := len(list(self._opened().get_objects()))):
            raise TokenError("TOKEN-NOT-BLANK", f"The token {info.serial} holds {visible} objects: this is no interrupted initialisation.")
        self.drop_session()
        present = {(found.serial, found.label) for found in present_tokens(self._sidecar, self._names).values()}
        from_factory = self._factory_so_pin(info)
        self._sidecar.init_token(self._slot, from_factory or so_pin, label)
        try:
            self._slot = self._slot_after_initialisation(label, info, present)
            self._serial, self._label = (found := self._read_info()).serial, found.label
            session = self._opened()
            self._sidecar.login(handle_of(session), SECURITY_OFFICER, from_factory or so_pin)
            if from_factory:
                self._sidecar.set_pin(handle_of(session), from_factory, so_pin)
            self._give_user_pin(handle_of(session), user_pin)
        except (pkcs11.PKCS11Error, TokenError) as failed:
            error = failed if isinstance(failed, TokenError) else keys.as_token_error(failed, "initialising the token")
            error.state = _HALF_INITIALISED
            raise error from failed
        finally:
            self.drop_session()
        return self.info()

    def wipe(self, label: str, so_pin: bytearray | None, *, last_try_too: bool) -> TokenInfo:
        """C_InitToken on a token in use: every object and the user PIN are gone (PKCS#11 v2.40 base, 5.5). The SO PIN stays as it was."""
        info = self.info()
        profile = self._profile_of(info)
        self._refuse(profile.no_initialisation or profile.no_second_initialisation)
        if not 1 <= len(label.encode()) <= 32:
            raise TokenError("TOKEN-LABEL", f"The label {label!r} has {len(label.encode())} bytes.")
        if not info.initialised:
            raise TokenError("TOKEN-BLANK", "The token is not initialised: there is nothing to wipe.")
        self._require_tries("so", info, last_try_too=last_try_too)
        self._require_fit(so_pin, "so", info)
        self.drop_session()
        present = {(found.serial, found.label) for found in present_tokens(self._sidecar, self._names).values()}
        self._sidecar.init_token(self._slot, so_pin, label)
        self._slot = self._slot_after_initialisation(label, info, present)
        self._serial, self._label = (found := self._read_info()).serial, found.label
        return self.info()

    def _factory_so_pin(self, info: TokenInfo) -> bytearray | None:
        """The SO PIN that a token of this kind comes with, and has again after C_InitToken; no secret. None: a blank token has none."""
        known = self._profile_of(info).factory_so_pin
        return bytearray(known) if known and "SO_PIN_TO_BE_CHANGED" in info.flags else None

    def _give_user_pin(self, session: int, user_pin: bytearray | None) -> None:
        """C_InitPIN in a session of the security officer, who is logged out then. Where the user must change it first, that is done."""
        self._sidecar.init_pin(session, user_pin)
        self._sidecar.logout(session)
        if user_pin is not None and "USER_PIN_TO_BE_CHANGED" in self._read_info().flags:
            self._sidecar.login(session, USER, user_pin)
            self._sidecar.set_pin(session, user_pin, user_pin)
            self._sidecar.logout(session)

    def _slot_after_initialisation(self, label: str, before: TokenInfo, present: set[tuple[str, str]]) -> int:
        """The slot may have another number now and the token another serial: SoftHSM changes both.

        A module may tell another label than it was given: OpenSC cuts it and puts the PIN's name behind it. So a token with the serial of
        `before` in the same slot is the one.
        """
        # python-pkcs11 must look too, or SoftHSM does not build its list of slots anew
        self._library.get_slots(token_present=True)
        slots = {slot: info for slot, info in present_tokens(self._sidecar, self._names).items() if info.initialised}
        labelled = {slot: info for slot, info in slots.items() if info.label == label}
        if self._slot in labelled or self._slot in slots and before.serial and slots[self._slot].serial == before.serial:
            return self._slot
        new = [slot for slot, info in labelled.items() if (info.serial, info.label) not in present] or list(labelled)
        if len(new) != 1:
            code = "TOKEN-AMBIGUOUS" if new else "TOKEN-NOT-FOUND"
            raise TokenError(code, f"After it was initialised, {len(new)} tokens have the label {label!r}.")
        return new[0]

    @staticmethod
    def _require_fit(pin: bytearray | None, who: Who, info: TokenInfo) -> None:
        if pin is None:
            if not info.protected_path:
                raise TokenError("TOKEN-PIN-LENGTH", f"No {_PINS[who].name} was given, and the token has no pad to type it on.")
        elif not info.shortest_pin <= len(pin) <= info.longest_pin:
            what = f"The token takes a {_PINS[who].name} of {info.shortest_pin} to {info.longest_pin} bytes, and this one is not."
            raise TokenError("TOKEN-PIN-LENGTH", what, state="No try was used.")

    @staticmethod
    def _refuse(why: str) -> None:
        """Raises MECHANISM-MISSING with the reason that the profile gives, if any."""
        if why:
            raise TokenError("MECHANISM-MISSING", why, state="The token is unchanged. No try was used.", do_now="See docs/tokens.md.")

    def login(self, user_pin: bytearray | None, *, last_try_too: bool) -> None:
        """C_Login as the user. Refuses before it costs a try where the token's flags say that it must fail, or might lock."""
        self._require_user_pin()
        self._log_in("user", user_pin, last_try_too=last_try_too)
        self.logged_in = True

    def login_so(self, so_pin: bytearray | None, *, last_try_too: bool) -> None:
        """C_Login as the security officer, and out again: proves the SO PIN, and leaves nobody logged in."""
        self._log_in("so", so_pin, last_try_too=last_try_too)
        self.drop_session()

    def set_pin(self, who: Who, old: bytearray | None, new: bytearray | None, *, last_try_too: bool) -> None:
        """C_SetPIN after a login with the old PIN: the user's own, or the security officer's. Nobody stays logged in."""
        if who == "user":
            self._require_user_pin()
            self._refuse(self._profile_of(self.info()).no_pin_change)
        self._require_fit(new, who, self.info())
        session = self._log_in(who, old, last_try_too=last_try_too)
        try:
            self._sidecar.set_pin(session, old, new)
        except TokenError as error:
            self._tell_whether_changed(error, who)
            raise
        finally:
            self.drop_session()

    def reset_user_pin(self, so_pin: bytearray | None, new_user_pin: bytearray | None, *, last_try_too: bool) -> None:
        """C_InitPIN by the security officer: whatever the user PIN was, and locked or not, it is the new one. Nobody stays logged in."""
        self._require_fit(new_user_pin, "user", self.info())
        session = self._log_in("so", so_pin, last_try_too=last_try_too)
        try:
            self._give_user_pin(session, new_user_pin)
        except TokenError as error:
            self._tell_whether_changed(error, "user")
            raise
        finally:
            self.drop_session()

    def _require_user_pin(self) -> None:
        info = self.info()
        if info.initialised and not info.user_pin_set:
            raise TokenError("TOKEN-NO-PIN", f"The token {info.serial} has no user PIN yet.")

    def _log_in(self, who: Who, pin: bytearray | None, *, last_try_too: bool) -> int:
        """A new session that is logged in; its handle. Nothing is tried where the flags say that it must fail, or might lock."""
        info = self.info()
        if who == "so":
            self._refuse(self._profile_of(info).no_so_pin)
        if not info.initialised:
            raise TokenError("TOKEN-BLANK", f"The token {info.serial or 'without a serial'} is not initialised.")
        self._require_tries(who, info, last_try_too=last_try_too)
        self._require_fit(pin, who, info)
        self.drop_session()
        self.login_expired = False
        session = handle_of(self._opened())
        try:
            self._sidecar.login(session, _PINS[who].user_type, pin)
        except TokenError as error:
            self.drop_session()
            error.state = f"{LOGGED_OUT} {self._tries_left(who)}"
            raise
        return session

    @staticmethod
    def _require_tries(who: Who, info: TokenInfo, *, last_try_too: bool) -> None:
        name, tries = _PINS[who].name, _tries(info, who)
        if tries == "locked":
            raise TokenError("TOKEN-PIN-LOCKED", f"The {name} of the token {info.serial} is locked.")
        if tries == "final" and not last_try_too:
            what = f"The token {info.serial} locks its {name} at the next wrong one."
            raise TokenError("TOKEN-PIN-LAST-TRY", what, state="No try was used.")

    def _tries_left(self, who: Who) -> str:
        name = _PINS[who].name
        try:
            return f"{name[0].upper()}{name[1:]}: {TRIES_IN_WORDS[_tries(self.info(), who)]}."
        except TokenError:
            return f"The token does not say how many tries of the {name} are left."

    @staticmethod
    def _tell_whether_changed(error: TokenError, who: Who) -> None:
        """Says in the error what is known of the PIN: unchanged when the token refused, else unknown."""
        name = _PINS[who].name
        error.outcome_unknown = error.code not in _REFUSALS
        known = f"It is not known whether the {name} was changed." if error.outcome_unknown else f"The {name} is as it was."
        error.state = f"{LOGGED_OUT} {known}"

    def logout(self) -> None:
        """C_Logout; the session is closed too."""
        self.drop_session()
        self.login_expired = False


def _tries(info: TokenInfo, who: Who) -> Tries:
    return info.pin_tries if who == "user" else info.so_pin_tries
