"""Ledgers that were lost in a chain: what the next CRL has to leave out, and what `verify` asks of the ceremony that went on."""

from collections.abc import Iterator, Sequence

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import LedgerOfCeremony, read_ledger
from ceremony.crossing.record import Deviation, Record, data_as
from ceremony.crossing.subject import Subject
from ceremony.pki.lost_ledger import LEDGER_LOST, LostLedger
from ceremony.pki.names import shown_text


def numbers_left_out(ceremonies: Sequence[LedgerOfCeremony]) -> int:
    """By how much more than one the number of the next CRL goes up: ledgers were lost after the last one.

    `ceremonies` are all up to the one that makes the next CRL, the oldest first.
    """
    after = next((at for at in reversed(range(len(ceremonies))) if ceremonies[at].crl), -1) + 1
    return sum(ceremony.lost.jump for ceremony in ceremonies[after:] if ceremony.lost)


def lost_before(ceremonies: Sequence[LedgerOfCeremony]) -> bool:
    """Whether something may have been signed that these ceremonies do not tell of."""
    return any(ceremony.lost and ceremony.lost.is_hole for ceremony in ceremonies)


def holes(subject: Subject) -> list[str]:
    """What no bundle of this chain tells of, a sentence for each ledger that was lost. Raises CeremonyError LEDGER-BROKEN."""
    ceremonies = read_ledger(subject.files[LEDGER]).ceremonies if LEDGER in subject.files else ()
    return [f"ceremony {shown_text(ceremony.ceremony)}: {ceremony.lost.text()}" for ceremony in ceremonies if ceremony.lost]


def problems_with_lost_ledger(subject: Subject) -> Iterator[str]:
    """A ceremony goes on without the last ledger only as its script says, and when two people bore it before the root was used."""
    opened, table = subject.record.opened, subject.script.previous
    lost = opened.previous.lost if opened.previous else None
    said = table.lost if table else None
    if lost is None and said is None:
        return
    if lost is None or said is None or not _alike(said, lost, rehearsal=opened.rehearsal):
        yield "script and record differ in whether the ledger before was lost, and how"
    if lost and not _borne(subject.record):
        yield f"the ledger before was lost ({lost.text()}), and no two people bore that before the root was used"


def _alike(said: LostLedger, lost: LostLedger, *, rehearsal: bool) -> bool:
    """A rehearsal goes on from a made-up past, of another fingerprint than the script's."""
    return (said.last, said.reason, said.jump) == (lost.last, lost.reason, lost.jump) and (rehearsal or said.after == lost.after)


def _borne(record: Record) -> bool:
    first = min((signature.line.seq for signature in record.signatures), default=len(record.lines) + 1)
    deviations = (data_as(Deviation, line) for line in record.of_type("deviation") if line.seq < first)
    return any(found.kind == "override" and found.text.startswith(f"{LEDGER_LOST}: ") for found in deviations)
