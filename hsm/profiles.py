"""What kinds of tokens are known to say and to take (rule 1: what a token can't say is named, not passed over).

A profile loosens nothing that a token is able to say. The facts were seen with the versions named; only SoftHSM runs in the tests.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hsm.facts import Alphabet


class TokenProfile(NamedTuple):
    """`cannot_say`: attributes it has no value for, or a value known to be meaningless; recorded as unknown. Names are
    those of PKCS#11 without CKA_; "PUBLIC_KEY." stands before those of the public half.

    `pin_alphabet`: characters that a PIN made by the program may have; what is not known to be taken is left out.
    `no_keys`: kinds of keys that it lists and does not make, with the reason. `no_initialisation`,
    `no_second_initialisation`, `no_so_pin`, `no_pin_change`: why there we make no token ready, cannot make ready again one that was left
    half ready, know no security officer, and change no user PIN.
    `factory_so_pin`: the SO PIN that every token of this kind comes with, by its manual: no secret.
    `locks_after`: after how many wrong tries in a row the PIN is locked for good; None where it is not, or not known to be.
    """

    name: str
    software: bool
    pin_alphabet: Alphabet = "alphanumeric"
    locks_after: int | None = None
    factory_so_pin: bytes = b""
    cannot_say: frozenset[str] = frozenset()
    no_keys: Mapping[str, str] = MappingProxyType({})
    no_initialisation: str = ""
    no_second_initialisation: str = ""
    no_so_pin: str = ""
    no_pin_change: str = ""


STRICT: Final = TokenProfile("strict", software=False)
"""For every token that has no profile of its own: everything is sent, everything must come back."""

_NOT_SIGN_ONLY: Final = MappingProxyType(
    dict.fromkeys(
        ("ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "rsa:3072", "rsa:4096"),
        "Keys made through tpm2-pkcs11 can decrypt as well as sign, and a root's key must not.",
    )
)
_ONCE: Final = "tpm2-pkcs11 initialises a token only once."
_MAKING_UNKNOWN: Final = frozenset({"LOCAL", "PUBLIC_KEY.LOCAL", "KEY_GEN_MECHANISM"})

_PROFILES: Final = (
    # SoftHSM 2.6.1, 2.7.0: takes any octets as a PIN, and never locks
    (("softhsm",), TokenProfile("softhsm", software=True, pin_alphabet="printable")),
    # NSS softokn 3.87: LOCAL is false on keys it made itself; C_InitToken wipes and names nothing; C_Login knows one user
    (
        ("mozilla foundation", "nss "),
        TokenProfile(
            "nss",
            software=True,
            cannot_say=_MAKING_UNKNOWN,
            no_initialisation="NSS makes its token ready with certutil, not through PKCS#11: use the step adopt-token.",
            no_so_pin="NSS has no security officer.",
        ),
    ),
    # opencryptoki 3.8.1 and 3.23, its soft token: PINs of 4 to 8 characters, locked by the third wrong one. C_InitToken on one of our own
    # (3.8.1) says CKF_SO_PIN_TO_BE_CHANGED, and then neither the factory's SO PIN nor ours logs in
    (
        ("ibm soft", "opencryptoki soft"),
        TokenProfile(
            "opencryptoki-soft",
            software=True,
            locks_after=3,
            factory_so_pin=b"87654321",
            cannot_say=frozenset({"KEY_GEN_MECHANISM"}),
            no_second_initialisation="opencryptoki leaves a token without a usable SO PIN when it is initialised a second time.",
        ),
    ),
    # tpm2-pkcs11 1.9 over swtpm 0.7: a key that shall not decrypt is refused (CKR_GENERAL_ERROR), and every key decrypts where nothing
    # is said. It was seen to lock, but a TPM's lock lifts with time (TPM 2.0 part 1, 19.8): that does not stop a patient guesser.
    (("sw   tpm", "swtpm"), TokenProfile("tpm2-over-swtpm", software=True, no_keys=_NOT_SIGN_ONLY, no_second_initialisation=_ONCE)),
    (("tpm2-pkcs11", "tpm2.0"), TokenProfile("tpm2", software=False, no_keys=_NOT_SIGN_ONLY, no_second_initialisation=_ONCE)),
    # yubihsm-shell 2.8.0, read and not run: pkcs11/yubihsm_pkcs11.c has neither C_InitToken nor C_SetPIN, and a PIN is the id of an
    # authentication key (4 hex digits) and its password; pkcs11/util_pkcs11.c knows no CKA_KEY_GEN_MECHANISM
    (
        ("yubihsm",),
        TokenProfile(
            "yubihsm2",
            software=False,
            cannot_say=frozenset({"KEY_GEN_MECHANISM"}),
            no_initialisation="A YubiHSM 2 is made ready with yubihsm-shell, not through PKCS#11: use the step adopt-token.",
            no_so_pin="A YubiHSM 2 has no security officer by PKCS#11.",
            no_pin_change="The password of a YubiHSM 2 is changed with yubihsm-shell, not through PKCS#11.",
        ),
    ),
    # SmartCard-HSM and Nitrokey HSM through OpenSC (its source of August 2026, read and not run): the SO PIN is 16 hex digits, of which
    # digits alone are made here; the user PIN locks after three; CKA_KEY_GEN_MECHANISM is always "unavailable"
    (
        ("cardcontact",),
        TokenProfile(
            "smartcard-hsm", software=False, pin_alphabet="digits", locks_after=3, cannot_say=frozenset({"KEY_GEN_MECHANISM"})
        ),
    ),
    (("kryoptic",), TokenProfile("kryoptic", software=True)),
)  # fmt: skip

_KNOWN_SOFTWARE_WITHOUT_PROFILE: Final = ("gnome keyring", "p11-kit trust", "pkcs11-mock")


def profile_of(*names: str) -> TokenProfile:
    """The profile that the names a module or token gives itself lead to; `STRICT` when none does."""
    said = " ".join(names).lower()
    for words, profile in _PROFILES:
        if any(word in said for word in words):
            return profile
    if any(word in said for word in _KNOWN_SOFTWARE_WITHOUT_PROFILE):
        return STRICT._replace(software=True)
    return STRICT
