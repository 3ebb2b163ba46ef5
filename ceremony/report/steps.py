"""The steps: with room to write for a ceremony not yet held, and beside what happened for one that was."""

from collections.abc import Iterator, Mapping
from typing import Any

from ceremony.pki.printed import printed_text
from ceremony.report.blocks import Block, DigestByHand, Heading, Paragraph, StepTaken, StepToTake
from ceremony.report.brief import brief_events
from ceremony.report.by_hand import SEALING
from ceremony.report.record import Record
from ceremony.report.rows import line_numbers, rows, text_of
from ceremony.transcript import Line

_SHOWN_BESIDE = {"title", "say", "actor", "confirm", "facts", "items", "statement"}


def steps_to_take(record: Record) -> list[Block]:
    """Each step as it is read aloud and initialled."""
    blocks: list[Block] = [
        Heading("The steps"),
        Paragraph("Each person writes the time (UTC) at which they did or confirmed the step, and their initials."),
    ]
    for number, step in enumerate(record.script.steps, 1):
        people = ((text_of(step.get("actor")), "acts"), *((id, "confirms") for id in step.get("confirm", ())))
        blocks.append(StepToTake(number, text_of(step.get("title")), _say(step), _written(step), people, tuple(_blanks(step))))
        if step.get("kind") in SEALING:
            blocks.append(DigestByHand(f"Step {number}: the fingerprint as it is read aloud"))
    return blocks


def steps_taken(record: Record) -> list[Block]:
    """Each step: what was written, and beside it what happened."""
    blocks: list[Block] = [
        Heading("The steps, as written and as they happened"),
        Paragraph("In short; what each line says in full stands in the last chapter but one."),
    ]
    for number, step in enumerate(record.script.steps, 1):
        lines = [line for line in record.lines if line.step == number]
        actors = [("acts", text_of(step.get("actor"))), ("confirms", ", ".join(step.get("confirm", ())) or "nobody")]
        blocks.append(
            StepTaken(number, text_of(step.get("title")), _when(lines), _say(step), (*actors, *_written(step)), brief_events(lines))
        )
    return blocks


def _say(step: Mapping[str, Any]) -> tuple[str, ...]:
    said = "\n".join((text_of(step.get("say", "")), text_of(step.get("statement", ""))))
    return tuple(line.strip() for line in said.splitlines() if line.strip())


def _written(step: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = tuple((text_of(fact.get("name")), f"{fact.get('what')}: {fact.get('text')}") for fact in _tables(step, "facts"))
    items = tuple(
        (
            text_of(item.get("name")),
            text_of(item.get("text")) + (f", {change:+} when counted out" if (change := item.get("change")) else ""),
        )
        for item in _tables(step, "items")
    )
    return (*rows(step, but=_SHOWN_BESIDE, shown=printed_text), *facts, *items)


def _tables(step: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    tables = step.get(key, ())
    return (table for table in (tables if isinstance(tables, list) else ()) if isinstance(table, dict))


def _blanks(step: Mapping[str, Any]) -> Iterator[str]:
    """What is written down beside a step, as its kind has it."""
    yield from (f"{fact.get('what')} {fact.get('name')}" for fact in _tables(step, "facts"))
    yield from (f"number of {item.get('name')}" for item in _tables(step, "items"))
    match step.get("kind"):
        case "check-clock":
            yield from ("time on the screen (UTC)", "time on your own clock (UTC)")
        case "initialise-token" | "adopt-token" | "unlock":
            yield "serial number on the token"
        case "crossing" | "close":
            yield from ("serial number of the medium", "number of its bag")


def _when(lines: list[Line]) -> str:
    if not lines:
        return "not begun"
    began, ended = lines[0], lines[-1]
    day, _, clock = began.time.rstrip("Z").partition("T")
    last_day, _, last_clock = ended.time.rstrip("Z").partition("T")
    until = last_clock if day == last_day else f"{last_day} {last_clock}"
    state = "" if any(line.type == "step-finished" for line in lines) else ", NOT FINISHED"
    return f"{day} {clock} to {until}, lines {line_numbers(line.seq for line in lines)}{state}"
