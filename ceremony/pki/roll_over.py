"""The roll-over from one root to the next: cross-certificates, and dates that leave no day on which a device is stranded.

RFC 9810 section 4.4 (as RFC 4210 before it): the old root signs the new one's key (new with old), so that who trusts the old root alone
goes on to the new one; the new root signs the old one's key (old with new), so that who trusts the new one alone takes what the old signed.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Protocol

import msgspec

from ceremony.errors import CeremonyError
from ceremony.pki.names import name_text, parse_name, rehearsal_name, shown_text
from ceremony.pki.profiles import ALL_KEYS, CertificateProfile, Instant, PathLength, RootTable, issuer_of, utc_text
from ceremony.pki.revoking import Certified, RevokeTable

NEW_WITH_OLD, OLD_WITH_NEW = "new-with-old", "old-with-new"
"""The two cross-certificates by the names that the RFC gives them: whose key, and who signs."""

_GENERATION = re.compile(r"\.[0-9]+\Z")
_STATE = "Nothing was made or signed."


class RollOverTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The script's table `[roll_over]`: the old root, as its certificate says, and until when both roots hold side by side.

    `[root]` is then the new one. Both cross-certificates end at `overlap_until`, and what the old root still has by then is moved.
    """

    label: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]
    subject: str
    not_after: Instant
    overlap_until: Instant
    path_length: PathLength = 1


class Moved(Protocol):
    """An entry of `[[intermediates]]`: its name, and the serial of the certificate that it re-issues."""

    @property
    def name(self) -> str:
        """The name that is certified."""

    @property
    def reissue(self) -> str | None:
        """40 hex digits, or None for a new key."""


def cross_path(subject_label: str, issuer_label: str) -> str:
    """Where the certificate of this root's key by that root stands in a bundle."""
    return f"cross/{subject_label}/by-{issuer_label}.cert.pem"


def cross_profile(
    subject: bytes | CertificateProfile, issuer: bytes | CertificateProfile, day: dt.date, until: dt.datetime
) -> CertificateProfile:
    """The certificate of one root's key by another (both as certificate, DER, or in a plan as profile): name and path length from them.

    A path length counts certificates that are not self-issued (RFC 5280 section 4.2.1.9): where both roots have one name, the
    cross-certificate takes no room in a path, else one. Raises CeremonyError ROLL-OVER-DATES, ROLL-OVER-PATH, PROFILE-ISSUER.
    """
    root, by = issuer_of(subject), issuer_of(issuer)
    begins = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    ends = until.astimezone(dt.UTC)
    room = (by.path_length or 0) - (root.subject != by.subject)
    length = min(root.path_length or 0, room)
    if length < 1:
        what = (
            f"Under a root of path length {by.path_length} a cross-certificate for {_shown(root)} leaves no room for an intermediate. "
            "Give the new root the subject of the old one: a certificate of a root by one of its own name takes no room."
        )
        raise CeremonyError("ROLL-OVER-PATH", what, state=_STATE)
    if not max(root.not_before, by.not_before) <= begins < ends <= min(root.not_after, by.not_after) or ends.microsecond:
        what = f"A cross-certificate from {utc_text(begins)} until {utc_text(ends)} does not lie, in whole seconds, inside both roots."
        raise CeremonyError("ROLL-OVER-DATES", what, state=_STATE)
    return replace(
        by,
        purpose="cross",
        subject=root.subject,
        not_before=begins,
        not_after=ends,
        path_length=length,
        extended_key_usage=(),
        keys=ALL_KEYS,
    )


