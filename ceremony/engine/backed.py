"""What people sign with credentials of their own (design, rule 6): statements, and second confirmations."""

from collections.abc import Generator
from typing import Any

from ceremony.activation.statements import CONFIRMATION
from ceremony.engine.step import Act, Ask, Known, Request


def signed_statement(known: Known, key: str, by: str, context: str, more: dict[str, Any]) -> Generator[Request, Any, dict[str, Any]]:
    """Has this participant sign a statement: who, where and in which role is added. Returns it with `line` and `signature` (hex)."""
    person = known.person(by)
    statement = {
        "context": context,
        "ceremony": known.opened["ceremony"],
        "rehearsal": known.rehearsal,
        "participant": by,
        "name": person.name,
        "role": person.role,
        **more,
    }
    args = {"participant": by, "name": person.name, "credential": known.credential(by), "statement": statement}
    made = yield Act(key=key, verb="sign-statement", args=args, waiting=f"Waiting for the credential of {person.name}")
    return {**statement, "line": made["line"], "signature": made["signature"]}


def backed(known: Known, ask: Ask) -> Generator[Request, Any, str]:
    """An answer, and then its signature by who gave it: for the confirmer in what makes or uses the root or changes activation."""
    value: str = yield ask
    more = {"step": known.step, "key": ask.key, "value": value, "digest": ask.digest}
    yield from signed_statement(known, f"{ask.key}/signed", ask.by, CONFIRMATION, more)
    return value
