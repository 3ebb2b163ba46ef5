"""One token as the child holds it: found, initialised, logged in to, used (child process only).

A token is known by serial and label; its slot is looked up and never told. One session owns the login, because
logging out by one session logs out all of them (PKCS#11 v2.40 base, 5.6).
"""

from contextlib import suppress
from typing import Any, Final, NamedTuple

import pkcs11

from hsm import keys
from hsm.errors import TokenError
from hsm.facts import TRIES_IN_WORDS, AttributeReading, FoundKey, GeneratedKey, ObjectInfo, SignatureMade, TokenInfo, Tries
from hsm.profiles import TokenProfile, profile_of
from hsm.sidecar import SECURITY_OFFICER, USER, RawTokenInfo, Sidecar

_FLAGS: Final = {
    0x00000001: "RNG",
    0x00000002: "WRITE_PROTECTED",
    0x00000004: "LOGIN_REQUIRED",
    0x00000008: "USER_PIN_INITIALIZED",
    0x00000020: "RESTORE_KEY_NOT_NEEDED",
    0x00000040: "CLOCK_ON_TOKEN",
    0x00000100: "PROTECTED_AUTHENTICATION_PATH",
    0x00000200: "DUAL_CRYPTO_OPERATIONS",
    0x00000400: "TOKEN_INITIALIZED",
    0x00000800: "SECONDARY_AUTHENTICATION",
    0x00010000: "USER_PIN_COUNT_LOW",
    0x00020000: "USER_PIN_FINAL_TRY",
    0x00040000: "USER_PIN_LOCKED",
    0x00080000: "USER_PIN_TO_BE_CHANGED",
    0x00100000: "SO_PIN_COUNT_LOW",
    0x00200000: "SO_PIN_FINAL_TRY",
    0x00400000: "SO_PIN_LOCKED",
    0x00800000: "SO_PIN_TO_BE_CHANGED",
    0x01000000: "ERROR_STATE",
}

_SESSION_IS_LOST: Final = frozenset(
    {"CKR_SESSION_CLOSED", "CKR_SESSION_HANDLE_INVALID", "CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT",
     "CKR_USER_NOT_LOGGED_IN", "CKR_OPERATION_ACTIVE", "CKR_GENERAL_ERROR", "CKR_CRYPTOKI_NOT_INITIALIZED"}
)  # fmt: skip
_OUTCOME_UNKNOWN: Final = frozenset(
    {"CKR_GENERAL_ERROR", "CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT", "CKR_SESSION_CLOSED"}
)  # fmt: skip
_HALF_INITIALISED: Final = "The token is erased, has the new label and SO PIN, and no user PIN yet: initialise it again."
LOGGED_OUT: Final = "Nobody is logged in."


class _SigningKey(NamedTuple):
    key: keys.Key
    form: keys.SignatureForm


def token_info(raw: RawTokenInfo, module_names: tuple[str, str]) -> TokenInfo:
    """CK_TOKEN_INFO in our words."""
    profile = profile_of(*module_names, raw.manufacturer, raw.model)
    flags = tuple(sorted(name for bit, name in _FLAGS.items() if raw.flags & bit))
    return TokenInfo(
        label=raw.label,
        serial=raw.serial,
        manufacturer=raw.manufacturer,
        model=raw.model,
        hardware_version=raw.hardware_version,
        firmware_version=raw.firmware_version,
        flags=flags,
        initialised="TOKEN_INITIALIZED" in flags,
        user_pin_set="USER_PIN_INITIALIZED" in flags,
        pin_tries=_tries(flags, "USER"),
        so_pin_tries=_tries(flags, "SO"),
        shortest_pin=raw.shortest_pin,
        longest_pin=raw.longest_pin,
        protected_path="PROTECTED_AUTHENTICATION_PATH" in flags,
        software=profile.software,
        profile=profile.name,
    )


