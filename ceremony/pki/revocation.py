"""What a CRL of ours is, to the last entry: who is revoked, why and since when (RFC 5280 section 5)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cryptography import x509

from ceremony.errors import CeremonyError
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import CertificateProfile, end_text, issuer_of, utc_text

Reason = Literal["keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]
"""The reasons of RFC 5280 section 5.3.1 that a root gives.

Not `unspecified`, which says nothing; not `certificateHold` with its `removeFromCRL`, because nothing comes back from a CRL;
not `aACompromise`, which is for attribute certificates.
"""
REASONS: dict[Reason, x509.ReasonFlags] = {
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "cACompromise": x509.ReasonFlags.ca_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
    "privilegeWithdrawn": x509.ReasonFlags.privilege_withdrawn,
}
GIVEN_UP: Reason = "cessationOfOperation"
"""The reason for a serial whose signature was given up: nothing was found out about a key, and nobody is to use it."""


@dataclass(frozen=True)
class Revoked:
    """An entry of a CRL: the certificate's serial, since when (UTC, whole seconds), and why."""

    serial: int
    date: dt.datetime
    reason: Reason

    @property
    def text(self) -> str:
        """Reason and date for screens and paper."""
        return f"{self.reason}, since {utc_text(self.date)}"


@dataclass(frozen=True)
class CrlProfile:
    """All of a CRL but its signature. Times are UTC in whole seconds; `revoked` is sorted by serial; the key is SPKI, DER."""

    issuer: x509.Name
    issuer_public_key_der: bytes
    issuer_key_identifier: bytes
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    revoked: tuple[Revoked, ...]

    def fields(self) -> dict[str, str]:
        """What such a CRL says: field and text, as `crl.fields_of_crl` has them."""
        return {
            "issuer": shown_text(name_text(self.issuer)),
            "this update": utc_text(self.this_update),
            "next update": end_text(self.this_update, self.next_update),
            "cRLNumber": str(self.number),
            "authorityKeyIdentifier": self.issuer_key_identifier.hex(),
            "entries": str(len(self.revoked)),
            **{f"revoked {entry.serial:040x}": entry.text for entry in self.revoked},
        }


def number_after(previous: int | None, jump: int = 0) -> int:
    """The number of the CRL after this one: one higher (RFC 5280 section 5.2.3), 1 for the first.

    `jump` leaves out so many, where it is not known which numbers were used.
    """
    return (previous or 0) + 1 + jump


def start_of(day: dt.date) -> dt.datetime:
    """00:00:00Z of the day: when what is made on it begins, a CRL too."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def merged(before: Iterable[Revoked], more: Iterable[Revoked]) -> tuple[Revoked, ...]:
    """The entries of the next CRL: all that stood on the last one, and what is revoked now, sorted by serial.

    Nothing leaves a CRL, not even after its certificate has ended (RFC 5280 section 3.3 would let it). Raises CeremonyError
    REVOKE-ALREADY, which names a serial that stands there already.
    """
    found = {entry.serial: entry for entry in before}
    for entry in more:
        if entry.serial in found:
            told = f"The certificate with the serial {entry.serial:040x} is revoked already: {found[entry.serial].text}."
            raise CeremonyError("REVOKE-ALREADY", told, state="Nothing was signed.")
        found[entry.serial] = entry
    return tuple(found[serial] for serial in sorted(found))


def crl_profile(
    root: bytes | CertificateProfile, day: dt.date, next_update: dt.datetime, number: int, revoked: tuple[Revoked, ...]
) -> CrlProfile:
    """The CRL of this root (its certificate, DER; in a plan its profile) from 00:00:00Z of this day until `next_update`.

    Raises CeremonyError CRL-DATES when it would end before it begins or after its root, begin before its root, or revoke
    something in the future or before there was a root; PROFILE-ISSUER when the root is no CA.
    """
    issuer = issuer_of(root)
    profile = CrlProfile(
        issuer=issuer.subject,
        issuer_public_key_der=issuer.issuer_public_key_der or b"",
        issuer_key_identifier=issuer.issuer_key_identifier or b"",
        number=number,
        this_update=start_of(day),
        next_update=next_update.astimezone(dt.UTC),
        revoked=revoked,
    )
    for why in _impossible_dates(profile, issuer):
        raise CeremonyError("CRL-DATES", f"The CRL would {why}.", state="Nothing was signed.")
    return profile


def _impossible_dates(profile: CrlProfile, issuer: CertificateProfile) -> Iterable[str]:
    begins, ends = profile.this_update, profile.next_update
    if ends.microsecond:
        yield f"end at {ends.isoformat()}, which is not a whole second"
    if ends <= begins:
        yield f"end at {utc_text(ends)}, not after its beginning at {utc_text(begins)}"
    if begins < issuer.not_before:
        yield f"begin at {utc_text(begins)}, before its root does at {utc_text(issuer.not_before)}"
    if ends > issuer.not_after:
        yield f"end at {utc_text(ends)}, later than its root at {utc_text(issuer.not_after)}"
    for entry in profile.revoked:
        if entry.date > begins:
            yield f"revoke {entry.serial:040x} at {utc_text(entry.date)}, which is later than the day it is made on"
        if entry.date < issuer.not_before:
            yield f"revoke {entry.serial:040x} at {utc_text(entry.date)}, before there was a root"
