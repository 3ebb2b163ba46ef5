"""Which of the bundles that were given is the one to go on from, and why another is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ceremony.crossing.bundle import CAPS, LEDGER, TRANSCRIPT
from ceremony.crossing.chain import Place, place_in_chain
from ceremony.crossing.files import read_tree
from ceremony.crossing.history import history_of
from ceremony.crossing.rebuilt import ledger_made_again
from ceremony.crossing.subject import Subject, read_subject
from ceremony.errors import CeremonyError
from ceremony.pki.lost_ledger import PreviousTable
from ceremony.pki.names import name_text, parse_name, shown_text

_NOTHING = "Nothing was begun."


class NamedRoot(Protocol):
    """A root as a script names it: the label of its key, and its subject (RFC 4514)."""

    @property
    def label(self) -> str:
        """The label."""

    @property
    def subject(self) -> str:
        """The subject."""


def previous_to_go_on_from(bundles: Sequence[Path], previous: PreviousTable, root: NamedRoot | None) -> tuple[Path, bytes | None]:
    """The bundle to go on from, and its ledger made again where the script says that it is lost.

    Raises CeremonyError as `bundle_to_go_on_from` and `rebuilt.ledger_made_again` do.
    """
    if previous.lost is None:
        return bundle_to_go_on_from(bundles, previous.fingerprint, root), None
    path, ledger = ledger_made_again(bundles, previous.lost)
    if root is not None:
        _require_root(path, read_subject(read_tree(path, CAPS).files), root)
    return path, ledger


def bundle_to_go_on_from(bundles: Sequence[Path], fingerprint: str, root: NamedRoot | None) -> Path:
    """The one with the fingerprint that the script names (64 lower-case hex digits), which must be the last of all that were given.

    `root` is the one that the script takes up, which must be one of the bundle's; None for a script that takes up none. The bundle is
    not verified here when it is the only one: its copy is, later. Raises CeremonyError PREVIOUS-MISSING, PREVIOUS-OLDER,
    PREVIOUS-OTHER-ROOT, PREVIOUS-REFUSED.
    """
    for path in bundles:
        require_bundle(path)
    if len(bundles) > 1:
        _require_one_chain(bundles)
    subjects = {path: _read(path) for path in bundles}
    places = {path: _place(path, subject) for path, subject in subjects.items()}
    named = next((path for path, place in places.items() if place.fingerprint == fingerprint), None)
    for path, place in places.items():
        if fingerprint in place.seals or (place.previous and place.previous.fingerprint == fingerprint):
            what = f"The script starts from the fingerprint {fingerprint}, and the bundle {path} goes on from that: it is the newer one."
            raise CeremonyError("PREVIOUS-OLDER", shown_text(what), state=_NOTHING)
    if named is None:
        found = "; ".join(f"{path} has {place.fingerprint}" for path, place in places.items())
        what = f"The script starts from the fingerprint {fingerprint}; {found}."
        raise CeremonyError("PREVIOUS-REFUSED", shown_text(what), state=_NOTHING)
    if newer := next((path for path, place in places.items() if len(place.lineage) > len(places[named].lineage)), None):
        what = f"The script starts from the bundle {named}, and the bundle {newer} is of a later ceremony of that chain."
        raise CeremonyError("PREVIOUS-OLDER", shown_text(what), state=_NOTHING)
    if root is not None:
        _require_root(named, subjects[named], root)
    return named


def require_bundle(path: Path) -> None:
    """There is a bundle at `path`. Raises CeremonyError PREVIOUS-MISSING."""
    missing = next((name for name in (TRANSCRIPT, LEDGER) if not (path / name).is_file()), None)
    if missing:
        what = f"{shown_text(str(path))} is no bundle of an earlier ceremony: it has no {missing}."
        raise CeremonyError("PREVIOUS-MISSING", what, state=_NOTHING)


def _read(path: Path) -> Subject:
    try:
        return read_subject(read_tree(path, CAPS).files)
    except CeremonyError as broken:
        raise _unreadable(path, broken) from broken


def _unreadable(path: Path, broken: CeremonyError) -> CeremonyError:
    what = f"The bundle {shown_text(str(path))} can't be read: {broken.what}"
    return CeremonyError("PREVIOUS-REFUSED", what, state=_NOTHING)


def _place(path: Path, subject: Subject) -> Place:
    try:
        place = place_in_chain(subject)
    except CeremonyError as broken:
        raise _unreadable(path, broken) from broken
    if place.rehearsal:
        what = f"The bundle {shown_text(str(path))} is a rehearsal's, and this is none."
        raise CeremonyError("PREVIOUS-REFUSED", what, state=_NOTHING)
    return place


def _require_root(path: Path, subject: Subject, root: NamedRoot) -> None:
    holds = [f"{label} ({name_text(found.certificate.subject)})" for label, found in sorted(subject.roots.items())]
    wanted = f"{root.label} ({name_text(parse_name(root.subject))})"
    if wanted not in holds:
        what = f"The bundle {path} holds the root {', '.join(holds) or 'none'}; the script takes up {wanted}."
        raise CeremonyError("PREVIOUS-OTHER-ROOT", shown_text(what), state=_NOTHING)


def _require_one_chain(bundles: Sequence[Path]) -> None:
    """A gap is no reason to refuse: whoever begins a ceremony need not have all bundles that ever were."""
    for problem in history_of(bundles).problems:
        if problem.kind == "other-root":
            raise CeremonyError("PREVIOUS-OTHER-ROOT", f"Of the bundles given, {problem.text}.", state=_NOTHING)
        if problem.kind != "gap":
            raise CeremonyError("PREVIOUS-REFUSED", f"The bundles given are no chain: {problem.kind}: {problem.text}.", state=_NOTHING)
