"""docs/assurance.md is complete and names what exists; and the premises of what is only argued there hold."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from ceremony.crossing.verify import verify_bundle
from ceremony.room.verbs import VERBS
from ceremony.transcript import LINE_TYPES
from tests.blind_rules import RULES_SWITCHED_OFF, copy_of_the_tree, outcome, outcome_without
from tests.crossing.held_ceremony import whole_ceremony

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "assurance.md").read_text()
THREATS = (ROOT / "docs" / "threat-model.md").read_text()
RULES = range(1, 17)
"""The rules that no change may weaken."""


class Claim(NamedTuple):
    """A row of a rule's table; checks, tests and lines are the names in backticks."""

    claim: str
    because: str
    checks: list[str]
    tests: list[str]
    lines: list[str]
    known: str


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}")[1].split("\n## ")[0]


def cells(text: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return rows[1:]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def claims(heading: str) -> list[Claim]:
    return [Claim(row[0], row[1], names(row[2]), names(row[3]), names(row[4]), row[5]) for row in cells(section(heading))]


CLAIMS = [claim for rule in RULES for claim in claims(f"Rule {rule}:")] + claims("Besides the rules")
CHECKS = {names(row[0])[0]: names(row[2]) for row in cells(section("The checks of `ceremony verify`"))}


@cache
def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def checks_of_receipts() -> set[str]:
    text = (ROOT / "ceremony" / "online" / "verify_receipts.py").read_text()
    return set(re.findall(r'heck\("([a-z-]+)"', text))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_its_claims_here_and_its_row_in_the_threat_model(rule: int) -> None:
    assert len(claims(f"Rule {rule}:")) >= 2
    assert len(re.findall(rf"^\| {rule} \| [^|]{{20,}} \| [^|]+ \|$", THREATS, re.MULTILINE)) == 1


def test_every_claim_says_how_it_is_known_and_a_measured_one_by_what() -> None:
    assert len(CLAIMS) > 60
    for claim in CLAIMS:
        assert claim.known in ("measured", "argued", "assumed"), claim
        assert claim.claim and (claim.because or claim.tests), claim
        assert claim.tests or claim.known == "assumed", claim
    assert sum(claim.known == "assumed" for claim in CLAIMS) > 10


def test_every_test_that_is_named_exists() -> None:
    named = {name for claim in CLAIMS for name in claim.tests} | {name for tests in CHECKS.values() for name in tests}
    missing = [name for name in sorted(named) if name.partition("::")[2] not in defined_in(name.partition("::")[0])]
    assert missing == []


def test_every_check_of_verify_has_its_row_and_every_check_that_is_named_exists(tmp_path: Path) -> None:
    bundle = whole_ceremony(tmp_path / "held").write_bundle(tmp_path / "bundle")
    anchor = "0" * 64
    anchors = {"fingerprint": anchor, "script_digest": anchor, "root_fingerprint": anchor}
    made = {check.name for check in verify_bundle(bundle, previous=bundle, no_deviations=True, **anchors).checks}  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    made |= {check.name for check in verify_bundle(tmp_path / "empty").checks} | checks_of_receipts()
    assert set(CHECKS) == made
    assert all(CHECKS.values())
    assert {check for claim in CLAIMS for check in claim.checks} == made


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_switched_off_and_the_page_names_what_goes_red(rule: int) -> None:
    places = [off for off in RULES_SWITCHED_OFF if off.rule == rule]
    assert places
    named = {name for claim in claims(f"Rule {rule}:") for name in claim.tests}
    for off in places:
        assert all((ROOT / file).read_text().count(holds) == 1 for file, holds, _ in off.changes), off
        assert off.tests and set(off.tests) <= named, off


def test_without_a_rule_its_test_is_red(tmp_path: Path) -> None:
    """One that is quick, of those that `make blind` runs."""
    off = next(off for off in RULES_SWITCHED_OFF if off.file == "ceremony/pki/crl.py")
    copy_of_the_tree(tmp_path)
    assert outcome(tmp_path, off.tests) == 0
    assert outcome_without(off, tmp_path) == 1


def test_every_type_of_line_is_used_and_every_line_and_verb_that_is_named_exists() -> None:
    named = {name for claim in CLAIMS for name in claim.lines}
    assert named - set(LINE_TYPES) - set(VERBS) == set()
    assert set(LINE_TYPES) <= named


def test_the_token_is_asked_for_no_function_that_could_take_a_key_out() -> None:
    """Rule 1. PKCS#11 v2.40 section 5: what could take a key out of a token, or bring one in; also as python-pkcs11 names it."""
    takes_out = re.compile(r"C_(?:Wrap|Unwrap|Derive)Key|C_(?:Create|Copy)Object|\.(?:wrap|unwrap|derive)_key\(|\.create_object\(|\.copy\(")
    found = {path.name: takes_out.findall(path.read_text()) for path in (ROOT / "hsm").glob("*.py")}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_what_two_people_may_override_is_a_closed_list() -> None:
    """Rule 10. Machine, media, custody, a count, a lost ledger: nothing that verifies a signature, an order or the record."""
    callers = {
        str(path.relative_to(ROOT / "ceremony"))
        for path in (ROOT / "ceremony").rglob("*.py")
        if any(
            isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "overridden"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    allowed = {"engine/machine_check.py", "steps/medium.py", "steps/record.py", "steps/inventory.py", "steps/use_root.py"}
    assert callers == allowed
    written = [path for path in (ROOT / "ceremony").rglob("*.py") if '"class": "override"' in path.read_text()]
    assert [path.name for path in written] == ["override.py"]
