"""What module and token say of themselves, as both sides of the pipe know it.

Everything here is as asserted by the module: nothing of it is proof.
"""

from typing import Any, Literal

import msgspec

Tries = Literal["ok", "low", "final", "locked"]
Alphabet = Literal["printable", "alphanumeric", "digits"]
Verdict = Literal["as-wanted", "differs", "unknown-by-profile"]
Value = bool | int | str | None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Common to all: `facts()` gives strings, integers, booleans, lists and tables, as a transcript takes them."""

    def facts(self) -> dict[str, Any]:
        """All fields; tuples as lists, bytes as lower-case hex."""
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, Facts):
        return value.facts()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


class ModuleInfo(Facts, frozen=True, kw_only=True):
    """C_GetInfo and the file behind it. `sha256` is hex of the file; versions are "major.minor".

    `software` says that the module is known to keep keys in plain software; False means not known to.
    `profile` names the token profile that its name leads to.
    """

    path: str
    sha256: str
    manufacturer: str
    description: str
    library_version: str
    cryptoki_version: str
    software: bool
    profile: str


class TokenInfo(Facts, frozen=True, kw_only=True):
    """CK_TOKEN_INFO (PKCS#11 v2.40 base, 3.2). `flags` are the CKF_ names without the prefix, sorted.

    PIN lengths are in bytes. `protected_path`: the PIN is typed on the token, not here. `pin_alphabet` and `locks_after` (wrong
    tries in a row; None: never, or not known) are the profile's, not the token's word.
    """

    label: str
    serial: str
    manufacturer: str
    model: str
    hardware_version: str
    firmware_version: str
    flags: tuple[str, ...]
    initialised: bool
    user_pin_set: bool
    pin_tries: Tries
    so_pin_tries: Tries
    shortest_pin: int
    longest_pin: int
    pin_alphabet: Alphabet
    locks_after: int | None
    protected_path: bool
    software: bool
    profile: str


class TokenAbilities(Facts, frozen=True, kw_only=True):
    """What a token can do by its own word and its profile: "" where it can, else why not, in words.

    `keys` has each kind that we make ("ec:secp384r1", …), made and then used to sign; `initialisation`: by C_InitToken, and so by us;
    `second_initialisation`: once more, when the first was interrupted;
    `so_pin`: a security officer, who sets the user PIN; `pin_change`: the user PIN by the old one.
    """

    keys: dict[str, str]
    initialisation: str
    second_initialisation: str
    so_pin: str
    pin_change: str
    random: str
    profile: str


class ObjectInfo(Facts, frozen=True, kw_only=True):
    """An object on the token: class and key type by their PKCS#11 names, `key_id` in hex."""

    object_class: str
    label: str
    key_id: str
    key_type: str | None


class AttributeReading(Facts, frozen=True, kw_only=True):
    """One attribute as read back. `unknown-by-profile`: this token cannot say it truly, as its profile knows."""

    value: Value
    wanted: Value
    verdict: Verdict


class GeneratedKey(Facts, frozen=True, kw_only=True):
    """A key pair that this call made. `public_key_der` is a SubjectPublicKeyInfo (RFC 5280, 4.1); `mechanism` its CKM_ name."""

    label: str
    key_id: bytes
    public_key_der: bytes
    attributes: dict[str, AttributeReading]
    mechanism: str
    profile: str


class FoundKey(Facts, frozen=True, kw_only=True):
    """What is on the token under one CKA_ID. A half of a pair is what a crash in key generation leaves behind."""

    label: str
    has_private: bool
    has_public: bool
    public_key_der: bytes | None


class SignatureMade(Facts, frozen=True, kw_only=True):
    """A signature, not verified: DER ECDSA-Sig-Value (RFC 3279, 2.2.3) or the RSA block. `mechanism` is the CKM_ name used."""

    signature: bytes
    mechanism: str


TRIES_IN_WORDS: dict[Tries, str] = {
    "ok": "no wrong PIN since the last good one, as far as the token says",
    "low": "at least one wrong PIN since the last good one",
    "final": "ONE try left: a wrong PIN now locks the token",
    "locked": "locked: no PIN is accepted any more",
}
"""CKF_USER_PIN_ and CKF_SO_PIN_ flags in words (PKCS#11 v2.40 base, 3.2). Not every token sets them: SoftHSM never locks."""
