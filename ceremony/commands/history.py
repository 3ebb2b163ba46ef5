"""ceremony history BUNDLE...: the chain of ceremonies, drawn and verified; anyone, offline, without a token."""

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ceremony.commands.files import print_json, say
from ceremony.crossing.history import CeremonyOfHistory, History, history_of
from ceremony.errors import CeremonyError
from ceremony.words import fingerprint_typed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bundles, in any order, and the fingerprint of the newest."""
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE", help="in any order; of each ceremony at least the last")
    parser.add_argument("--fingerprint", metavar="F", help="the newest bundle's fingerprint from paper: 64 hex digits or 32 words")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Draws the chain, tells where it is broken, and the verdict."""
    try:
        fingerprint = fingerprint_typed(args.fingerprint) if args.fingerprint is not None else None
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.") from why
    history = history_of(args.bundles, fingerprint)
    if args.json:
        print_json({"format": 1, "verdict": history.word, **msgspec.to_builtins(history)})
        return int(history.exit_code)
    print(*drawn(history), sep="\n")
    if history.word == "UNANCHORED":
        say(
            "The bundles agree with each other, and anyone could have made them so.",
            "Give --fingerprint of the newest from paper. Whether a newer one exists, only paper and people can tell.",
        )
    return int(history.exit_code)


def drawn(history: History) -> Iterator[str]:
    """The chain from the first ceremony down, a branch's own ceremonies further in, then the problems and the verdict."""
    children: dict[str | None, list[CeremonyOfHistory]] = {}
    for ceremony in history.ceremonies:
        children.setdefault(ceremony.after, []).append(ceremony)
    for first in children.get(None, []):
        yield f"Root  {first.root_fingerprint or 'not known: the bundle of its first ceremony was not given'}"
        yield from _branch(first, children, "")
        yield ""
    yield from (f"FAILED  {problem.kind}: {problem.text}" for problem in history.problems)
    ceremonies = len(history.ceremonies)
    yield f"{ceremonies} ceremon{'y' if ceremonies == 1 else 'ies'}. Verdict: {history.word}"


def _branch(ceremony: CeremonyOfHistory, children: dict[str | None, list[CeremonyOfHistory]], inset: str) -> Iterator[str]:
    """One ceremony and all that go on from it; a plain chain stays at its inset, however long it is."""
    waiting: CeremonyOfHistory | None = ceremony
    while waiting is not None:
        after = children.get(waiting.ceremony, [])
        yield from (inset + line for line in _about(waiting, "|" if after else " "))
        for branch in after[:-1]:
            yield f"{inset}+---FORK"
            yield from _branch(branch, children, inset + "|   ")
        waiting = after[-1] if after else None
        if waiting:
            yield f"{inset}|"


def _about(ceremony: CeremonyOfHistory, line: str) -> Iterator[str]:
    day = ceremony.bundles[-1].sealed[:10] if ceremony.bundles else "----------"
    yield f"[{ceremony.number}] {day}  {ceremony.title or 'MISSING: no bundle of it was given'}{'  REHEARSAL' * ceremony.rehearsal}"
    yield f"{line}   ceremony {ceremony.ceremony}"
    signed = [f"{count} {purpose}" for purpose, count in ceremony.signed.items()]
    signed += [f"CRL {ceremony.crl}"] if ceremony.crl is not None else []
    if ceremony.lost:
        told = textwrap.wrap(f"WITHOUT THE LEDGER BEFORE IT: {ceremony.lost}", 76, break_on_hyphens=False)
        yield from (f"{line}   {part}" for part in told)
    yield f"{line}   signed: {', '.join(signed) or 'nothing'}"
    for bundle in ceremony.bundles:
        yield f"{line}   bundle {bundle.bundle}  {bundle.path}"
        yield f"{line}   {bundle.fingerprint}"
