"""Activation data that nobody holds alone: a secret of 16 bytes as shares in words (SLIP-39), and the PIN that it stands for.

What is split is no PIN but random bytes, of which a PIN is then encoded that fits the token. Any `threshold` of the shares give them
back; fewer say nothing about them. The arithmetic and the list of words are shamir-mnemonic's, the reference implementation of
SLIP-0039 (SatoshiLabs, 2017); its authors disclaim protection against side channels, and it works on `str` and `int`, which Python
can't wipe. So the ceremony's process has it done by `ceremony.activation.client` in a process that ends at once; of this module it
uses what touches no secret in the clear beyond its buffers: the words, `Share`, `check_beside`, `set_of`, `pin_of`.
"""

import secrets
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import shamir_mnemonic
from shamir_mnemonic import rs1024
from shamir_mnemonic.constants import CHECKSUM_LENGTH_WORDS, CUSTOMIZATION_STRING_EXTENDABLE, ID_LENGTH_BITS
from shamir_mnemonic.wordlist import WORD_INDEX_MAP, WORDLIST

from ceremony.errors import CeremonyError

SECRET_BYTES: Final = 16
WORDS_OF_SHARE: Final = 20
"""Of a secret of 16 bytes: set and settings 4, value 13, checksum 3."""
SHORTEST_PREFIX: Final = 4
"""So many letters tell any two words of the list apart (SLIP-0039, Wordlist)."""
LARGEST_COUNT: Final = 16
LEAST_BITS: Final = 64
"""What a PIN that can be guessed at without end must have at least."""

Alphabet = Literal["printable", "alphanumeric", "digits"]
_DIGITS: Final = b"0123456789"
_CHARACTERS: Final[dict[Alphabet, bytes]] = {
    "printable": bytes(range(0x21, 0x7F)),
    "alphanumeric": _DIGITS + b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "digits": _DIGITS,
}
_ITERATION_EXPONENT: Final = 0
"""SLIP-39 stretches a passphrase, and ours is empty: there is nothing to stretch."""


class ShareProblem(CeremonyError):
    """A share, or shares together, that will not do. Never says a word, only places, from 1: it is recorded.

    `words` are the places of the words that are wrong, as far as they can be told; `share` is the place of the share in the list.
    """

    def __init__(self, code: str, what: str, *, words: tuple[int, ...] = (), share: int | None = None) -> None:
        super().__init__(code, what, state="Nothing was tried on the token.")
        self.words = words
        self.share = share


@dataclass(frozen=True, eq=False)
class Share:
    """A share that was read. `identifier` is common to the shares of one set, and public; `index` is this one's number, from 0.

    `words` are all 20 in full, a space between; who is given a share wipes them.
    """

    identifier: int
    threshold: int
    index: int
    words: bytearray = field(repr=False)


def word_of(typed: str) -> str | None:
    """The word of the list that was typed, in full or by its first four letters or more, in any case; None if there is none."""
    letters = typed.lower()
    if len(letters) < SHORTEST_PREFIX:
        return None
    found = WORDLIST[min(bisect_left(WORDLIST, letters), len(WORDLIST) - 1)]
    return found if found.startswith(letters) else None


def split(secret: bytearray, threshold: int, count: int, *, other_sets: Collection[int] = ()) -> list[bytearray]:
    """`count` new shares of the 16 bytes, 20 words each in ASCII with a space between, of which any `threshold` give them back.

    The set gets an identifier that none of `other_sets` has. Coefficients and identifier come from the system's generator.
    Raises ValueError unless 2 <= threshold <= count <= 16.
    """
    if len(secret) != SECRET_BYTES or not 2 <= threshold <= count <= LARGEST_COUNT:
        raise ValueError("16 bytes are split among up to 16 holders, of whom at least two are needed")
    identifier = next(number for number in iter(lambda: secrets.randbits(ID_LENGTH_BITS), None) if number not in other_sets)
    sealed = shamir_mnemonic.EncryptedMasterSecret.from_master_secret(bytes(secret), b"", identifier, True, _ITERATION_EXPONENT)
    [shares] = shamir_mnemonic.split_ems(1, [(threshold, count)], sealed)
    return [bytearray(share.mnemonic().encode()) for share in shares]


