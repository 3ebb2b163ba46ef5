"""What `verify` asks of the root key where a ceremony looked at it on the token."""

from collections.abc import Iterator

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import key_attributes_in, read_ledger
from ceremony.crossing.subject import Subject
from ceremony.pki.key_health import problems_with_attributes


def problems_with_keys(subject: Subject) -> Iterator[str]:
    """A step that looks at the key did; it was the root's, and its attributes those that the ledger holds."""
    looked = subject.record.keys_read("look-at-key")
    finished = {line.step for line in subject.record.of_type("step-finished")}
    for number, step in enumerate(subject.script.steps, 1):
        if step.kind == "check-token" and number in finished and not any(line.step == number for line, _ in looked):
            yield f"step {number} ended without a look at the key"
    if looked and LEDGER not in subject.files:
        yield f"{LEDGER} is missing: what was recorded of the key is not known"
        return
    for line, key in looked:
        ceremonies = read_ledger(subject.files[LEDGER]).ceremonies
        root = ceremonies[-1].root if ceremonies else None
        if root is None or key.public_key_sha256 != root.public_key_sha256:
            yield f"line {line.seq} is about another key than the root's"
        for problem in problems_with_attributes(key_attributes_in(ceremonies[:-1], key.public_key_sha256), key.attributes):
            yield f"line {line.seq}: {problem}"
