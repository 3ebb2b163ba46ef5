"""What `verify` asks of logs that came in: looked at by two people, from a medium that was fit; public only where the script says so."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ceremony.crossing.artifacts import place_of
from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.request import Sha256
from ceremony.crossing.subject import Subject
from ceremony.transcript import Line
from ceremony.words import words_of

_STEP = "capture-hsm-log"


class _Log(msgspec.Struct, frozen=True):
    file: str
    sha256: Sha256
    size: int


def problems_with_attachments(subject: Subject) -> Iterator[str]:
    """Each step `capture-hsm-log` has its log; each public file is the log of a step that the script makes public, and the reverse."""
    record, steps = subject.record, subject.script.steps
    logs = [(line, data_as(_Log, line, value)) for line, value in record.results("import-evidence")]
    finished = {line.step for line in record.of_type("step-finished")}
    wanted: dict[str, str] = {}
    for number, step in enumerate(steps, 1):
        here = [(line, log) for line, log in logs if line.step == number]
        if step.kind == _STEP and number in finished and not here:
            yield f"step {number} ended without a log"
        if step.kind != _STEP and here:
            yield f"step {number} of the kind {step.kind} takes in no log"
        for line, log in here[-1:]:
            if number in finished:
                yield from _problems_with(subject, line, log)
            if step.public and number in finished:
                wanted[f"attestation/{step.name}/{log.file}"] = log.sha256
    public = {artifact.path: artifact.sha256 for artifact in record.sealed.artifacts if artifact.kind == "vendor-evidence"}
    for path in sorted(wanted.keys() | public.keys()):
        if wanted.get(path) != public.get(path):
            yield f"{path} is not the log that a step took in and the script makes public"


def _problems_with(subject: Subject, line: Line, log: _Log) -> Iterator[str]:
    later = (other for other in subject.record.of_type("confirmed") if other.step == line.step and other.seq > line.seq)
    answers = [data_as(Answered, other) for other in later]
    words = words_of(log.sha256)
    by: list[set[Any]] = [
        {answer.by for answer in answers if (answer.digest, answer.value) == (log.sha256, " ".join(part))}
        for part in (words[:4], words[4:8])
    ]
    if not any(first != second for first in by[0] for second in by[1]):
        yield f"no two people read the digest of the log of line {line.seq}"
    if place_of(f"attestation/x/{log.file}") is None:
        yield f"the log of line {line.seq} has a name that no file of ours has"
