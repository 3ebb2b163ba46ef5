"""Which certificate an intermediate of the script re-issues: the same key, the same name, under the same root or, in a roll-over, the
new one, or by a twin when the root's last token is lost; dates and serial anew.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.pki.revoking import Certified, RevokeTable
from ceremony.words import grouped

_STATE = "Nothing was imported or signed."
_SAME_KEY_STILL_GOOD = "superseded"


class Reissuing(Protocol):
    """An entry of `[[intermediates]]` in the model of the script or in the script as data; `reissue` is a serial, 40 hex digits."""

    @property
    def name(self) -> str:
        """The name that is certified."""

    @property
    def reissue(self) -> str | None:
        """The serial of the certificate that is re-issued; None for a new key."""


def problems_with_reissues(entries: Sequence[Reissuing], tables: Sequence[RevokeTable], root: str) -> Iterator[tuple[str, str]]:
    """What is wrong with `reissue` in a script: where (key path) and what. `root` is what `[world]` says of it."""
    serials = [entry.reissue for entry in entries if entry.reissue]
    for number, entry in enumerate(entries, 1):
        where = f"intermediates[{number}].reissue"
        if not entry.reissue:
            continue
        if root != "present":
            yield where, 'a first ceremony has nothing to re-issue: [world] root = "present"'
        if serials.count(entry.reissue) > 1:
            yield where, f"{entry.reissue} stands twice: one certificate is re-issued once"
        if any(table.serial == entry.reissue and table.reason != _SAME_KEY_STILL_GOOD for table in tables):
            yield where, f"[[revoke]] revokes {entry.reissue} for more than being {_SAME_KEY_STILL_GOOD}: its key is not certified again"


def reissues(
    entries: Iterable[Reissuing], tables: Sequence[RevokeTable], certified: Sequence[Certified], roots: Collection[str], *, rehearsal: bool
) -> dict[str, Certified]:
    """What is re-issued, by the name of the intermediate. `roots` are SHA-256 (hex) of the certificates of the root that signs, in a
    roll-over of the old one, and of those whose last token is lost.

    In a rehearsal the made-up past holds one of the same name in place of the serial, which is one of the real root's.
    Raises CeremonyError REISSUE-UNKNOWN for what these roots never signed, REISSUE-PURPOSE for what is no intermediate,
    REISSUE-REVOKED when that certificate is revoked, or by this script will be, or another of its key is for more than being superseded.
    """
    return {entry.name: _certified_before(entry, tables, certified, roots, rehearsal) for entry in entries if entry.reissue}


def _certified_before(
    entry: Reissuing, tables: Sequence[RevokeTable], certified: Sequence[Certified], roots: Collection[str], rehearsal: bool
) -> Certified:
    named = (found for found in certified if (found.name == entry.name if rehearsal else found.serial == entry.reissue))
    found = next(named, None)
    start = f"{shown_text(entry.name)} is to re-issue the certificate with the serial {entry.reissue}"
    if found is None or found.root not in roots:
        raise CeremonyError("REISSUE-UNKNOWN", f"{start}, and the ledger holds none such under this root.", state=_STATE)
    if found.purpose != "intermediate":
        raise CeremonyError("REISSUE-PURPOSE", f"{start}, which is no intermediate: its purpose is {found.purpose}.", state=_STATE)
    if found.revoked is not None:
        raise CeremonyError("REISSUE-REVOKED", f"{start}, which is revoked: {found.revoked}.", state=_STATE)
    for table in tables:
        if (table.serial == found.serial or table.name == found.name is not None) and table.reason != _SAME_KEY_STILL_GOOD:
            raise CeremonyError("REISSUE-REVOKED", f"{start}, which this script revokes: {table.reason}.", state=_STATE)
    for other in certified:
        same_key = other.public_key_sha256 == found.public_key_sha256
        if same_key and other.revoked is not None and not other.revoked.startswith(_SAME_KEY_STILL_GOOD):
            what = f"{start}, whose key is also that of {other.serial}, which is revoked: {other.revoked}."
            raise CeremonyError("REISSUE-REVOKED", what, state=_STATE)
    return found


def problems_with_reissued(found: Certified, public_key_sha256: str, subject: str) -> Iterator[tuple[str, str]]:
    """Why a request (SHA-256, hex, of its key in DER SPKI; its subject, RFC 4514) can't re-issue this certificate: code and words."""
    if public_key_sha256 != found.public_key_sha256:
        yield "REISSUE-KEY", f"its key {public_key_sha256} is not that of the certificate {found.serial}, {found.public_key_sha256}"
    if subject != found.subject:
        # What was issued under the name would not chain to another (RFC 5280 section 6.1.3 (a)(4)).
        its = f"its subject {shown_text(subject)}"
        yield "REISSUE-SUBJECT", f"{its} is not that of the certificate {found.serial}, {shown_text(found.subject)}"


def known_fields(found: Certified) -> Mapping[str, str]:
    """The fields of a certificate that the ledger tells, named as in certificates.fields_of."""
    return {
        "serial": grouped(found.serial),
        "not before": found.not_before,
        "not after": found.not_after,
        "subject": shown_text(found.subject),
        "public key SHA-256": grouped(found.public_key_sha256),
    }
