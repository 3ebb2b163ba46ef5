"""Prints docs/compliance.md from the table of clauses that the report uses: python docs/make_compliance.py > docs/compliance.md."""

from collections.abc import Iterable, Sequence

from ceremony.report.clauses import CLAUSES
from ceremony.report.compliance import LEGEND, NO_STATEMENT

EVIDENCE = (
    (
        '`"witness"`',
        "a witness or an auditor among those who confirm `generate-root`",
        "that person's confirmation in that step",
    ),
    (
        '`"qualified-auditor"`',
        "an auditor among those who confirm `generate-root`",
        "the auditor's confirmation in that step, and a sign-off that is no refusal before the next seal",
    ),
    (
        '`"video"`',
        "a `record` step with the camera's start (`video-start`) before `generate-root`, and one with its stop (`video-stop`) after it, "
        "before the next `crossing` or `close`",
        "both facts, around the line of the key generation",
    ),
)
"""What each kind of evidence wants of script and record."""


def page() -> str:
    """The whole page."""
    clauses = [(clause.clause, clause.asks, clause.does, clause.gap or "nothing known") for clause in CLAUSES]
    return f"""\
# The public rules, and what the tool does
{NO_STATEMENT} The report of a ceremony has the same table with the numbers of the
record's lines that show each point, and with what stays open in that ceremony: a software module, a PIN that is not shared, no backup.

{LEGEND}

{_table(("clause", "asks for", "what the tool does", "what stays open"), clauses)}

## How the key generation is witnessed
`evidence` in the script says it, `ceremony check` holds the script to it, and `ceremony verify` the record (check `evidence`).

{_table(("`evidence`", "the script must have", "the record must have"), EVIDENCE)}

With `"qualified-auditor"` and `"video"` script and report have a page for the auditor's opinion.

Made by `python docs/make_compliance.py > docs/compliance.md` from `ceremony/report/clauses.py`.
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    print(page(), end="")
