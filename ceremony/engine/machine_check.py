"""The machine check as a run of its own: steps do it before each use of the root, the loop after an interruption (design, rule 9)."""

from collections.abc import Generator
from typing import Any

from ceremony.engine.override import overridden
from ceremony.engine.step import Act, Ask, Known, Request, Show


def machine_is_fit(key: str, known: Known, actor: str, confirmer: str) -> Generator[Request, Any, dict[str, Any]]:
    """Checks the machine until nothing is found, or two people override with a reason; findings never block a rehearsal."""
    turn = 0
    while True:
        turn += 1
        args = {"input_devices": known.products.get("input_devices", [])}
        found: dict[str, Any] = yield Act(key=f"{key}/check/{turn}", verb="check-machine", args=args, waiting="Checking the machine")
        findings: list[dict[str, Any]] = found["findings"]
        wrong = [finding for finding in findings if finding["verdict"] == "found"]
        if not wrong:
            yield Show(lines=(f"Machine check: {len(findings)} checks, nothing found.",))
            return found
        if known.rehearsal:
            yield Show(lines=("REHEARSAL: in a ceremony each of these would stop it:", *map(finding_text, wrong)))
            return found
        shown = tuple(map(finding_text, findings))
        text = "The machine is not fit. Mend it and check again, or override?"
        choice = yield Ask(key=f"{key}/unfit/{turn}", text=text, by=actor, shown=shown, choices=("check again", "override"))
        if choice == "override":
            what = "; ".join(f"{finding['check']}: {finding['detail']}" for finding in wrong)
            why, told = "The machine check is overridden. For which reason?", f"Machine check overridden ({what})"
            yield from overridden(f"{key}/override/{turn}", known, told, why, shown, (actor, confirmer))
            return found


def finding_text(finding: dict[str, Any]) -> str:
    """A finding as one line: OK, FOUND or UNKNOWN, what was looked at, and what there was."""
    return f"{finding['verdict'].upper():8} {finding['check']}: {finding['detail']}"
