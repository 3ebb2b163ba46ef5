"""What `verify` asks of tokens that were reported as lost, and of the token that the root was used on."""

from collections.abc import Iterator
from typing import Any

from ceremony.crossing.physical import LostToken
from ceremony.crossing.record import Answered, data_as
from ceremony.crossing.roots import roots_in
from ceremony.crossing.subject import Subject
from ceremony.crossing.tokens import lost_tokens
from ceremony.custody import same_fact

_TAKES_UP = ("initialise-token", "adopt-token", "find-root")


def problems_with_tokens(subject: Subject) -> Iterator[str]:
    """Each loss is of a root of the ledger, and two people said it; no lost token is used; the root's token is the one taken up."""
    known = {(root.label, root.public_key_sha256) for root in roots_in(subject.earlier)}
    before: tuple[LostToken, ...] = ()
    lost = {token.token for token in lost_tokens(subject.earlier)}
    serial = ""
    for line in subject.record.lines:
        if line.type == "result" and "value" in line.data and line.data.get("verb") in (*_TAKES_UP, "take-token"):
            taken = _serial(line.data["value"])
            if taken in lost:
                yield f"line {line.seq} takes up the token {taken}, which was reported as lost"
            if line.data["verb"] in _TAKES_UP:
                serial = taken
        if line.type != "step-finished" or line.step is None or line.step > len(subject.script.steps):
            continue
        products = subject.record.products(line.step + 1)
        # A token that was ready and is in the machine alone need not be taken up: then no line tells of another.
        if "root_token" in line.data["products"] and serial and products.root_token != serial:
            yield f"line {line.seq} names another token than the one that was taken up before"
        new = products.lost_tokens[len(before) :]
        step = subject.script.steps[line.step - 1]
        if products.lost_tokens[: len(before)] != before or len(new) != (step.kind == "report-loss"):
            yield f"line {line.seq} tells of other lost tokens than were reported"
        for token in new:
            lost.add(token.token)
            if (token.label, token.public_key_sha256) not in known:
                yield f"line {line.seq} reports the loss of a key that is no root's of the ledger"
            yield from (f"line {line.seq}: {problem}" for problem in _unsaid(subject, line.step, token))
        before = products.lost_tokens


def _unsaid(subject: Subject, number: int, token: LostToken) -> Iterator[str]:
    step = subject.script.steps[number - 1]
    answers = [data_as(Answered, line) for line in subject.record.of_type("confirmed") if line.step == number]
    said = {answer.key: answer for answer in answers}
    first = [answer for answer in answers if answer.key.startswith("token/") and answer.key.endswith("/first")][-1:]
    second = [answer for answer in answers if answer.key.startswith("token/") and answer.key.endswith("/second")][-1:]
    read = [(answer.by, same_fact(answer.value, token.token)) for answer in (*first, *second)]
    if read != [(step.actor, True), *((id, True) for id in step.confirm[:1])]:
        yield f"two people did not name the token {token.token}"
    for key, value in (("how", token.how), ("reason", token.reason)):
        if key not in said or said[key].value != value or not value.strip():
            yield f"nobody said just that of it ({key})"
    if "agree" not in said or said["agree"].by not in step.confirm:
        yield "nobody agreed to it"


def _serial(value: dict[str, Any]) -> str:
    told = value.get("token", value)
    return str(told.get("serial", "")) if isinstance(told, dict) else ""
