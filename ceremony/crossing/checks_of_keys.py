"""What `verify` asks of the root key where a ceremony looked at it on the token, or destroyed it."""

from collections.abc import Iterator

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.checks_of_record import ordered_by_two
from ceremony.crossing.checks_of_wiping import problems_with_wiping
from ceremony.crossing.destroyed import Destruction, destructions_in, objects_told
from ceremony.crossing.ledger import LedgerOfCeremony, certified_in, key_attributes_in, read_ledger
from ceremony.crossing.lost import lost_before
from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.roots import of_other_roots
from ceremony.crossing.subject import Subject
from ceremony.crossing.tokens import roots_to_go_on_with
from ceremony.pki.destroying import problems_with_inventory, still_needed
from ceremony.pki.key_health import problems_with_attributes

_ACTS = {"check-token": "look-at-key", "destroy-key": "destroy-key"}


def problems_with_keys(subject: Subject) -> Iterator[str]:
    """A step that looks at the key or destroys it did so; it was the root's, as the ledger holds it; the rules of `destroy-key` and of
    `wipe-token` held."""
    yield from problems_with_wiping(subject)
    looked, destroyed = subject.record.keys_read("look-at-key"), destructions_in(subject.record)
    finished = {line.step for line in subject.record.of_type("step-finished")}
    done = {("look-at-key", line.step) for line, _ in looked} | {("destroy-key", found.result.step) for found in destroyed}
    for number, step in enumerate(subject.script.steps, 1):
        if step.kind in _ACTS and number in finished and (_ACTS[step.kind], number) not in done:
            yield f"step {number} ended without a {_ACTS[step.kind]}"
    if not looked and not destroyed:
        return
    if LEDGER not in subject.files:
        yield f"{LEDGER} is missing: what was recorded of the key is not known"
        return
    ceremonies = read_ledger(subject.files[LEDGER]).ceremonies
    before = ceremonies[:-1]
    root = next((ceremony.root.public_key_sha256 for ceremony in ceremonies[-1:] if ceremony.root), None)
    for line, key in looked:
        if key.public_key_sha256 != root:
            yield f"line {line.seq} is about another key than the root's"
        for problem in problems_with_attributes(key_attributes_in(before, key.public_key_sha256), key.attributes):
            yield f"line {line.seq}: {problem}"
    for found in destroyed:
        if found.key.public_key_sha256 != root:
            yield f"line {found.result.seq} destroys another key than the root's"
        yield from (f"line {found.result.seq}: {problem}" for problem in _problems_with(subject, found, before))


def _problems_with(subject: Subject, found: Destruction, before: tuple[LedgerOfCeremony, ...]) -> Iterator[str]:
    record, step = subject.record, subject.script.steps[(found.result.step or 0) - 1]
    if step.kind != "destroy-key":
        yield f"a step of kind {step.kind} destroys no key"
    digest = found.key.public_key_sha256
    answers = [(line, data_as(Answered, line)) for line in record.of_type("ordered", "confirmed") if line.step == found.intent.step]
    earlier = [(line, answer) for line, answer in answers if line.seq < found.intent.seq]
    orders = [answer for line, answer in earlier if line.type == "ordered" and answer.digest == digest]
    if not ordered_by_two(subject, found.intent, digest, orders):
        yield "it was not ordered by two people over the digest of the key"
    if not found.key.reason.strip() or not any(answer.key == "reason" and answer.value == found.key.reason for _, answer in earlier):
        yield "nobody typed the reason that it gives"
    if not any(line.step == found.intent.step and line.seq < found.intent.seq for line, _ in record.results("check-machine")):
        yield "the machine was not checked before"
    looks = [told for line, told in objects_told(record, "look-at-key", found.intent.step) if line.seq < found.intent.seq]
    left = [told for line, told in objects_told(record, "list-objects", found.intent.step) if line.seq > found.result.seq]
    if not looks or not left:
        yield "what was on the token was not listed before and after"
    else:
        yield from problems_with_inventory(found.key_id, looks[-1].objects, left[-1].objects)
    if not step.end_of_life:
        yield from _still_needed(subject, found, before)


def _still_needed(subject: Subject, found: Destruction, before: tuple[LedgerOfCeremony, ...]) -> Iterator[str]:
    digest = found.key.public_key_sha256
    here = read_ledger(subject.files[LEDGER]).ceremonies
    elsewhere = set(of_other_roots(before, digest))
    certified = [entry for entry in certified_in(here) if entry.serial not in elsewhere]
    products = subject.record.products(found.intent.step)
    others = roots_to_go_on_with(before, digest, products.lost_tokens)
    yield from still_needed(certified, (), products.ceremony_day or "", others, lost=lost_before(here))
