"""What kinds of tokens are known to say and to take (rule 1: what a token can't say is named, not passed over).

A profile loosens nothing that a token is able to say. The facts were seen with the versions named; only SoftHSM runs in the tests.
"""

from typing import Final, NamedTuple

from hsm.facts import Alphabet


class TokenProfile(NamedTuple):
    """`omitted`: attributes this token refuses in a template, so they are left out when a key is made and still read back.

    `cannot_say`: attributes it has no value for, or a value known to be meaningless; recorded as unknown. Names are
    those of PKCS#11 without CKA_; "PUBLIC_KEY." stands before those of the public half.

    `pin_alphabet`: characters that a PIN made by the program may have; what is not known to be taken is left out.
    `locks_after`: after how many wrong tries in a row the PIN is locked for good; None where it is not, or not known to be.
    """

    name: str
    software: bool
    pin_alphabet: Alphabet = "alphanumeric"
    locks_after: int | None = None
    omitted: frozenset[str] = frozenset()
    cannot_say: frozenset[str] = frozenset()


STRICT: Final = TokenProfile("strict", software=False)
"""For every token that has no profile of its own: everything is sent, everything must come back."""

_CAPABILITIES: Final = frozenset(
    {"DECRYPT", "UNWRAP", "DERIVE", "SIGN_RECOVER"}
    | {"PUBLIC_KEY.ENCRYPT", "PUBLIC_KEY.WRAP", "PUBLIC_KEY.VERIFY_RECOVER", "PUBLIC_KEY.DERIVE"}
)
_MAKING_UNKNOWN: Final = frozenset({"LOCAL", "PUBLIC_KEY.LOCAL", "KEY_GEN_MECHANISM"})

_PROFILES: Final = (
    # SoftHSM 2.6.1, 2.7.0: takes any octets as a PIN, and never locks
    (("softhsm",), TokenProfile("softhsm", software=True, pin_alphabet="printable")),
    # NSS softokn 3.87: LOCAL is false on keys it made itself
    (("mozilla foundation", "nss "), TokenProfile("nss", software=True, cannot_say=_MAKING_UNKNOWN)),
    # opencryptoki 3.8.1 and 3.23, its soft token: PINs of 4 to 8 characters, locked by the third wrong one
    (
        ("ibm soft", "opencryptoki soft"),
        TokenProfile("opencryptoki-soft", software=True, locks_after=3, cannot_say=frozenset({"KEY_GEN_MECHANISM"})),
    ),
    # tpm2-pkcs11 1.9 over swtpm 0.7: capabilities that are explicitly false are refused. It was seen to lock, but a TPM's lock lifts
    # with time (TPM 2.0 part 1, 19.8): that does not stop a patient guesser.
    (("sw   tpm", "swtpm"), TokenProfile("tpm2-over-swtpm", software=True, omitted=_CAPABILITIES)),
    (("tpm2-pkcs11", "tpm2.0"), TokenProfile("tpm2", software=False, omitted=_CAPABILITIES)),
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
