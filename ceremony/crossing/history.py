"""The chain of ceremonies that some bundles tell of: each verified, the links between them, and where it is broken.

Only the newest bundle needs an anchor from outside: each ceremony hangs on the fingerprint of the one before, back to the first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from ceremony.crossing.bundle import CAPS
from ceremony.crossing.chain import Lineage, Place, breaks_between, place_in_chain
from ceremony.crossing.files import read_tree
from ceremony.crossing.ledger import LedgerOfCeremony
from ceremony.crossing.subject import Subject, read_subject
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError, ExitCode
from ceremony.pki.names import shown_text


class Problem(msgspec.Struct, frozen=True):
    """Where the chain is broken. `kind` is one of chain.BreakKind, `bundle` (it does not verify), or `fingerprint` (the anchor)."""

    kind: str
    text: str


class BundleOfHistory(msgspec.Struct, frozen=True):
    """A bundle that was given: where, its number within its ceremony, its fingerprint, the time of its seal (machine's clock)."""

    path: str
    bundle: int
    fingerprint: str
    sealed: str


class CeremonyOfHistory(msgspec.Struct, frozen=True):
    """A ceremony of the chain. `number` counts from the first; `after` is the ceremony before.

    Of one that only a later ledger tells of, `bundles` is empty, and title and root are None. `signed` counts what it signed by
    purpose; what may have been signed is counted as `possibly-signed`. `crl` is the number of the CRL that it made, None for none.
    `lost` tells what is not known since the ledger before it was lost, None where it was not.
    """

    number: int
    ceremony: str
    after: str | None
    rehearsal: bool
    script_sha256: str
    title: str | None
    root_fingerprint: str | None
    signed: dict[str, int]
    crl: int | None
    lost: str | None
    bundles: tuple[BundleOfHistory, ...]


class History(msgspec.Struct, frozen=True):
    """The chain. Ceremonies stand in the order of a walk from the first, branch by branch. All texts may be shown."""

    ceremonies: tuple[CeremonyOfHistory, ...]
    problems: tuple[Problem, ...]
    newest: str | None
    anchored: bool

    @property
    def exit_code(self) -> ExitCode:
        """0 whole and anchored, 8 whole but unanchored, 1 when it is broken anywhere."""
        if self.problems:
            return ExitCode.CHECK_FAILED
        return ExitCode.DONE if self.anchored else ExitCode.UNANCHORED

    @property
    def word(self) -> str:
        """The verdict in a word: GOOD, UNANCHORED or FAILED."""
        return {ExitCode.DONE: "GOOD", ExitCode.UNANCHORED: "UNANCHORED"}.get(self.exit_code, "FAILED")


class _Given(msgspec.Struct, frozen=True):
    """A bundle that could be read."""

    path: Path
    subject: Subject
    place: Place


def history_of(bundles: Sequence[Path], fingerprint: str | None = None) -> History:
    """Verifies these bundles, in any order, and the links between them; the newest against `fingerprint` (64 lower-case hex digits).

    Raises CeremonyError BUNDLE-MISSING.
    """
    problems: list[Problem] = []
    given = _read(bundles, problems)
    by_lineage: dict[Lineage, list[_Given]] = {}
    for found in given:
        by_lineage.setdefault(found.place.lineage, []).append(found)
    for of_one in by_lineage.values():
        of_one.sort(key=lambda found: len(found.subject.record.lines))
    lineages = _walked({found.place.lineage[:length] for found in given for length in range(1, len(found.place.lineage) + 1)})
    problems += [*_other_roots(by_lineage), *_forks(lineages), *_gaps(lineages, by_lineage), *_broken_links(by_lineage)]
    newest = by_lineage[max(by_lineage, key=len)][-1].place if by_lineage else None
    anchored = newest is not None and newest.fingerprint == fingerprint
    if fingerprint is not None and not anchored:
        found_at = next((found.path for found in given if found.place.fingerprint == fingerprint), None)
        of_what = f"is that of {found_at}, and newer bundles were given" if found_at else "is of no bundle that was given"
        problems.append(Problem("fingerprint", shown_text(f"the fingerprint {fingerprint} {of_what}")))
    places = [found.place for found in given]
    told = {place.lineage[: at + 1]: entry for place in places for at, entry in enumerate(place.ledger.ceremonies)}
    return History(
        ceremonies=tuple(_ceremony(lineage, told[lineage], by_lineage.get(lineage, [])) for lineage in lineages),
        problems=tuple(problems),
        newest=newest.fingerprint if newest else None,
        anchored=anchored,
    )


def _read(bundles: Iterable[Path], problems: list[Problem]) -> list[_Given]:
    """Those that can be placed, once each. What is wrong with them themselves becomes a problem, and they are drawn all the same."""
    given: dict[str, _Given] = {}
    for path in bundles:
        verdict = verify_bundle(path)
        problems += [_of_bundle(path, f"{check.name}: {check.detail}") for check in verdict.checks if not check.passed]
        if verdict.fingerprint is None:
            continue
        try:
            subject = read_subject(read_tree(path, CAPS).files)
            place = place_in_chain(subject)
            if not place.lineage or place.lineage[-1] != place.ceremony:
                raise CeremonyError("LEDGER-BROKEN", "The ledger does not end with this ceremony.")
        except (CeremonyError, OSError) as broken:
            problems.append(_of_bundle(path, f"it has no place in the chain: {broken}"))
            continue
        if place.fingerprint != verdict.fingerprint:
            problems.append(_of_bundle(path, "it changed while it was read"))
        given.setdefault(place.fingerprint, _Given(path, subject, place))
    return list(given.values())


def _of_bundle(path: Path, text: str) -> Problem:
    return Problem("bundle", shown_text(f"{path}: {text}"))


def _walked(lineages: set[Lineage]) -> list[Lineage]:
    """Each right behind the one before it; where several go on from one, the longer branch last, as it is the chain's own way on."""
    reach = {lineage: max(len(other) for other in lineages if other[: len(lineage)] == lineage) for lineage in lineages}
    return sorted(lineages, key=lambda lineage: [(reach[lineage[: at + 1]], id) for at, id in enumerate(lineage)])


def _other_roots(by_lineage: dict[Lineage, list[_Given]]) -> Iterator[Problem]:
    """Every chain begins with one first ceremony; two of these are two roots."""
    chains = {lineage[0]: found[-1].place.root_fingerprint for lineage, found in sorted(by_lineage.items(), key=lambda item: len(item[0]))}
    if len(chains) > 1:
        told = "; ".join(f"first ceremony {first}, root {root or 'none'}" for first, root in chains.items())
        yield Problem("other-root", f"these are {len(chains)} chains under roots of their own: {told}")


def _forks(lineages: Sequence[Lineage]) -> Iterator[Problem]:
    children: dict[Lineage, list[str]] = {}
    for lineage in lineages:
        if len(lineage) > 1:
            children.setdefault(lineage[:-1], []).append(lineage[-1])
    for lineage, after in children.items():
        if len(after) > 1:
            yield Problem("fork", shown_text(f"{len(after)} ceremonies go on from ceremony {lineage[-1]}: {', '.join(after)}"))


def _gaps(lineages: Sequence[Lineage], by_lineage: dict[Lineage, list[_Given]]) -> Iterator[Problem]:
    for lineage in lineages:
        if lineage not in by_lineage:
            where = f"ceremony {len(lineage)} of the chain, {lineage[-1]}"
            yield Problem("gap", shown_text(f"no bundle was given of {where}, which a later ledger tells of"))


def _broken_links(by_lineage: dict[Lineage, list[_Given]]) -> Iterator[Problem]:
    """Between the bundles of a ceremony, and from its first to the last one of the ceremony before."""
    for lineage, found in by_lineage.items():
        before = by_lineage.get(lineage[:-1], [])[-1:]
        chain = [*before, *found]
        for one, other in zip(chain, chain[1:], strict=False):
            for broken in breaks_between(one.place, other.place):
                yield Problem(broken.kind, shown_text(f"from {one.path} to {other.path}: {broken.text}"))
        if len(lineage) == 1 and found[0].place.previous:
            yield Problem("ledger", shown_text(f"{found[0].path} names a ceremony before it, and its ledger does not"))


def _ceremony(lineage: Lineage, told: LedgerOfCeremony, given: Sequence[_Given]) -> CeremonyOfHistory:
    last = given[-1] if given else None
    own = last.place.ledger.ceremonies[-1] if last else told
    return CeremonyOfHistory(
        number=len(lineage),
        ceremony=shown_text(lineage[-1]),
        after=shown_text(lineage[-2]) if len(lineage) > 1 else None,
        rehearsal=told.rehearsal,
        script_sha256=shown_text(told.script_sha256),
        title=shown_text(last.subject.record.opened.script.title) if last else None,
        root_fingerprint=last.place.root_fingerprint if last else None,
        signed=dict(sorted(Counter(entry.purpose if entry.state == "issued" else entry.state for entry in own.entries).items())),
        crl=own.crl.number if own.crl else None,
        lost=own.lost.text() if own.lost else None,
        bundles=tuple(
            BundleOfHistory(shown_text(str(found.path)), found.place.bundle, found.place.fingerprint, found.subject.record.lines[-1].time)
            for found in given
        ),
    )