def read_share(typed: bytearray) -> Share:
    """The share that was typed, white space between its words, each in full or by four letters or more.

    Raises ShareProblem SHARE-WORD (not on the list), SHARE-LENGTH, SHARE-CHECKSUM (with the place of the wrong word, if it is one),
    SHARE-FOREIGN (of another kind than ours).
    """
    words = [word_of(word.decode("ascii", errors="replace")) for word in typed.split()]
    unknown = tuple(place for place, word in enumerate(words, 1) if word is None)
    if unknown:
        raise ShareProblem("SHARE-WORD", f"{_places(unknown)} not on the list.", words=unknown)
    if len(words) != WORDS_OF_SHARE:
        raise ShareProblem("SHARE-LENGTH", f"{len(words)} words were typed, and a share has {WORDS_OF_SHARE}.")
    full = [word for word in words if word is not None]
    _verify_checksum([WORD_INDEX_MAP[word] for word in full])
    mnemonic = " ".join(full)
    try:
        read = shamir_mnemonic.Share.from_mnemonic(mnemonic)
    except shamir_mnemonic.MnemonicError:
        raise _of_another_kind() from None
    settings = (read.extendable, read.iteration_exponent, read.group_index, read.group_threshold, read.group_count)
    if settings != (True, _ITERATION_EXPONENT, 0, 1, 1) or read.member_threshold < 2:
        raise _of_another_kind()
    return Share(read.identifier, read.member_threshold, read.index, bytearray(mnemonic.encode()))


def _places(places: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, places))
    return f"Word {listed} is" if len(places) == 1 else f"The words {listed} are"


def _of_another_kind() -> ShareProblem:
    return ShareProblem("SHARE-FOREIGN", "This is a share, but not one of the kind that this program makes.")


def _verify_checksum(indices: list[int]) -> None:
    """Raises ShareProblem SHARE-CHECKSUM; says which word is wrong when a single one is."""
    data, typed = indices[:-CHECKSUM_LENGTH_WORDS], indices[-CHECKSUM_LENGTH_WORDS:]
    difference = _checksum(data) ^ _packed(typed)
    if not difference:
        return
    place = _place_of_one_wrong_word(len(data), difference)
    if place is None:
        raise ShareProblem("SHARE-CHECKSUM", "The checksum is wrong: at least two words are not those of the share.")
    what = f"The checksum is wrong: if all other words are right, then word {place} is not that of the share."
    raise ShareProblem("SHARE-CHECKSUM", what, words=(place,))


def _place_of_one_wrong_word(length: int, difference: int) -> int | None:
    """Where, from 1, one changed word explains the difference of the checksums; None when it takes more than one.

    RS1024 is linear and tells any two errors of a word apart (SLIP-0039, Checksum): the differences that a change of one word can
    make are the sums (XOR) of those that its ten bits make, and a difference is of one place at most.
    """
    for back in range(3):
        if not difference & ~(1023 << 10 * back):
            return length + 3 - back
    unchanged = _checksum([0] * length)
    for place in range(length):
        basis: list[int] = []
        for bit in range(10):
            changed = [0] * length
            changed[place] = 1 << bit
            basis.append(_reduced(_checksum(changed) ^ unchanged, basis))
        if not _reduced(difference, basis):
            return place + 1
    return None


def _reduced(number: int, basis: list[int]) -> int:
    """What is left of a number after taking away what the basis spans, over GF(2)."""
    for vector in basis:
        number = min(number, number ^ vector)
    return number


