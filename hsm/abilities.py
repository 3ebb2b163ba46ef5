"""What a token can do, as it says before anything is asked of it (child process only). No login, nothing is made.

C_GetMechanismList and C_GetMechanismInfo (PKCS#11 v2.40 base, 5.5) tell mechanisms and key sizes. What they cannot tell, or tell
wrongly, a token's profile adds: curves are not told one by one, and C_InitToken is in every module's list of functions.
"""

import pkcs11

from hsm import keys
from hsm.errors import TokenError
from hsm.facts import TokenAbilities, TokenInfo
from hsm.profiles import TokenProfile

_HASHES = ("sha256", "sha384", "sha512")


def abilities(slot: pkcs11.Slot, info: TokenInfo, profile: TokenProfile) -> TokenAbilities:
    """Each kind of key we make, with the reason where this token does not; initialisation; random bytes."""
    return TokenAbilities(
        keys={name: profile.no_keys.get(name) or _why_not(slot, name, kind) for name, kind in keys.KINDS.items()},
        initialisation=profile.no_initialisation,
        second_initialisation=profile.no_initialisation or profile.no_second_initialisation,
        so_pin=profile.no_so_pin,
        pin_change=profile.no_pin_change,
        random="" if "RNG" in info.flags else "the token says that it has no generator (CKF_RNG)",
        profile=profile.name,
    )


def _why_not(slot: pkcs11.Slot, name: str, kind: keys.KeyKind) -> str:
    try:
        keys.require_mechanism(slot, kind, name)
        scheme = "ecdsa" if kind.curve_der else "rsa-pkcs1"
        for hash_name in _HASHES:
            mechanism, _ = keys.way_to_sign(frozenset(slot.get_mechanisms()), scheme, hash_name, b"")
            keys.require_size(slot, mechanism, kind.bits)
    except TokenError as missing:
        return missing.what
    except pkcs11.PKCS11Error as failed:
        return keys.as_token_error(failed, "asking for the token's mechanisms").what
    return ""
