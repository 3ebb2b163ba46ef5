"""What `verify` asks of a copy of the root's key: another token, the same key, no weaker, seen by two people, proved by the CRL."""

from collections.abc import Iterator

import msgspec

from ceremony.crossing.backups import LookAtCopy, looks_at_copies
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.checks_of_loss import problems_with_tokens
from ceremony.crossing.ledger import key_attributes_in, read_ledger
from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.subject import Subject
from ceremony.crossing.tokens import copies_left
from ceremony.pki.key_health import problems_with_copy
from ceremony.words import words_of

_STEP = "prove-backup"
_VERBS = ("take-token", "look-at-copy", "leave-token")


def problems_with_backup(subject: Subject) -> Iterator[str]:
    """Each finished step `prove-backup` proved one copy, as the script's `[backup]` has it; nothing else goes over to a second token."""
    yield from problems_with_tokens(subject)
    record, steps = subject.record, subject.script.steps
    looks = looks_at_copies(record)
    for verb in _VERBS:
        for line, _ in record.acts_of(verb):
            if not line.step or line.step > len(steps) or steps[line.step - 1].kind != _STEP:
                yield f"line {line.seq}: {verb} belongs to a step of kind {_STEP} alone"
    finished = {line.step for line in record.of_type("step-finished")}
    for number, step in enumerate(steps, 1):
        if step.kind == _STEP and number in finished and not any(look.line.step == number for look in looks):
            yield f"step {number} ended without a look at the copy"
    if record.opened.previous and list(record.opened.previous.backups) != _proved_before(subject):
        yield "the first line tells of other copies than the ledger"
    for look in looks:
        if look.line.step in finished:
            yield from (f"line {look.line.seq}: {problem}" for problem in _problems_with(subject, look))


def _proved_before(subject: Subject) -> list[dict[str, object]]:
    return list(msgspec.to_builtins(copies_left(subject.earlier)))


def _problems_with(subject: Subject, look: LookAtCopy) -> Iterator[str]:
    record, backup = subject.record, subject.script.backup
    digest, serial = look.read.public_key_sha256, look.read.token.serial
    if backup is None or backup.kind != "vendor-clone":
        yield "the script tells of no copy made by its vendor's tool"
    if look.taken is None or look.taken.token.serial != serial:
        yield "it is not about the token that was taken before"
    elif serial in ("", look.taken.before):
        yield f"the second token has the serial of the first, {look.taken.before}"
    if LEDGER not in subject.files:
        yield f"{LEDGER} is missing: what was recorded of the key is not known"
        return
    ceremonies = read_ledger(subject.files[LEDGER]).ceremonies
    root = next((ceremony.root.public_key_sha256 for ceremony in ceremonies[-1:] if ceremony.root), None)
    if digest != root:
        yield "the token holds another key than the root's"
    recorded = key_attributes_in(ceremonies, digest)
    yield from problems_with_copy(recorded, look.read.attributes, backup.differs if backup else ())
    answers = [data_as(Answered, line) for line in record.of_type("confirmed") if line.step == look.line.step and line.seq > look.line.seq]
    words = words_of(digest)
    typed = [
        {answer.by for answer in answers if (answer.digest, answer.value) == (digest, " ".join(part))} for part in (words[:4], words[4:8])
    ]
    if not any(first != next_one for first in typed[0] for next_one in typed[1]):
        yield "no two people typed words of its key's digest"
    if look.crl is None:
        yield "no CRL was signed from it: the copy is not proved"
