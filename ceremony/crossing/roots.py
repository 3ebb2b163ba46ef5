"""The roots of a chain, and what belongs to which: after a roll-over, or beside a twin, more than one of them lives.

A root is known by its key (SHA-256, hex, of DER SPKI), and by its label, which no other root of its chain ever has.
"""

from collections.abc import Iterator, Sequence

from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.ledger import LedgerOfCeremony, Root, certified_in
from ceremony.crossing.revocations import IssuedCrl
from ceremony.pki.revoking import Certified


def roots_in(ceremonies: Sequence[LedgerOfCeremony]) -> list[Root]:
    """Every root of these ceremonies (the oldest first) once, the oldest first."""
    return list(dict.fromkeys(ceremony.root for ceremony in ceremonies if ceremony.root))


def living_roots(ceremonies: Sequence[LedgerOfCeremony]) -> list[Root]:
    """Those whose key is not destroyed, the oldest first."""
    gone = {key.public_key_sha256 for ceremony in ceremonies for key in ceremony.destroyed}
    return [root for root in roots_in(ceremonies) if root.public_key_sha256 not in gone]


def other_roots(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> list[str]:
    """The labels of the living roots with another key than this, sorted."""
    return sorted({root.label for root in living_roots(ceremonies) if root.public_key_sha256 != public_key_sha256})


def of_other_roots(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> list[str]:
    """The serials of the certificates that other keys than this signed, sorted."""
    return sorted(
        entry.serial
        for ceremony in ceremonies
        for entry in ceremony.entries
        if (signer := entry.issuer or (ceremony.root.public_key_sha256 if ceremony.root else None)) and signer != public_key_sha256
    )


def certified_by(ceremonies: Sequence[LedgerOfCeremony], root_certificate_sha256: str | None) -> list[Certified]:
    """What the root with this certificate (SHA-256, hex, of its DER) certified, and what no ceremony says of whom; the oldest first."""
    return [found for found in certified_in(ceremonies) if found.root in (None, root_certificate_sha256)]


def last_crl(ceremonies: Sequence[LedgerOfCeremony], label: str) -> IssuedCrl | None:
    """The newest CRL of the root with this label."""
    crls = (ceremony.crl for ceremony in reversed(ceremonies) if ceremony.crl and ceremony.crl.label == label)
    return next(crls, None)


def last_crls(ceremonies: Sequence[LedgerOfCeremony]) -> list[IssuedCrl]:
    """The newest CRL of each root that ever made one, in the order of the roots."""
    return [crl for root in roots_in(ceremonies) if (crl := last_crl(ceremonies, root.label))]


def last_crl_number(ceremonies: Sequence[LedgerOfCeremony]) -> int | None:
    """The highest number of a CRL of any root of the chain: roots may have one name, and one name repeats no number (RFC 5280, 5.2.3)."""
    return max((ceremony.crl.number for ceremony in ceremonies if ceremony.crl), default=None)


def activation_in(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> BothPins | None:
    """How both PINs of the token with this root are held, as the last ceremony tells that made one anew; None where none does."""
    here = _on_one_token(ceremonies, public_key_sha256)
    told = (ceremony.activation for ceremony in reversed(ceremonies) if ceremony.root and ceremony.root.public_key_sha256 in here)
    return next(filter(None, told), None)


def _on_one_token(ceremonies: Sequence[LedgerOfCeremony], public_key_sha256: str) -> set[str]:
    """The keys that lie with this one on a token: a ceremony signed with both, which takes one login."""
    here = {public_key_sha256}
    pairs = list(_signed_together(ceremonies))
    while more := {key for pair in pairs if here & pair for key in pair} - here:
        here |= more
    return here


def _signed_together(ceremonies: Sequence[LedgerOfCeremony]) -> Iterator[set[str]]:
    for ceremony in ceremonies:
        for entry in ceremony.entries:
            if entry.issuer and ceremony.root:
                yield {entry.issuer, ceremony.root.public_key_sha256}
