"""The compliance view: every clause, the lines that show it, and what stays open in this ceremony."""

from dataclasses import replace
from typing import Any

from ceremony.report.blocks import Table
from ceremony.report.clauses import CLAUSES
from ceremony.report.compliance import compliance
from ceremony.report.record import Record, read_record
from ceremony.report.rows import line_numbers
from ceremony.transcript import Line
from tests.report.made_up import SCRIPT, MadeUp
from tests.report.reading import content_of, text_of


def table_of(record: Record) -> dict[str, tuple[str, ...]]:
    [table] = [block for block in compliance(record) if isinstance(block, Table)]
    return {row[0]: row for row in table.rows}


def lines_of(record: Record, begins: str) -> list[Line]:
    """The lines that show the clause whose name begins so."""
    [clause] = [clause for clause in CLAUSES if clause.clause.startswith(begins)]
    return [record.lines[number - 1] for number in clause.lines(record)]


def test_every_clause_stands_in_the_report(held: MadeUp) -> None:
    text = text_of(content_of(held))
    assert all(" ".join(clause.clause.split()) in text and " ".join(clause.asks.split()) in text for clause in CLAUSES)
    assert "This is no statement of conformity" in text


def test_the_lines_named_are_those_that_show_it(held: MadeUp) -> None:
    record = read_record(held.script, held.lines)
    assert {line.type for line in lines_of(record, "BR 4.3.1.1")} == {"ordered"}
    assert [line.data["verb"] for line in lines_of(record, "BR 6.1.7")] == ["sign"]
    assert [line.data["verb"] for line in lines_of(record, "BR 6.1.5")] == ["generate-key"]
    assert {line.type for line in lines_of(record, "ETSI GEN-6.5.1-13,")} == {"signed-off", "sealed"}
    assert [line.data["verb"] for line in lines_of(record, "NSR 1.2.1")] == ["check-machine"]
    assert [line.seq for line in lines_of(record, "BR 6.1.1.1, 5.1")] == [8]
    assert lines_of(record, "BR 4.9.7") == []
    assert all(1 <= number <= len(record.lines) for clause in CLAUSES for number in clause.lines(record))


def test_lines_without_a_ceremony_are_none() -> None:
    record = read_record(SCRIPT, [])
    assert all([*clause.lines(record)] == [] for clause in CLAUSES)


def test_what_stays_open_is_said_of_this_ceremony(held: MadeUp, in_earnest: MadeUp) -> None:
    rehearsal, production = (table_of(read_record(made_up.script, made_up.lines)) for made_up in (held, in_earnest))
    assert "the module is software" in rehearsal["BR 6.2.1, 6.2.7"][4]
    assert "the module is software" not in production["BR 6.2.1, 6.2.7"][4]
    assert "Ingrid Dahl, head of product owns that risk" in production["BR 6.2.4, 5.2.2"][4]
    assert "neither a qualified auditor nor a video" in production["BR 6.1.1.1 (2), ETSI GEN-6.5.1-14"][4]
    assert "the SO PIN and the user PIN are in one person's hand" in production["BR 5.2.2, ETSI GEN-6.4.3-02, GEN-6.5.1-04, NSR 2.2.4"][4]


def test_numbers_that_follow_each_other_are_joined() -> None:
    assert line_numbers([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"
    assert line_numbers([]) == "none"


def test_things_and_counts_are_told_with_their_custody(held: MadeUp) -> None:
    place = next(place for place, line in enumerate(held.lines) if line.type == "step-finished")
    bag = {"name": "bag-1", "what": "bag", "text": "Number", "value": "NO 0047 1182", "custody": "taken-out"}
    products: dict[str, Any] = {"physical": [bag], "counted_in": {"bags": 3, "cards": 2}, "counted_out": {"cards": 1}}
    lines = [*held.lines]
    lines[place] = lines[place]._replace(data={"products": products})
    text = text_of(content_of(replace(held, lines=lines)))
    assert "bag-1 bag Number NO 0047 1182 taken-out 1" in text
    assert "bags 3 not counted out" in text and "cards 2 1" in text


def test_how_people_were_identified_is_told_where_it_was_asked(held: MadeUp) -> None:
    assert "Identified by" not in text_of(content_of(held))
    place = next(place for place, line in enumerate(held.lines) if line.type == "confirmed" and line.data["by"] == "witness-1")
    lines = [*held.lines]
    lines[place] = lines[place]._replace(data={**lines[place].data, "key": "identified/officer-1", "value": "identity document"})
    text = text_of(content_of(replace(held, lines=lines)))
    assert "officer-1 crypto-officer Per Hansen nobody in person identity document" in text
