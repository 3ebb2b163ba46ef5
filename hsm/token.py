"""One token as the child holds it, with its keys: made, found, read, used, destroyed (child process only)."""

from typing import Any, NamedTuple

import pkcs11

from hsm import keys
from hsm.abilities import abilities
from hsm.errors import TokenError
from hsm.facts import AttributeReading, FoundKey, GeneratedKey, ObjectInfo, SignatureMade, TokenAbilities
from hsm.pins import TokenPins
from hsm.session import LOGGED_OUT
from hsm.sidecar import Sidecar


class _SigningKey(NamedTuple):
    key: keys.Key
    form: keys.SignatureForm


class HeldToken(TokenPins):
    """A token the parent has chosen, and the keys on it."""

    def __init__(self, library: Any, sidecar: Sidecar, slot: int) -> None:
        super().__init__(library, sidecar, slot)
        self._signing_keys: dict[bytes, _SigningKey] = {}

    def drop_session(self) -> None:
        """Also forgets the keys that were found by it."""
        self._signing_keys.clear()
        super().drop_session()

    def abilities(self) -> TokenAbilities:
        """What it can do by its own word; needs no login."""
        return abilities(self._pkcs11_slot(), self.info(), self._profile_of(self.info()))

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
        profile = self._profile_of(self.info())
        for what, attribute, value in (("label", pkcs11.Attribute.LABEL, label), ("id", pkcs11.Attribute.ID, key_id)):
            if list(session.get_objects({attribute: value})):
                shown = value if isinstance(value, str) else value.hex()
                raise TokenError("KEY-EXISTS", f"An object with the {what} {shown} is on the token already.", state="No key was made.")
        if key in profile.no_keys:
            raise TokenError("MECHANISM-MISSING", profile.no_keys[key], state="No key was made.")
        keys.require_mechanism(self._pkcs11_slot(), kind, key)
        public, private = keys.make_pair(session, kind, label, key_id)
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
        return keys.readings(self._private(key_id), self._half(key_id, pkcs11.ObjectClass.PUBLIC_KEY), self._profile_of(self.info()))

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
