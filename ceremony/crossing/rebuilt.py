"""A ledger that is lost, made again from the bundles that are left: each transcript is the evidence, its ledger a function of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ceremony.crossing.bundle import CAPS, LEDGER, TRANSCRIPT
from ceremony.crossing.files import read_tree
from ceremony.crossing.ledger import ledger_of, read_ledger, without_last
from ceremony.crossing.record import Record
from ceremony.crossing.subject import Subject, read_subject
from ceremony.errors import CeremonyError
from ceremony.pki.lost_ledger import LostLedger
from ceremony.pki.names import shown_text

_NOTHING = "Nothing was begun."


@dataclass(frozen=True)
class _Left:
    """A bundle that is left."""

    path: Path
    subject: Subject

    @property
    def record(self) -> Record:
        return self.subject.record

    @cached_property
    def ledger(self) -> bytes | None:
        """Its own ledger; None where it is missing, or not the one that its record makes."""
        stored = self.subject.files.get(LEDGER)
        try:
            return stored if stored is not None and ledger_of(self.record.lines, without_last(stored)) == stored else None
        except CeremonyError:
            return None


def ledger_made_again(bundles: Sequence[Path], lost: LostLedger) -> tuple[Path, bytes]:
    """The bundle to go on from, which is the newest that is left and the one that the script names, and its ledger.

    Every bundle there is must be given. The last one is not verified here: its copy is, with the ledger in its place. Raises
    CeremonyError PREVIOUS-REFUSED, PREVIOUS-OLDER, PREVIOUS-GAP, PREVIOUS-OTHER-ROOT, PREVIOUS-NOT-LOST.
    """
    left = {found.record.fingerprint: found for found in map(_read, bundles)}
    named = left.get(lost.after)
    if named is None:
        told = "; ".join(f"{found.path} has {fingerprint}" for fingerprint, found in left.items())
        raise _refused("PREVIOUS-REFUSED", f"The script starts from the fingerprint {lost.after}; {told}")
    _require_lost(left, named, lost)
    _require_newest(left, named)
    ledger = _ledger_of(named, left)
    known = {ceremony.ceremony for ceremony in read_ledger(ledger).ceremonies}
    for found in left.values():
        if found.record.opened.ceremony not in known:
            raise _stranger(found, named, left)
    for one, other in _of_one_ceremony(left.values()):
        raise _refused("PREVIOUS-REFUSED", f"The bundles {one.path} and {other.path} are two histories of one ceremony: a fork")
    return named.path, ledger


def _read(path: Path) -> _Left:
    try:
        subject = read_subject(read_tree(path, CAPS).files)
    except (CeremonyError, OSError) as broken:
        why = broken.what if isinstance(broken, CeremonyError) else broken.strerror
        raise _refused("PREVIOUS-REFUSED", f"The bundle {path} can't be read: {why}") from broken
    if subject.record.opened.rehearsal:
        raise _refused("PREVIOUS-REFUSED", f"The bundle {path} is a rehearsal's, and this is none")
    return _Left(path, subject)


def _require_lost(left: dict[str, _Left], named: _Left, lost: LostLedger) -> None:
    holds_it = (found for found in left.values() if any(line.sha256 == lost.last for line, _ in found.record.seals))
    there = next(holds_it, None) if lost.is_hole else None
    if there is not None:
        what = f"The script says that what ends with {lost.last} is lost, and the bundle {there.path} holds that line"
        raise _refused("PREVIOUS-NOT-LOST", what)
    if not lost.is_hole and named.ledger is not None:
        raise _refused("PREVIOUS-NOT-LOST", f"The script says that the ledger of {named.path} is lost, and it is there, whole")


def _require_newest(left: dict[str, _Left], named: _Left) -> None:
    for found in left.values():
        previous = found.record.opened.previous
        goes_on = previous is not None and previous.fingerprint == named.record.fingerprint
        later = found is not named and any(line.sha256 == named.record.fingerprint for line, _ in found.record.seals)
        if goes_on or later:
            what = f"The script starts from the bundle {named.path}, and the bundle {found.path} goes on from that: it is the newer one"
            raise _refused("PREVIOUS-OLDER", what)


def _ledger_of(at: _Left, left: dict[str, _Left]) -> bytes:
    """From the newest whole ledger on, or the first ceremony: one transcript after the other."""
    if at.ledger is not None:
        return at.ledger
    previous = at.record.opened.previous
    if previous is None:
        return ledger_of(at.record.lines, None)
    before = left.get(previous.fingerprint)
    if before is None:
        what = f"The bundle {at.path} goes on from the bundle with the fingerprint {previous.fingerprint}, which was not given"
        raise _refused("PREVIOUS-GAP", what)
    return ledger_of(at.record.lines, _ledger_of(before, left))


def _stranger(found: _Left, named: _Left, left: dict[str, _Left]) -> CeremonyError:
    """Why a bundle of a ceremony that the ledger does not know was given."""
    previous = found.record.opened.previous
    if previous is not None and previous.fingerprint in left:
        return _refused("PREVIOUS-REFUSED", f"The bundles {found.path} and {named.path} go on from one place: a fork")
    if found.subject.root_fingerprint == named.subject.root_fingerprint and previous is not None:
        what = f"The bundle {found.path} goes on from the bundle with the fingerprint {previous.fingerprint}, which was not given"
        return _refused("PREVIOUS-GAP", what)
    return _refused("PREVIOUS-OTHER-ROOT", f"The bundles {found.path} and {named.path} are of two chains")


def _of_one_ceremony(left: Iterable[_Left]) -> Iterator[tuple[_Left, _Left]]:
    """Pairs of one ceremony of which neither transcript is the beginning of the other."""
    found = list(left)
    for at, one in enumerate(found):
        for other in found[at + 1 :]:
            shorter, longer = sorted((one.subject.files[TRANSCRIPT], other.subject.files[TRANSCRIPT]), key=len)
            if one.record.opened.ceremony == other.record.opened.ceremony and not longer.startswith(shorter):
                yield one, other


def _refused(code: str, what: str) -> CeremonyError:
    return CeremonyError(code, shown_text(f"{what}."), state=_NOTHING)
