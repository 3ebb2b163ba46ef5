"""Prints docs/errors.md, made from the tables of codes: `python docs/make_errors.py > docs/errors.md`."""

import sys
from collections.abc import Iterable, Mapping

from ceremony.errors import CODES, Code, ExitCode
from hsm.catalogue import CKR
from hsm.errors import HSM_CODES, HsmCode

_HEAD = """\
# Error codes
Made from `ceremony.errors`, `hsm.errors` and `hsm.catalogue` by `python docs/make_errors.py > docs/errors.md`; do not edit.

An error says four things: what happened, the state of token and record, what to do now, and its code. A code keeps its meaning.
"What to do now" below is the usual advice; an error on the screen may know better. A failed act of a ceremony is recorded with its code.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Exit codes", *_table(("code", "name"), ((str(int(code)), code.name) for code in ExitCode))]
    parts += ["", "## Of the ceremony", *_codes(CODES)]
    parts += ["", "## Of module and token", *_codes(HSM_CODES)]
    parts += ["", "## Return values of PKCS#11", "What a module returns, and the code that it becomes.", ""]
    rows = ((f"`{row.name}`", f"`{row.code}`", row.cause, "yes" if row.costs_a_try else "") for row in CKR.values())
    return "\n".join([*parts, *_table(("value", "code", "cause", "costs a PIN try"), rows)]) + "\n"


def _codes(codes: Mapping[str, Code | HsmCode]) -> list[str]:
    rows = ((f"`{code}`", str(int(row.exit_code)), row.meaning, row.do_now) for code, row in sorted(codes.items()))
    return _table(("code", "exit", "what it means", "what to do now"), rows)


def _table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(map(_cell, row))} |" for row in (names, ("---",) * len(names), *rows)]


def _cell(text: str) -> str:
    """The text as Markdown shows it; what stands in backticks is shown as it is."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if place % 2 else part.replace("<", "\\<") for place, part in enumerate(parts))


if __name__ == "__main__":
    sys.stdout.write(page())
