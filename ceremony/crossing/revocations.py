"""What the ledger keeps of CRLs: which came of a ceremony, and whom it revokes."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from ceremony.crossing.artifacts import place_of
from ceremony.crossing.record import Record, Signature
from ceremony.errors import CeremonyError
from ceremony.pki.crl import Crl, read_to_be_signed_crl
from ceremony.pki.profiles import utc_text
from ceremony.pki.revocation import Reason, Revoked


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate that is revoked: its serial (40 hex digits), why, and since when (UTC)."""

    serial: str
    reason: Reason
    date: str

    def as_entry(self) -> Revoked:
        """The same as an entry of a CRL."""
        return Revoked(int(self.serial, 16), datetime.fromisoformat(self.date), self.reason)


class IssuedCrl(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A CRL: its root's label, its number, from when and until when (UTC), SHA-256 (hex) of its file and the file's path in the bundle."""

    label: str
    number: int
    this_update: str
    next_update: str
    sha256: str
    path: str


def issued_in(record: Record, before: Iterable[Revocation]) -> tuple[IssuedCrl | None, tuple[Revocation, ...]]:
    """The CRL that this ceremony made, if any, and what it revokes that was not revoked before, sorted by serial.

    Raises CeremonyError RECORD-BROKEN, CRL-BROKEN.
    """
    signatures = [signature for signature in record.signatures if signature.arguments.purpose == "crl"]
    drafts = {signature.arguments.identity: _drafted(record, signature) for signature in signatures}
    made = [signature for signature in signatures if signature.is_made]
    if not made:
        return None, ()
    signature, crl = made[-1], drafts[made[-1].arguments.identity]
    written = [artifact for artifact in record.artifacts if place_of(artifact.path) == ("crl", signature.name)]
    if len(made) > 1 or len(written) != 1:
        raise CeremonyError("RECORD-BROKEN", f"{len(made)} CRLs were signed, and {len(written)} were written.")
    known = {revocation.serial for revocation in before}
    entries = (Revocation(f"{entry.serial:040x}", entry.reason, utc_text(entry.date)) for entry in crl.revoked)
    issued = IssuedCrl(
        label=signature.name,
        number=crl.number,
        this_update=utc_text(crl.this_update),
        next_update=utc_text(crl.next_update),
        sha256=written[0].sha256,
        path=written[0].path,
    )
    return issued, tuple(entry for entry in entries if entry.serial not in known)


def _drafted(record: Record, signature: Signature) -> Crl:
    """What a signature of this purpose was intended over: the CRL of its number, stored before. A certificate can't pass for one."""
    stored = record.stored_bytes.get(signature.arguments.sha256)
    crl = read_to_be_signed_crl(stored[1]) if stored and stored[0].seq < signature.line.seq else None
    if crl is None or crl.number != signature.arguments.crl_number:
        what = f"Line {signature.line.seq} of the transcript is not about a CRL of that number that was stored before."
        raise CeremonyError("RECORD-BROKEN", what)
    return crl


def numbers_given_up(record: Record) -> Sequence[int]:
    """The numbers of CRLs whose signature was given up in this ceremony: they count as used."""
    return [
        signature.arguments.crl_number or 0
        for signature in record.signatures
        if signature.arguments.purpose == "crl" and not signature.is_made
    ]
