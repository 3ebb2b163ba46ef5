"""The tokens that are there, and what each says of itself (child process only)."""

from contextlib import suppress
from typing import Final

from hsm.errors import TokenError
from hsm.facts import TokenInfo, Tries
from hsm.profiles import profile_of
from hsm.sidecar import RawTokenInfo, Sidecar

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
        pin_alphabet=profile.pin_alphabet,
        locks_after=profile.locks_after,
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
