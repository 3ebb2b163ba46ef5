"""Checks receipts beside the bundle that they go on from. Offline: nothing here asks the service."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ceremony.crossing.bundle import CAPS, LEDGER
from ceremony.crossing.files import read_tree
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.subject import Subject, read_subject
from ceremony.crossing.verify import Check
from ceremony.errors import CeremonyError
from ceremony.online.receipts import LARGEST_FILE, NO_BUNDLE, Receipt, read_receipts
from ceremony.pki.names import shown_text


def checks_of_receipts(bundle: Path, receipts: Path) -> tuple[Check, ...]:
    """Three checks: the chain, where it begins, and that what it names is of this bundle's record and files.

    Raises CeremonyError RECEIPTS-UNREADABLE for a file that can't be read, BUNDLE-MISSING, RECORD-BROKEN.
    """
    try:
        with receipts.open("rb") as file:
            octets = file.read(LARGEST_FILE + 1)
    except OSError as failed:
        raise CeremonyError("RECEIPTS-UNREADABLE", f"{shown_text(str(receipts))} can't be read: {failed.strerror}.") from failed
    files = read_tree(bundle, CAPS).files
    subject = read_subject(files)
    known = [subject.record.fingerprint, *(seal for ceremony in read_ledger(files[LEDGER]).ceremonies for seal in ceremony.seals)]
    if subject.record.opened.previous is not None:
        known.append(subject.record.opened.previous.fingerprint)
    try:
        lines, torn = read_receipts(octets)
    except CeremonyError as broken:
        return (Check("receipts-chain", False, broken.what),)
    end = f", and a torn line of {torn} bytes that was never announced" if torn else ""
    told = f"{len(lines)} lines, each holds the digest of the line before{end}"
    return (
        _check("receipts-chain", () if lines else ["there is no whole line"], told),
        _check("receipts-beginning", _problems_with_beginning(lines, known), "they go on from the fingerprint of this record"),
        _check("receipts-bundle", _problems_with_lines(lines, known, subject), "what they name is of this record"),
    )


def _problems_with_beginning(lines: list[Receipt], known: list[str]) -> Iterator[str]:
    if lines and lines[0].prev == NO_BUNDLE:
        yield "they were begun without a bundle (`ceremony online disable` needs none): nothing binds their beginning to this record"
    elif lines and lines[0].prev not in known:
        yield f"they begin from {lines[0].prev}, which is no fingerprint of this bundle's record"


def _problems_with_lines(lines: list[Receipt], known: list[str], subject: Subject) -> Iterator[str]:
    sealed = {artifact.sha256 for artifact in subject.record.sealed.artifacts}
    disabled: set[tuple[Any, Any]] = set()
    for line in lines:
        if line.kind == "group-disabled":
            disabled.add((line.data.get("service"), line.data.get("name")))
        if line.kind == "device-disabled" and (line.data.get("service"), line.data.get("group")) not in disabled:
            yield f"line {line.seq} is about a device of a group that no line before it says was disabled"
        fingerprint, file = line.data.get("bundle"), line.data.get("file_sha256")
        if fingerprint is not None and fingerprint not in known:
            yield f"line {line.seq} is about a bundle that this record does not know, {shown_text(str(fingerprint))}: a later one?"
        elif file is not None and file not in sealed:
            yield f"line {line.seq} is about a file that this bundle does not hold"
        root = line.data.get("root_fingerprint")
        if root is not None and root != subject.root_fingerprint:
            yield f"line {line.seq} is about another root"


def _check(name: str, problems: Iterable[str], passed: str) -> Check:
    found = list(problems)
    return Check(name, not found, "; ".join(found[:5]) + f"; and {len(found) - 5} more" * (len(found) > 5) if found else passed)