def cross_planned(
    table: RollOverTable | None, root_table: RootTable, root: CertificateProfile, day: dt.date
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Both cross-certificates as far as a script says them: a title and lines for each."""
    if table is None:
        return
    old = _old_root_planned(table, root_table, day)
    for subject, issuer, of, by in ((root, old, root_table.label, table.label), (old, root, table.label, root_table.label)):
        yield f"cross-certificate of {of} by {by}", cross_profile(subject, issuer, day, table.overlap_until).lines()


def _old_root_planned(table: RollOverTable, root: RootTable, day: dt.date) -> CertificateProfile:
    """The old root as a script tells of it. Raises CeremonyError NAME-REFUSED."""
    subject = parse_name(table.subject)
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return CertificateProfile(
        purpose="root", subject=subject, issuer=subject, not_before=start, not_after=table.not_after.astimezone(dt.UTC),
        path_length=table.path_length, key_usage=("digitalSignature", "keyCertSign", "cRLSign"), extended_key_usage=(), keys=(root.key,),
    )  # fmt: skip


def problems_with_roll_over(
    table: RollOverTable | None, root: RootTable, first: dt.date, last: dt.date, revoke: Sequence[RevokeTable], world_root: str
) -> Iterator[tuple[str, str]]:
    """What is wrong with `[roll_over]` in a script that may be held from day `first` to `last`: where (key path) and what.

    `world_root` is what `[world]` says of the root.
    """
    if table is None:
        return
    if world_root != "present":
        yield "world.root", 'a roll-over starts from a root: root = "present"'
    if table.label == root.label:
        yield "roll_over.label", f"{table.label!r} is the new root's label too: [root] is the new root, and needs another"
    if revoke:
        yield "revoke", "the CRL of a roll-over is the new root's, which has nothing to revoke: revoke in a ceremony of the old root"
    end = dt.datetime(last.year, last.month, last.day, tzinfo=dt.UTC)
    holes = (
        (table.not_after <= end, "roll_over.not_after", f"the old root ends before the new one begins, which may be on {last}"),
        (root.not_after <= table.not_after, "root.not_after", "the new root ends no later than the old: there is nothing to go over to"),
        (table.overlap_until <= end, "roll_over.overlap_until", f"the overlap ends before it begins, which may be on {last}"),
        (table.overlap_until > table.not_after, "roll_over.overlap_until", "a cross-certificate would outlive the old root"),
        (table.overlap_until > root.not_after, "roll_over.overlap_until", "a cross-certificate would outlive the new root"),
    )
    found = [(where, f"ROLL-OVER-DATES: {what}") for is_so, where, what in holes if is_so]
    yield from found
    if not found:
        yield from _problems_with_planned(table, root, first)


def _problems_with_planned(table: RollOverTable, root: RootTable, day: dt.date) -> Iterator[tuple[str, str]]:
    try:
        old = _old_root_planned(table, root, day)
        new = replace(old, subject=parse_name(root.subject), not_after=root.not_after.astimezone(dt.UTC), path_length=root.path_length)
        for subject, issuer in ((new, old), (old, new)):
            cross_profile(subject, issuer, day, table.overlap_until)
    except CeremonyError as refused:
        yield "roll_over", f"{refused.code}: {shown_text(refused.what)}"


def refuse_other_root(table: RollOverTable, certificate_der: bytes, *, rehearsal: bool) -> None:
    """The old root is as the approved script says. Raises CeremonyError ROLL-OVER-DIFFERS."""
    found = issuer_of(certificate_der)
    subject = parse_name(table.subject)
    said = (rehearsal_name(subject) if rehearsal else subject, table.not_after.astimezone(dt.UTC), table.path_length)
    there = (found.subject, found.not_after, found.path_length)
    if said != there:
        shown = [f"{shown_text(name_text(name))}, until {utc_text(end)}, path length {length}" for name, end, length in (there, said)]
        raise CeremonyError("ROLL-OVER-DIFFERS", f"The old root is {shown[0]}; the script says {shown[1]}.", state=_STATE)


def holes(
    table: RollOverTable, entries: Iterable[Moved], certified: Iterable[Certified], old_root: str, day: dt.date, *, rehearsal: bool
) -> Iterator[str]:
    """Where devices would be stranded: each intermediate of the old root (SHA-256, hex, of its certificate) that the roll-over forgets.

    One that outlives the overlap must be moved: re-issued under the new root, or replaced by one of its name, `alpha.2` after `alpha.1`.
    One that is re-issued must still hold on this day, or its devices are out already and come in again unforeseen.
    """
    moved = list(entries)
    serials = {entry.reissue for entry in moved if entry.reissue}
    names = {entry.name for entry in moved if entry.reissue}
    families = {_GENERATION.sub("", entry.name) for entry in moved}
    begins = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    for found in certified:
        if found.root != old_root or found.purpose != "intermediate" or found.possibly or found.revoked:
            continue
        end, shown = dt.datetime.fromisoformat(found.not_after), f"{shown_text(found.subject)} (serial {found.serial})"
        if found.name in names if rehearsal else found.serial in serials:
            if end <= begins:
                yield f"{shown} ended at {found.not_after}, before its successor under the new root begins at {utc_text(begins)}"
        elif end > table.overlap_until and _GENERATION.sub("", found.name or "") not in families:
            yield f"{shown} holds until {found.not_after}, after the overlap ends, and is not moved to the new root"


def refuse_holes(
    table: RollOverTable, entries: Iterable[Moved], certified: Iterable[Certified], old_root: str, day: dt.date, *, rehearsal: bool
) -> None:
    """Raises CeremonyError ROLL-OVER-HOLE with all that `holes` finds."""
    if found := list(holes(table, entries, certified, old_root, day, rehearsal=rehearsal)):
        raise CeremonyError("ROLL-OVER-HOLE", f"The roll-over leaves a hole: {'; '.join(found)}.", state=_STATE)


def _shown(root: CertificateProfile) -> str:
    return shown_text(name_text(root.subject))
