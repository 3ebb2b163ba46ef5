"""The compliance view: each clause, what the tool does, which lines of this ceremony show it, and what stays open."""

from collections.abc import Sequence

from ceremony.report.blocks import Block, Heading, Paragraph, Table
from ceremony.report.clauses import CLAUSES, Clause
from ceremony.report.record import Record
from ceremony.report.rows import line_numbers

LEGEND = (
    "BR: CA/Browser Forum, TLS Baseline Requirements 2.2.6. CSBR: its Code Signing Baseline Requirements. NSR: its Network and Certificate "
    "System Security Requirements 2.0.5. ETSI: EN 319 411-1 V1.5.1. WT: WebTrust criteria for CAs, known at second hand; have an auditor "
    "check their numbers."
)
NO_STATEMENT = (
    "This is no statement of conformity. The rules are those of roots that the public trusts; a private root of devices takes from them "
    "what it wants to be held to. What the table says is in our own words."
)
_MOST_RUNS = 14


def compliance(record: Record) -> list[Block]:
    """The table for a ceremony that was held."""
    rows = tuple(
        (clause.clause, clause.asks, clause.does.replace("`", ""), _shown(record, clause), _gap(record, clause).replace("`", ""))
        for clause in CLAUSES
    )
    return [
        Heading("Compliance view"),
        Paragraph(NO_STATEMENT),
        Paragraph(LEGEND),
        Table(("Clause", "Asks for", "What the tool does", "Lines", "What stays open"), rows, (3, 5, 6, 3, 5), (3,)),
    ]


def _shown(record: Record, clause: Clause) -> str:
    runs = line_numbers(clause.lines(record)).split(", ")
    return ", ".join(runs) if len(runs) <= _MOST_RUNS else f"{', '.join(_ends(runs))} ({len(runs)} places)"


def _ends(runs: Sequence[str]) -> list[str]:
    return [*runs[: _MOST_RUNS // 2], "...", *runs[-_MOST_RUNS // 2 :]]


def _gap(record: Record, clause: Clause) -> str:
    here = clause.gap_here(record) if clause.gap_here else ""
    return " ".join(part for part in (clause.gap, here) if part) or "nothing known"
