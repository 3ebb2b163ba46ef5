"""A deviation of class override: one person's reason, another's agreement, both signatures, then the line (design, rule 10)."""

from collections.abc import Generator, Sequence
from typing import Any

from ceremony.activation.statements import OVERRIDE
from ceremony.engine.backed import signed_statement
from ceremony.engine.step import Ask, Known, Request, Write


def overridden(
    key: str, known: Known, what: str, asked: str, shown: Sequence[str], people: tuple[str, str]
) -> Generator[Request, Any, None]:
    """The first of `people` types why, the second agrees, both sign, and the deviation stands in the record as `what: reason`.

    `asked` is the question for the reason, `shown` what both read first.
    """
    first, second = people
    reason: str = yield Ask(key=f"{key}/reason", text=asked, by=first, shown=tuple(shown), least=10)
    agreed = (*shown, f"Reason given: {reason}")
    yield Ask(key=f"{key}/agree", text="Do you agree to the override?", by=second, shown=agreed, accept="agreed")
    text = f"{what}: {reason}"
    for person in people:
        yield from signed_statement(known, f"{key}/signed/{person}", person, OVERRIDE, {"text": text})
    by = [{"id": id, "name": known.person(id).name} for id in people]
    yield Write(key=f"{key}/deviation", type="deviation", data={"class": "override", "text": text, "by": by}, by=first)
