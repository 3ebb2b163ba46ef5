"""How two bundles stand to each other: does one go on from the other, and if not, what is wrong between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ceremony.crossing.bundle import LEDGER, MANIFEST, REPORTS, TRANSCRIPT
from ceremony.crossing.files import SUMS
from ceremony.crossing.ledger import Ledger, read_ledger, without_last
from ceremony.crossing.record import Previous
from ceremony.crossing.subject import Subject
from ceremony.errors import CeremonyError
from ceremony.words import sha256_hex

Lineage = tuple[str, ...]
"""The ids of a ceremony and all before it, the first one first: which place it has in which chain."""

BreakKind = Literal["older", "gap", "fork", "other-root", "ledger", "rehearsal"]
"""What can be wrong between two bundles.

- `older`: one starts from a bundle after which that ceremony went on, or the two were given in the wrong order
- `gap`: ceremonies between them, or the bundle that one starts from, were not given
- `fork`: both go on from the same place, or are two histories of one ceremony
- `other-root`: they have no ceremony in common, or one names another root than the other holds, or none of the chain's
- `ledger`: what was signed before is not told the same
- `rehearsal`: a rehearsal and a production
"""


@dataclass(frozen=True)
class Break:
    """What is wrong between two bundles, in a sentence without its end."""

    kind: BreakKind
    text: str


@dataclass(frozen=True)
class Place:
    """A bundle's place in a chain. Digests are SHA-256 in hex; `seals` are its ceremony's seals before the one it leaves with."""

    ceremony: str
    bundle: int
    fingerprint: str
    rehearsal: bool
    root_fingerprint: str | None
    previous: Previous | None
    lineage: Lineage
    seals: tuple[str, ...]
    files: Mapping[str, bytes] = field(repr=False)
    ledger: Ledger = field(repr=False)


def place_in_chain(subject: Subject) -> Place:
    """Where the bundle says that it stands; `verify` knows whether that is so. Raises CeremonyError LEDGER-BROKEN."""
    if LEDGER not in subject.files:
        raise CeremonyError("LEDGER-BROKEN", f"{LEDGER} is missing.")
    ledger, record = read_ledger(subject.files[LEDGER]), subject.record
    return Place(
        ceremony=record.opened.ceremony,
        bundle=record.sealed.bundle,
        fingerprint=record.fingerprint,
        rehearsal=record.opened.rehearsal,
        root_fingerprint=subject.root_fingerprint,
        previous=record.opened.previous,
        lineage=tuple(ceremony.ceremony for ceremony in ledger.ceremonies),
        seals=tuple(line.sha256 for line, _ in record.seals[:-1]),
        files=subject.files,
        ledger=ledger,
    )


def breaks_between(earlier: Place, later: Place) -> Iterator[Break]:
    """Nothing when `later` goes on from `earlier` with nothing between: a later bundle of its ceremony, or the next ceremony's."""
    if earlier.ceremony == later.ceremony:
        yield from _within_a_ceremony(earlier, later)
    elif earlier.lineage == later.lineage[:-1]:
        yield from _to_the_next(earlier, later)
    else:
        yield _of_relatives(earlier, later)


def _within_a_ceremony(earlier: Place, later: Place) -> Iterator[Break]:
    one, other = earlier.files[TRANSCRIPT], later.files[TRANSCRIPT]
    if not other.startswith(one):
        older = one.startswith(other)
        text = "the transcript of the earlier bundle is not the beginning of this one's"
        yield Break("older", f"{text}: it is the later one") if older else Break("fork", f"{text}: two histories of one ceremony")
    for path in sorted(earlier.files.keys() - {SUMS, MANIFEST, TRANSCRIPT, LEDGER, *REPORTS}):
        if later.files.get(path) != earlier.files[path]:
            yield Break("fork", f"{path} is not what it was in the earlier bundle")


def _to_the_next(earlier: Place, later: Place) -> Iterator[Break]:
    named = later.previous
    if named is None:
        yield Break("ledger", "the record names no previous ceremony, and its ledger does")
    elif named.fingerprint in earlier.seals:
        yield Break("older", f"it starts from an older bundle than {earlier.bundle}, and what that ceremony did after it is left out")
    elif named.fingerprint != earlier.fingerprint:
        yield Break("gap", f"it starts from another bundle of that ceremony, which was not given: {named.fingerprint}")
    elif named.root_certificate_sha256 != earlier.root_fingerprint:
        yield Break("other-root", "the record names another root than the previous ceremony's")
    elif named.ledger_sha256 != sha256_hex(earlier.files[LEDGER]) or without_last(later.files[LEDGER]) != earlier.files[LEDGER]:
        yield Break("ledger", "the ledger does not go on from the previous ceremony's")
    elif later.root_fingerprint is not None and not later.ledger.ceremonies[-1].root:
        yield Break("other-root", "its root is none of the chain's, and it was not made in that ceremony")
    if later.rehearsal != earlier.rehearsal:
        yield Break("rehearsal", "one is a rehearsal, and the other is none")


def _of_relatives(earlier: Place, later: Place) -> Break:
    """Two ceremonies of which neither follows right on the other."""
    one, other = earlier.lineage, later.lineage
    common = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other)))
    if common == 0:
        roots = f"{later.root_fingerprint or 'none'} here, {earlier.root_fingerprint or 'none'} there"
        return Break("other-root", f"they have no ceremony in common; their roots: {roots}")
    if common == len(one):
        return Break("gap", f"between them lies what was not given: {_listed(other[common:-1])}")
    if common == len(other):
        return Break("older", f"the bundle given as the earlier one is the later: it follows after {_listed(one[common - 1 : -1])}")
    return Break("fork", f"both go on from ceremony {one[common - 1]}, one with {one[common]}, the other with {other[common]}: a fork")


def _listed(ceremonies: Lineage) -> str:
    return f"ceremon{'y' if len(ceremonies) == 1 else 'ies'} {', '.join(ceremonies)}"