def _checksum(data: list[int]) -> int:
    return _packed(rs1024.create_checksum(data, CUSTOMIZATION_STRING_EXTENDABLE))


def _packed(words: Sequence[int]) -> int:
    first, second, third = words
    return first << 20 | second << 10 | third


def set_of(share: Share) -> int:
    """The identifier of the share's set, 15 bits: public and recorded. It tells sets apart, and says nothing of the secret."""
    return share.identifier


def check_beside(share: Share, others: Sequence[Share], *, of_set: int | None = None, place: int | None = None) -> None:
    """Whether this share can be taken beside those that were given before it; `of_set` is the set that is wanted, if it is known.

    Raises ShareProblem SHARE-FOREIGN for one of another set, SHARE-REPEATED for one that was given already.
    """
    foreign = of_set is not None and share.identifier != of_set
    if foreign or any((share.identifier, share.threshold) != (other.identifier, other.threshold) for other in others):
        wanted = of_set if of_set is not None else others[0].identifier
        what = f"{_named(place)} is of the set {share.identifier}, and the others are of {wanted}."
        raise ShareProblem("SHARE-FOREIGN", what, share=place)
    for number, other in enumerate(others, 1):
        if share.index == other.index:
            raise ShareProblem("SHARE-REPEATED", f"{_named(place)} is the one that was given as number {number} already.", share=place)


def _named(place: int | None) -> str:
    return "This share" if place is None else f"Share {place}"


def combine(shares: Sequence[Share], *, of_set: int | None = None) -> bytearray:
    """The 16 bytes, from exactly as many shares as their threshold says.

    Before anything is combined, a share of another set than `of_set` (or than most), a repeated one and too few or too many are
    refused: ShareProblem SHARE-FOREIGN, SHARE-REPEATED, SHARE-COUNT.
    """
    if not shares:
        raise ShareProblem("SHARE-COUNT", "No share was given.")
    if of_set is None:
        [(of_set, _)] = Counter(share.identifier for share in shares).most_common(1)
    for place, share in enumerate(shares, 1):
        check_beside(share, shares[: place - 1], of_set=of_set, place=place)
    threshold = shares[0].threshold
    if len(shares) != threshold:
        raise ShareProblem("SHARE-COUNT", f"{len(shares)} shares were given, and the set {of_set} takes exactly {threshold}.")
    try:
        return bytearray(shamir_mnemonic.combine_mnemonics([share.words.decode() for share in shares]))
    except shamir_mnemonic.MnemonicError:
        what = "The shares do not fit together: at least one is of another set that has the same number by chance."
        raise ShareProblem("SHARE-FOREIGN", what) from None


def pin_of(secret: bytearray, shortest: int, longest: int, alphabet: Alphabet, locks: bool) -> bytearray:
    """The PIN that the 16 bytes stand for on a token that takes `shortest` to `longest` bytes of this alphabet.

    It is the number that they are, most significant byte first, in as many digits of the alphabet as all 128 bits need, or the last
    ones that the token takes; the least significant digit comes first. The same bytes and limits always give the same PIN. Raises
    ShareProblem PIN-GUESSABLE when it would have under 64 bits, and the token does not lock it after some wrong tries.
    """
    characters = _CHARACTERS[alphabet]
    length = shortest
    while len(characters) ** length < 1 << 8 * SECRET_BYTES:
        length += 1
    length = min(length, longest)
    bits = (len(characters) ** length).bit_length() - 1
    if bits < LEAST_BITS and not locks:
        what = f"The longest PIN that the token takes ({longest} characters) has {bits} bits, and it is not known to lock a PIN."
        raise ShareProblem("PIN-GUESSABLE", what)
    number, pin = bytearray(secret), bytearray(length)
    for digit in range(length):
        rest = 0
        for place, octet in enumerate(number):
            number[place], rest = divmod(rest << 8 | octet, len(characters))
        pin[digit] = characters[rest]
    number[:] = bytes(len(number))
    return pin