def _tries(flags: tuple[str, ...], whose: str) -> Tries:
    if "TOKEN_INITIALIZED" not in flags:
        # A blank token has no PINs; SoftHSM says SO_PIN_LOCKED all the same.
        return "ok"
    if f"{whose}_PIN_LOCKED" in flags:
        return "locked"
    if f"{whose}_PIN_FINAL_TRY" in flags:
        return "final"
    return "low" if f"{whose}_PIN_COUNT_LOW" in flags else "ok"


def present_tokens(sidecar: Sidecar, module_names: tuple[str, str]) -> dict[int, TokenInfo]:
    """Every token that answers, by its slot; a slot that errs hides only itself."""
    present = {}
    for slot in sidecar.slots_with_token():
        with suppress(TokenError):
            present[slot] = token_info(sidecar.token_info(slot), module_names)
    return present


class HeldToken:
    """A token the parent has chosen. Methods raise TokenError, and PKCS11Error as it comes: the worker puts that in words."""

    def __init__(self, library: Any, sidecar: Sidecar, slot: int) -> None:
        self._library = library
        self._sidecar = sidecar
        self._names = (library.manufacturer_id, library.library_description)
        self._slot = slot
        self._session: pkcs11.Session | None = None
        self._signing_keys: dict[bytes, _SigningKey] = {}
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

    def _profile(self) -> TokenProfile:
        info = self.info()
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
        self._signing_keys.clear()
        if opened is None:
            return
        with suppress(TokenError):
            if was_logged_in:
                self._sidecar.logout(_handle(opened))
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

    # what is done with it

    def initialise(self, label: str, so_pin: bytearray, user_pin: bytearray, *, again: bool) -> TokenInfo:
        """C_InitToken, then the user PIN. Everything that can be refused is refused before the token is touched.

        `again` is for an initialisation that was interrupted: only when no object is visible without a login.
        """
        info = self.info()
        if not 1 <= len(label.encode()) <= 32:
            raise TokenError("TOKEN-LABEL", f"The label {label!r} has {len(label.encode())} bytes.")
        if info.initialised and not again:
            raise TokenError("TOKEN-NOT-BLANK", f"The token {info.serial} is initialised already; its label is {info.label!r}.")
        if info.so_pin_tries in ("final", "locked"):
            code = "TOKEN-PIN-LOCKED" if info.so_pin_tries == "locked" else "TOKEN-PIN-LAST-TRY"
            raise TokenError(code, f"The SO PIN of the token {info.serial} has no try to spare.", state="No try was used.")
        self._require_length(so_pin, "SO PIN", info)
        self._require_length(user_pin, "user PIN", info)
        if info.initialised and (visible := len(list(self._opened().get_objects()))):
            raise TokenError("TOKEN-NOT-BLANK", f"The token {info.serial} holds {visible} objects: this is no interrupted initialisation.")
        self.drop_session()
        before = {(found.serial, found.label) for found in present_tokens(self._sidecar, self._names).values()}
        self._sidecar.init_token(self._slot, so_pin, label)
        try:
            self._slot = self._slot_after_initialisation(label, before)
            self._serial, self._label = (found := self._read_info()).serial, found.label
            session = self._opened()
            self._sidecar.login(_handle(session), SECURITY_OFFICER, so_pin)
            self._sidecar.init_pin(_handle(session), user_pin)
            self._sidecar.logout(_handle(session))
        except (pkcs11.PKCS11Error, TokenError) as failed:
            error = failed if isinstance(failed, TokenError) else keys.as_token_error(failed, "initialising the token")
            error.state = _HALF_INITIALISED
            raise error from failed
        finally:
            self.drop_session()
        return self.info()

    def _slot_after_initialisation(self, label: str, before: set[tuple[str, str]]) -> int:
        """The slot may have another number now and the token another serial: SoftHSM changes both."""
        # python-pkcs11 must look too, or SoftHSM does not build its list of slots anew
        self._library.get_slots(token_present=True)
        slots = present_tokens(self._sidecar, self._names)
        labelled = {slot: info for slot, info in slots.items() if info.initialised and info.label == label}
        if self._slot in labelled:
            return self._slot
        new = [slot for slot, info in labelled.items() if (info.serial, info.label) not in before] or list(labelled)
        if len(new) != 1:
            code = "TOKEN-AMBIGUOUS" if new else "TOKEN-NOT-FOUND"
            raise TokenError(code, f"After it was initialised, {len(new)} tokens have the label {label!r}.")
        return new[0]

    @staticmethod
    def _require_length(pin: bytearray, name: str, info: TokenInfo) -> None:
        if not info.shortest_pin <= len(pin) <= info.longest_pin:
            what = f"The token takes a {name} of {info.shortest_pin} to {info.longest_pin} bytes, and this one is not."
            raise TokenError("TOKEN-PIN-LENGTH", what, state="No try was used.")

    def login(self, user_pin: bytearray | None, *, last_try_too: bool) -> None:
        """C_Login as the user. Refuses before it costs a try where the token's flags say that it must fail, or might lock."""
        info = self.info()
        if not info.initialised:
            raise TokenError("TOKEN-BLANK", f"The token {info.serial or 'without a serial'} is not initialised.")
        if not info.user_pin_set:
            raise TokenError("TOKEN-NO-PIN", f"The token {info.serial} has no user PIN yet.")
        if info.pin_tries == "locked":
            raise TokenError("TOKEN-PIN-LOCKED", f"The user PIN of the token {info.serial} is locked.")
        if info.pin_tries == "final" and not last_try_too:
            what = f"The token {info.serial} locks its user PIN at the next wrong one."
            raise TokenError("TOKEN-PIN-LAST-TRY", what, state="No try was used.")
        if user_pin is None:
            if not info.protected_path:
                raise TokenError("TOKEN-PIN-LENGTH", "No PIN was given, and the token has no pad to type it on.")
        else:
            self._require_length(user_pin, "PIN", info)
        self.drop_session()
        self.login_expired = False
        session = self._opened()
        try:
            self._sidecar.login(_handle(session), USER, user_pin)
        except TokenError as error:
            self.drop_session()
            error.state = f"{LOGGED_OUT} {self._tries_left()}"
            raise
        self.logged_in = True

    def _tries_left(self) -> str:
        try:
            return f"User PIN: {TRIES_IN_WORDS[self.info().pin_tries]}."
        except TokenError:
            return "The token does not say how many tries of the PIN are left."

    def logout(self) -> None:
        """C_Logout; the session is closed too."""
        self.drop_session()
        self.login_expired = False

    def random(self, length: int) -> bytes:
        """C_GenerateRandom; needs no login."""
        made: bytes = self._opened().generate_random(length * 8)
        return made

    def inventory(self) -> list[ObjectInfo]:
        """Every object, private ones too."""
        return [_object_info(found) for found in self._logged_in_session().get_objects()]

    def generate_key(self, key: str, label: str, key_id: bytes) -> GeneratedKey:
        """Makes a pair, reads every attribute back, and destroys the pair again when one is not as wanted."""
        kind = keys.kind_of(key)
        session = self._logged_in_session()
        profile = self._profile()
        for what, attribute, value in (("label", pkcs11.Attribute.LABEL, label), ("id", pkcs11.Attribute.ID, key_id)):
            if list(session.get_objects({attribute: value})):
                shown = value if isinstance(value, str) else value.hex()
                raise TokenError("KEY-EXISTS", f"An object with the {what} {shown} is on the token already.", state="No key was made.")
        keys.require_mechanism(self._pkcs11_slot(), kind, key)
        public, private = keys.make_pair(session, kind, label, key_id, profile)
        try:
            read = keys.readings(private, public, profile)
            problems = [*keys.differing(read), *keys.problems_with_public_key(public, kind)]
            if problems:
                raise TokenError("KEY-ATTRIBUTE", f"The key was not made as asked for: {'; '.join(problems)}.")
            public_key_der = keys.public_key_der(public)
        except (pkcs11.PKCS11Error, TokenError) as failed:
            error = failed if isinstance(failed, TokenError) else keys.as_token_error(failed, "reading the key back")
            error.state = _destroyed_again(private, public)
            raise error from failed
        return GeneratedKey(
            label=label,
            key_id=key_id,
            public_key_der=public_key_der,
            attributes=read,
            mechanism=f"CKM_{kind.making.name}",
            profile=profile.name,
        )

    def _half(self, key_id: bytes, object_class: pkcs11.ObjectClass) -> keys.Key | None:
        wanted = {pkcs11.Attribute.CLASS: object_class, pkcs11.Attribute.ID: key_id}
        found = list(self._logged_in_session().get_objects(wanted))
        if len(found) > 1:
            raise TokenError("TOKEN-AMBIGUOUS", f"The token holds {len(found)} keys of one kind with the id {key_id.hex()}.")
        return found[0] if found else None

    def find_key(self, key_id: bytes) -> FoundKey | None:
        """What stands under this id: a pair, half of one, or nothing."""
        private = self._half(key_id, pkcs11.ObjectClass.PRIVATE_KEY)
        public = self._half(key_id, pkcs11.ObjectClass.PUBLIC_KEY)
        if private is None and public is None:
            return None
        return FoundKey(
            label=keys.read_attribute(private if private is not None else public, "LABEL") or "",
            has_private=private is not None,
            has_public=public is not None,
            public_key_der=keys.public_key_der(public) if public is not None else None,
        )

    def _private(self, key_id: bytes) -> keys.Key:
        private = self._half(key_id, pkcs11.ObjectClass.PRIVATE_KEY)
        if private is None:
            raise TokenError("KEY-NOT-FOUND", f"The token {self._serial} holds no private key with the id {key_id.hex()}.")
        return private

    def attributes(self, key_id: bytes) -> dict[str, AttributeReading]:
        """The attributes of a pair as they are now."""
        return keys.readings(self._private(key_id), self._half(key_id, pkcs11.ObjectClass.PUBLIC_KEY), self._profile())

    def sign(self, key_id: bytes, algorithm: str, message: bytes) -> SignatureMade:
        """Signs. After a failed call the session is dropped: some modules never leave the half-done operation."""
        self._logged_in_session()
        if key_id not in self._signing_keys:
            private = self._private(key_id)
            self._signing_keys[key_id] = _SigningKey(private, keys.signature_form(private))
        held = self._signing_keys[key_id]
        try:
            made, mechanism = keys.signature(held.key, held.form, self._mechanisms, algorithm, message)
        except (pkcs11.PKCS11Error, TokenError) as failed:
            self.drop_session()
            error = failed if isinstance(failed, TokenError) else keys.as_token_error(failed, "signing")
            error.state = LOGGED_OUT
            raise error from failed
        return SignatureMade(signature=made, mechanism=mechanism)

    def destroy(self, key_id: bytes) -> None:
        """Destroys both halves of the key, or the half that is there."""
        halves = [self._half(key_id, kind) for kind in (pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.ObjectClass.PUBLIC_KEY)]
        if halves == [None, None]:
            raise TokenError("KEY-NOT-FOUND", f"The token {self._serial} holds no key with the id {key_id.hex()}.")
        self._signing_keys.pop(key_id, None)
        for half in halves:
            if half is not None:
                half.destroy()


def _handle(session: pkcs11.Session) -> int:
    handle: int = session.handle  # type: ignore[attr-defined]  # the class has it, its stubs do not
    return handle


def _destroyed_again(private: keys.Key, public: keys.Key) -> str:
    try:
        private.destroy()
        public.destroy()
    except pkcs11.PKCS11Error as error:
        return f"The key is still on the token: it could not be destroyed ({keys.as_token_error(error, 'destroying it').what})"
    return "The key was destroyed again."


def _object_info(found: keys.Key) -> ObjectInfo:
    key_type = keys.read_attribute(found, "KEY_TYPE")
    return ObjectInfo(
        object_class=found.object_class.name,
        label=keys.read_attribute(found, "LABEL") or "",
        key_id=(keys.read_attribute(found, "ID") or b"").hex(),
        key_type=key_type.name if key_type is not None else None,
    )
