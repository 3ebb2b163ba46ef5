"""What `verify` asks of a token that was wiped: all of it shown, no living root among it, a reason, and the order of two over just that."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ceremony.crossing.checks_of_record import ordered_by_two
from ceremony.crossing.destroyed import destructions_in
from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.roots import living_roots
from ceremony.crossing.subject import Subject
from ceremony.pki.wiping import inventory_digest, roots_that_count
from ceremony.transcript import Line


class _Token(msgspec.Struct, frozen=True):
    serial: str
    user_pin_set: bool = False


class _Look(msgspec.Struct, frozen=True):
    token: _Token
    objects: tuple[dict[str, Any], ...]
    keys: tuple[dict[str, Any], ...]


class _Arguments(msgspec.Struct, frozen=True):
    serial: str
    digest: str
    reason: str


class _Wiped(msgspec.Struct, frozen=True):
    token: _Token


def problems_with_wiping(subject: Subject) -> Iterator[str]:
    """A step `wipe-token` wiped one token, by the rules; no other step did."""
    record, steps = subject.record, subject.script.steps
    intents = [line for line, _ in record.acts_of("wipe-token") if line.type == "intent"]
    done = {line.step: line for line, _ in record.results("wipe-token")}
    finished = {line.step for line in record.of_type("step-finished")}
    for number, step in enumerate(steps, 1):
        if step.kind == "wipe-token" and number in finished and number not in done:
            yield f"step {number} ended without wiping a token"
    for line in intents:
        if not line.step or line.step > len(steps) or steps[line.step - 1].kind != "wipe-token":
            yield f"line {line.seq}: a step of another kind wipes no token"
        else:
            yield from (f"line {line.seq}: {problem}" for problem in _problems_with(subject, line))
    for line in done.values():
        if data_as(_Wiped, line, line.data["value"]).token.user_pin_set:
            yield f"line {line.seq}: the token still has a user PIN, and so was not wiped"


def _problems_with(subject: Subject, line: Line) -> Iterator[str]:
    record = subject.record
    said = data_as(_Arguments, line, line.data.get("args", {}))
    looks = [data_as(_Look, at, value) for at, value in record.results("look-at-token") if at.step == line.step and at.seq < line.seq]
    if not looks:
        yield "what was on the token was not shown before"
        return
    look = looks[-1]
    if (look.token.serial, inventory_digest(look.token.serial, look.objects, look.keys)) != (said.serial, said.digest):
        yield "it is about another token, or something else on it, than was shown"
    living = {root.public_key_sha256: root.label for root in living_roots(subject.earlier)}
    gone = {found.key.public_key_sha256 for found in destructions_in(record) if found.result.seq < line.seq}
    yield from roots_that_count(look.keys, {key: label for key, label in living.items() if key not in gone})
    answers = [(at, data_as(Answered, at)) for at in record.of_type("ordered", "confirmed") if at.step == line.step and at.seq < line.seq]
    orders = [answer for at, answer in answers if at.type == "ordered" and answer.digest == said.digest]
    if not ordered_by_two(subject, line, said.digest, orders):
        yield "it was not ordered by two people over what was on the token"
    if not said.reason.strip() or not any(answer.key == "reason" and answer.value == said.reason for _, answer in answers):
        yield "nobody typed the reason that it gives"
    if not any(at.step == line.step and at.seq < line.seq for at, _ in record.results("check-machine")):
        yield "the machine was not checked before"
