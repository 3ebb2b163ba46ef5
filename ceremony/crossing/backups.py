"""What the ledger keeps of copies of a root's key that were proved, and what the record holds of how."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ceremony.crossing.record import Record, Signature, data_as
from ceremony.crossing.request import Sha256
from ceremony.pki.key_health import AttributeRead
from ceremony.transcript import Line


class ProvedBackup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A copy that signed: serial of its token, SHA-256 (hex) of the key (DER SPKI), number of the CRL, and the day (YYYY-MM-DD, UTC)."""

    token: str
    public_key_sha256: Sha256
    crl_number: int
    day: str


class _Token(msgspec.Struct, frozen=True):
    serial: str
    initialised: bool = True


class Taken(msgspec.Struct, frozen=True):
    """The value of `take-token`: the token that was gone over to, and the serial of the one before."""

    token: _Token
    before: str = msgspec.field(name="from")


class CopyRead(msgspec.Struct, frozen=True):
    """The value of `look-at-copy`."""

    public_key_sha256: Sha256
    attributes: dict[str, AttributeRead]
    token: _Token


class LookAtCopy(msgspec.Struct, frozen=True):
    """A look at a copy: its line, what it told, where the token was taken before it in that step, and the CRL that was signed after."""

    line: Line
    read: CopyRead
    taken: Taken | None
    crl: Signature | None


def looks_at_copies(record: Record) -> Sequence[LookAtCopy]:
    """Every look at a copy, in order. Raises CeremonyError RECORD-BROKEN."""
    return [_look(record, line, value) for line, value in record.results("look-at-copy")]


def _look(record: Record, line: Line, value: dict[str, Any]) -> LookAtCopy:
    taken = [data_as(Taken, over, told) for over, told in record.results("take-token") if over.step == line.step and over.seq < line.seq]
    left = [back.seq for back, _ in record.results("leave-token") if back.step == line.step]
    crls = [
        signature
        for signature in record.signatures
        if signature.arguments.purpose == "crl" and signature.is_made and signature.line.step == line.step
        if signature.line.seq > line.seq and all(signature.line.seq < seq for seq in left)
    ]
    return LookAtCopy(line, data_as(CopyRead, line, value), taken[-1] if taken else None, crls[0] if crls else None)


def proved_in(record: Record) -> tuple[ProvedBackup, ...]:
    """The copies that this ceremony proved."""
    found = []
    for look in looks_at_copies(record):
        if look.crl is not None:
            day = record.products(look.line.step).ceremony_day or ""
            number = look.crl.arguments.crl_number or 0
            found.append(ProvedBackup(look.read.token.serial, look.read.public_key_sha256, number, day))
    return tuple(found)
