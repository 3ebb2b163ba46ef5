"""One token as the child found it: who it is, and the one session with it (child process only).

A token is known by serial and label; its slot is looked up and never told. One session owns the login, because
logging out by one session logs out all of them (PKCS#11 v2.40 base, 5.6).
"""

from contextlib import suppress
from typing import Any, Final

import pkcs11

from hsm import keys
from hsm.errors import TokenError
from hsm.facts import TokenInfo
from hsm.present import token_info
from hsm.profiles import TokenProfile, profile_of
from hsm.sidecar import Sidecar

_SESSION_IS_LOST: Final = frozenset(
    {"CKR_SESSION_CLOSED", "CKR_SESSION_HANDLE_INVALID", "CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT",
     "CKR_USER_NOT_LOGGED_IN", "CKR_OPERATION_ACTIVE", "CKR_GENERAL_ERROR", "CKR_CRYPTOKI_NOT_INITIALIZED"}
)  # fmt: skip
_OUTCOME_UNKNOWN: Final = frozenset(
    {"CKR_GENERAL_ERROR", "CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT", "CKR_SESSION_CLOSED"}
)  # fmt: skip
LOGGED_OUT: Final = "Nobody is logged in."


class TokenSession:
    """A token the parent has chosen. Methods raise TokenError, and PKCS11Error as it comes: the worker puts that in words."""

    def __init__(self, library: Any, sidecar: Sidecar, slot: int) -> None:
        self._library = library
        self._sidecar = sidecar
        self._names = (library.manufacturer_id, library.library_description)
        self._slot = slot
        self._session: pkcs11.Session | None = None
        self._mechanisms: frozenset[Any] = frozenset()
        self.logged_in = False
        self.login_expired = False
        info = self._read_info()
        self._serial, self._label = info.serial, info.label

    # who it is

    def _read_info(self) -> TokenInfo:
        return token_info(self._sidecar.token_info(self._slot), self._names)

    def info(self) -> TokenInfo:
        """What the token says now. Raises TOKEN-REMOVED when another token is in its place."""
        info = self._read_info()
        if (info.serial, info.label) != (self._serial, self._label):
            raise TokenError("TOKEN-REMOVED", f"The slot holds the token {info.serial or 'without a serial'!r}, not {self._serial!r}.")
        return info

    def _profile_of(self, info: TokenInfo) -> TokenProfile:
        return profile_of(*self._names, info.manufacturer, info.model)

    def _pkcs11_slot(self) -> pkcs11.Slot:
        for slot in self._library.get_slots(token_present=True):
            if slot.slot_id == self._slot:
                found: pkcs11.Slot = slot
                return found
        raise TokenError("TOKEN-REMOVED", "The slot of the token is no longer there.")

    # sessions

    def _opened(self) -> pkcs11.Session:
        if self._session is None:
            slot = self._pkcs11_slot()
            self._mechanisms = frozenset(slot.get_mechanisms())
            self._session = slot.get_token().open(rw=True, attribute_mapper=keys.plain_mapper())
        return self._session

    def _logged_in_session(self) -> pkcs11.Session:
        if self.login_expired:
            raise TokenError("TOKEN-LOGIN-EXPIRED", "The login ended because the token was not used for a while.")
        if not self.logged_in or self._session is None:
            raise TokenError("TOKEN-NOT-LOGGED-IN", "Nobody is logged in to the token.")
        return self._session

    def drop_session(self) -> None:
        """Logs out and closes whatever is open on the token. A token that is gone has done both already."""
        opened, self._session = self._session, None
        was_logged_in, self.logged_in = self.logged_in, False
        if opened is None:
            return
        with suppress(TokenError):
            if was_logged_in:
                self._sidecar.logout(handle_of(opened))
        with suppress(TokenError):
            self._sidecar.close_all_sessions(self._slot)

    def after_error(self, error: TokenError, *, acting: bool) -> None:
        """Drops a session that is of no more use, and says when an act may have happened in spite of the error."""
        if error.ckr in _SESSION_IS_LOST:
            self.drop_session()
            error.state = error.state or LOGGED_OUT
        error.outcome_unknown = error.outcome_unknown or (acting and error.ckr in _OUTCOME_UNKNOWN)

    def expire_login(self) -> None:
        """Ends a login that nobody has used for too long."""
        if self.logged_in:
            self.drop_session()
            self.login_expired = True


def handle_of(session: pkcs11.Session) -> int:
    """The CK_SESSION_HANDLE."""
    handle: int = session.handle  # type: ignore[attr-defined]  # the class has it, its stubs do not
    return handle
