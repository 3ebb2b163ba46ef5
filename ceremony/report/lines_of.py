"""Which lines of a record show something: finders that the table of clauses is made of. Each gives numbers of lines."""

from collections.abc import Collection, Iterator

from ceremony.crossing.record import data_as
from ceremony.report.record import Answered, Intended, Record


def line_one(record: Record) -> Iterator[int]:
    """The first line: script, program, machine, module."""
    return (line.seq for line in record.lines[:1])


def everything(record: Record) -> Iterator[int]:
    """Every line."""
    return (line.seq for line in record.lines)


def typed(record: Record, *types: str) -> Iterator[int]:
    """The lines of these types."""
    return (line.seq for line in record.of_type(*types))


def intents(record: Record, *verbs: str) -> Iterator[int]:
    """What was about to be done."""
    return (line.seq for line in record.of_type("intent") if data_as(Intended, line).verb in verbs)


def outcomes(record: Record, verb: str) -> Iterator[int]:
    """What was done."""
    return (line.seq for line, _ in record.results(verb))


def steps_of(record: Record, *kinds: str) -> Iterator[int]:
    """All lines of the steps of these kinds."""
    numbers = {number for number, step in enumerate(record.script.steps, 1) if step.get("kind") in kinds}
    return (line.seq for line in record.lines if line.step in numbers)


def answers_in(record: Record, kind: str, roles: Collection[str]) -> Iterator[int]:
    """What people of these roles (of any, without one) answered in the steps of this kind."""
    within = {*steps_of(record, kind)}
    for line in record.of_type("confirmed", "ordered"):
        if line.seq in within and (not roles or data_as(Answered, line).role in roles):
            yield line.seq


def compared_with_paper(record: Record) -> Iterator[int]:
    """Each comparison of a fingerprint with somebody's own paper."""
    return (line.seq for line in record.of_type("confirmed") if str(line.data.get("key")).startswith("paper/"))


def physical(record: Record, kind: str) -> Iterator[int]:
    """The steps that wrote down things whose kind begins so: the lines at which they ended."""
    before: set[tuple[str, str]] = set()
    for line in record.of_type("step-finished"):
        facts = {(fact.name, fact.value) for fact in record.products_of(line).physical if fact.what.startswith(kind)}
        if facts - before:
            yield line.seq
        before |= facts
