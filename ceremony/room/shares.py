"""PINs that nobody holds alone: new shares go onto paper, one holder at a time; the shares of enough holders give the PIN back.

What an interrupted act had put on paper is taken up again: `work/new-shares-<which>.json` says which set that is. It holds no secret.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ceremony.activation import client
from ceremony.activation.arrangement import PIN_NAMES, HeldPin, Which
from ceremony.activation.shares import Share, ShareProblem, check_beside, pin_of, set_of
from ceremony.canonical import canonical_json
from ceremony.engine.step import AskSecret, Hidden, Secret
from ceremony.room import rehearsed_paper
from ceremony.room.randomness import both
from ceremony.room.room_secrets import wipe
from hsm.client import Token
from hsm.facts import TokenInfo

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom

_TRIES = 3
"""So often one holder may type a share before the act fails, which is recorded; then it can be done again, with others too."""


class OnPaper(msgspec.Struct, frozen=True):
    """New shares that all their holders have on paper. `sent`: the token was asked to take their PIN, and may have done so."""

    set: int
    threshold: int
    holders: tuple[str, ...]
    sent: bool


def on_paper(room: "TokenRoom", which: Which, held: HeldPin, in_force: int | None) -> OnPaper | None:
    """What an interrupted act of this ceremony left on paper for these holders, and is not yet known to be in force."""
    path = room.folder.path / _file(which)
    if not path.exists():
        return None
    found = msgspec.json.decode(path.read_bytes(), type=OnPaper)
    return found if (found.holders, found.threshold) == (held.holders, held.threshold) and found.set != in_force else None


def keep_in_mind(room: "TokenRoom", which: Which, found: OnPaper) -> None:
    """Writes down which set is on paper, and whether the token may have its PIN. Raises CeremonyError RECORD-UNWRITABLE."""
    room.folder.write(_file(which), canonical_json(msgspec.to_builtins(found)) + b"\n")


def _file(which: Which) -> str:
    return f"work/new-shares-{which}.json"


def new_pin(
    room: "TokenRoom", token: Token, which: Which, held: HeldPin, secret: AskSecret, in_force: Collection[int]
) -> tuple[bytearray, OnPaper]:
    """A new PIN, split among its holders, and the set of its shares; `in_force` are numbers of sets that it must not have.

    16 random bytes, the token's generator hashed with the system's. Each holder in turn sees their share alone and types it back from
    paper. Raises CeremonyError SHARE-…, PIN-GUESSABLE, RANDOM-WEAK.
    """
    info = token.info()
    seed, shares = bytearray(), list[bytearray]()
    try:
        seed = _seed(token)
        pin = pin_of(seed, max(info.shortest_pin, 1), info.longest_pin, info.pin_alphabet, info.locks_after is not None)
        shares = client.split(seed, held.smallest_group, len(held.holders), other_sets=in_force)
        first = client.read_share(shares[0])
        number = set_of(first)
        wipe(first.words)
        for place, (holder, words) in enumerate(zip(held.holders, shares, strict=True), 1):
            _hand_over(room, which, held, number, place, holder, words, secret)
    finally:
        for octets in (seed, *shares):
            wipe(octets)
    found = OnPaper(number, held.smallest_group, held.holders, sent=False)
    keep_in_mind(room, which, found)
    return pin, found


def _seed(token: Token) -> bytearray:
    ours, theirs = both(token)
    return bytearray(hashlib.sha256(b"root-ceremony shared pin v1" + theirs + ours).digest()[:16])


def _hand_over(
    room: "TokenRoom", which: Which, held: HeldPin, number: int, place: int, holder: str, words: bytearray, secret: AskSecret
) -> None:
    name = PIN_NAMES[which]
    shown: tuple[str, ...] = (
        f"Share {place} of {len(held.holders)} of the {name}; any {held.threshold} give it back.",
        f"Write on the paper: {name}, set {number}, share {place}; then the 20 words.",
        "Then it is typed back in full from the paper.",
    )
    what = f"share of the {name}"
    suggestion = words.decode() if room.rehearsal else None
    for left in reversed(range(_TRIES)):
        typed = secret(Secret(what=what, by=holder, kind="share", shown=shown, reveal=Hidden(words), suggestion=suggestion))
        try:
            read = client.read_share(typed)
            same = read.words == words
            wipe(read.words)
            if same:
                break
            raise ShareProblem("SHARE-FOREIGN", "This is a share, and not the one that was shown.")
        except ShareProblem as problem:
            if not left:
                raise
            shown = (*problem.lines(), *shown[:2])
        finally:
            wipe(typed)
    if room.rehearsal:
        rehearsed_paper.keep(room.folder, which, number, holder, words)


def pin_from_shares(
    room: "TokenRoom",
    which: Which,
    givers: Sequence[str],
    number: int | None,
    info: TokenInfo,
    secret: AskSecret,
    shown: Sequence[str] = (),
) -> bytearray:
    """The PIN that the shares of these holders give; `number` is that of the set that is wanted, None if it is not known.

    A mistyped word, a share of another set and one that was given already are told to its holder at once, who may type again; all
    that is before anything reaches the token. Raises CeremonyError SHARE-…
    """
    shares: list[Share] = []
    seed = bytearray()
    try:
        for giver in givers:
            shares.append(_typed(room, which, giver, number, shares, len(givers), shown, secret))
        seed = client.combine(shares, of_set=number)
        return pin_of(seed, max(info.shortest_pin, 1), info.longest_pin, info.pin_alphabet, info.locks_after is not None)
    finally:
        wipe(seed)
        for share in shares:
            wipe(share.words)


def pin_on_paper(room: "TokenRoom", which: Which, found: OnPaper, info: TokenInfo, secret: AskSecret) -> bytearray:
    """The PIN of new shares that an interrupted act had put on paper: the first of their holders type them. Raises CeremonyError SHARE-…"""
    shown = (f"The program was interrupted after the shares of the set {found.set} were on paper: they are taken from there.",)
    return pin_from_shares(room, which, found.holders[: found.threshold], found.set, info, secret, shown)


def _typed(
    room: "TokenRoom",
    which: Which,
    giver: str,
    number: int | None,
    others: Sequence[Share],
    wanted: int,
    shown: Sequence[str],
    secret: AskSecret,
) -> Share:
    said = (
        *shown,
        f"Share {len(others) + 1} of the {wanted} that the {PIN_NAMES[which]} takes{f', from the set {number}' * (number is not None)}.",
        "The camera is off the screen and off the keys; nobody else reads along.",
    )
    suggestion = rehearsed_paper.kept(room.folder, which, number, giver) if room.rehearsal else None
    for left in reversed(range(_TRIES)):
        typed = secret(Secret(what=f"share of the {PIN_NAMES[which]}", by=giver, kind="share", shown=said, suggestion=suggestion))
        try:
            share = client.read_share(typed)
            check_beside(share, others, of_set=number)
            return share
        except ShareProblem as problem:
            if not left:
                raise
            said = (*problem.lines(), *said[-2:])
        finally:
            wipe(typed)
    raise AssertionError("the last try returns or raises")


def told(pin: OnPaper | None, held: HeldPin) -> dict[str, Any]:
    """How a PIN is held from now on, for a result."""
    return {"kind": held.kind, "threshold": held.threshold, "holders": list(held.holders), "set": pin.set if pin else None}
