"""What `verify` asks of bags, seals, media and counts: typed twice by two people, held against the last custody, in balance."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import last_custody, read_ledger
from ceremony.crossing.physical import PhysicalFact
from ceremony.crossing.record import Answered, Deviation, data_as
from ceremony.crossing.script_data import ScriptStep
from ceremony.crossing.subject import Subject
from ceremony.custody import problem_with_fact, same_fact


def problems_with_custody(subject: Subject) -> Iterator[str]:
    """Each fact of each finished step was typed by two; what was taken out is what was put away last, or two people bore that.

    What was taken out in a session was put away before its seal, and what was counted in was counted out at the close, in balance.
    """
    last = _ledger_before(subject)
    yield from _problems_with_comparisons(subject, last)
    kept = _Kept(last)
    sealed_in = {line.step for line, _ in subject.record.seals}
    finished = {line.step for line in subject.record.of_type("step-finished")}
    for number, step in enumerate(subject.script.steps, 1):
        if number in sealed_in:
            yield from kept.problems_at_seal(number, step)
        if number not in finished:
            continue
        if step.kind == "record":
            yield from _problems_with_facts(subject, number, step, kept)
        elif step.kind == "inventory":
            yield from _problems_with_count(subject, number, step, kept)


@dataclass
class _Kept:
    """What is where as the record goes on: `last` values put away, things that are out, counts taken and not settled."""

    last: dict[str, str]
    out: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)

    def problems_at_seal(self, number: int, step: ScriptStep) -> Iterator[str]:
        yield from (f"{name} was not put away again before the seal of step {number}" for name in sorted(self.out))
        if step.kind == "close":
            yield from (f"{name} was counted in and not out again" for name in sorted(self.counted))


def _ledger_before(subject: Subject) -> dict[str, str]:
    """What the ceremonies before put away last, by name."""
    if subject.record.opened.previous is None or LEDGER not in subject.files:
        return {}
    return {thing.name: thing.value for thing in last_custody(read_ledger(subject.files[LEDGER]).ceremonies[:-1])}


def _problems_with_comparisons(subject: Subject, last: dict[str, str]) -> Iterator[str]:
    for line, value in subject.record.results("read-custody"):
        told = {name: thing.get("value") for name, thing in value.get("custody", {}).items()}
        if told != last:
            yield f"line {line.seq} tells another last custody than the ledger"


def _problems_with_facts(subject: Subject, number: int, step: ScriptStep, kept: _Kept) -> Iterator[str]:
    typed = _typed(subject, number, step)
    differences = 0
    found = {fact.name: fact for fact in subject.record.products(number + 1).physical[-len(step.facts) :]} if step.facts else {}
    for fact in step.facts:
        value = typed.get(fact.name)
        if value is None:
            yield f"{fact.name} (step {number}) was not typed by two people"
            continue
        if problem_with_fact(fact.what, value):
            yield f"{fact.name} (step {number}) is no {fact.what}: {value}"
        if found.get(fact.name) != PhysicalFact(fact.name, fact.what, value, step.custody):
            yield f"{fact.name} (step {number}) is not carried on as it was typed"
        if step.custody == "taken-out":
            kept.out.add(fact.name)
            differences += fact.name in kept.last and not same_fact(kept.last[fact.name], value)
        elif step.custody == "put-away":
            kept.out.discard(fact.name)
            kept.last[fact.name] = value
            away = subject.record.products(number + 1).custody.get(fact.name)
            if away is None or (away.what, away.value) != (fact.what, value):
                yield f"{fact.name} (step {number}) does not go on into the ledger as it was typed"
    if differences > _overrides(subject, number):
        yield f"what was taken out in step {number} is not what was put away last, and nobody overrode that"


def _problems_with_count(subject: Subject, number: int, step: ScriptStep, kept: _Kept) -> Iterator[str]:
    typed = _typed(subject, number, step)
    differences = 0
    for item in step.items:
        value = typed.get(item.name)
        if value is None or problem_with_fact("count", value):
            yield f"{item.name} (step {number}) was not counted by two people"
        elif step.count == "in":
            kept.counted[item.name] = int(value)
        elif item.name not in kept.counted:
            yield f"{item.name} (step {number}) was not counted in"
        else:
            differences += int(value) != kept.counted.pop(item.name) + item.change
    if differences > _overrides(subject, number):
        yield f"what was counted in step {number} does not balance, and nobody overrode that"


def _typed(subject: Subject, number: int, step: ScriptStep) -> dict[str, str]:
    """What actor and first confirmer typed alike, by name: the last turn of each."""
    turns: dict[tuple[str, str], dict[str, Answered]] = defaultdict(dict)
    for line in subject.record.of_type("confirmed"):
        name, _, rest = str(line.data.get("key")).partition("/")
        turn, _, which = rest.partition("/")
        if line.step == number and which in ("first", "second"):
            turns[name, turn][which] = data_as(Answered, line)
    found: dict[str, str] = {}
    for (name, _), answers in turns.items():
        found.pop(name, None)
        first, second = answers.get("first"), answers.get("second")
        by = (first.by, second.by) if first and second else None
        if first and second and by == (step.actor, *step.confirm[:1]) and same_fact(first.value, second.value):
            found[name] = first.value
    return found


def _overrides(subject: Subject, number: int) -> int:
    deviations = (line for line in subject.record.of_type("deviation") if line.step == number)
    return sum(data_as(Deviation, line).kind == "override" for line in deviations)
