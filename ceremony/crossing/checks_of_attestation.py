"""What `verify` asks of a device attestation: the chain in the bundle holds, by the script, for the root's own key."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.subject import Subject
from ceremony.errors import CeremonyError
from ceremony.pki.attestation import Attested, attested, read_chain
from ceremony.transcript import Line
from ceremony.words import words_of

_STEP, _KIND = "attest-key", "attestation-chain"


def problems_with_attestation(subject: Subject) -> Iterator[str]:
    """Each finished step `attest-key` left one chain, the one that came in, which two people saw; nothing else leaves one."""
    steps, record = subject.script.steps, subject.record
    finished = {line.step for line in record.of_type("step-finished")}
    chains = {record.steps_of_artifacts.get(artifact.path): artifact.path for artifact in record.sealed.artifacts if artifact.kind == _KIND}
    for step, path in chains.items():
        if step is None or not 0 < step <= len(steps) or steps[step - 1].kind != _STEP:
            yield f"{path} was written by no step of kind {_STEP}"
    for number, step_of_script in enumerate(steps, 1):
        if step_of_script.kind != _STEP or number not in finished:
            continue
        came_in = [(line, value) for line, value in record.results("import-attestation") if line.step == number]
        if number not in chains or not came_in:
            yield f"step {number} ended without an attestation"
            continue
        yield from (f"{chains[number]}: {problem}" for problem in _problems_with(subject, chains[number], *came_in[-1]))


def _problems_with(subject: Subject, path: str, line: Line, value: dict[str, Any]) -> Iterator[str]:
    record, octets, made_up = subject.record, subject.files.get(path, b""), value.get("made_up") is True
    if made_up and not record.opened.rehearsal:
        yield f"line {line.seq} tells of a chain that a rehearsal made up"
    if octets.decode("ascii", "replace") != value.get("pem"):
        yield f"it is not the chain of line {line.seq}"
    products = record.products(line.step)
    keys = [key for key in record.keys if subject.root and bytes.fromhex(key.public_key) == subject.root.public_key_der]
    if subject.script.attestation is None or not keys or products.ceremony_day is None:
        yield "the script's [attestation], the making of the root's key or the day is missing"
        return
    day = dt.date.fromisoformat(products.ceremony_day)
    key = bytes.fromhex(keys[-1].public_key)
    try:
        found = attested(read_chain(octets), subject.script.attestation, key, day, products.root_token, made_up=made_up)
    except CeremonyError as refused:
        yield refused.what
        return
    yield from _unseen(subject, line, found)


def _unseen(subject: Subject, line: Line, found: Attested) -> Iterator[str]:
    after = [other for other in subject.record.of_type("confirmed") if other.step == line.step and other.seq > line.seq]
    answers = [data_as(Answered, other) for other in after]
    words = words_of(found.root_sha256)
    typed = [
        {answer.by for answer in answers if (answer.digest, answer.value) == (found.root_sha256, " ".join(part))}
        for part in (words[:4], words[4:8])
    ]
    if not any(first != second for first in typed[0] for second in typed[1]):
        yield "no two people typed words of the vendor's root"
