"""Switches off each of the rules that no change may weaken, one after the other: the test named for it must go red. `make blind` runs this.

A rule is switched off by a change of one place of the source (two, where there are two lines of defence), in a copy of the tree: so it
holds in every process that the test starts. The tests here are among those that docs/assurance.md names for the rule.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
COPIED = ("ceremony", "hsm", "tests", "ceremony-scripts", "docs", "pyproject.toml")


class SwitchedOff(NamedTuple):
    """A rule without what holds it: in `file` the text `holds`, which stands there once, becomes `instead`; then `tests` are red."""

    rule: int
    file: str
    holds: str
    instead: str
    tests: tuple[str, ...]
    also: tuple[tuple[str, str, str], ...] = ()
    """A second line of defence: file, text and what it becomes, too. Without it the first one's loss would change nothing."""

    @property
    def changes(self) -> tuple[tuple[str, str, str], ...]:
        """All that is changed: file, text, and what it becomes."""
        return ((self.file, self.holds, self.instead), *self.also)


RULES_SWITCHED_OFF = (
    SwitchedOff(
        1,
        "hsm/keys.py",
        'if reading.verdict == "differs"]',
        "if False]",
        ("hsm/test_faults.py::test_a_key_that_is_not_as_wanted_is_refused_and_destroyed",),
    ),
    SwitchedOff(
        1,
        "ceremony/steps/check_token.py",
        "if problems := list(problems_with_attributes(recorded, read)):",
        "if problems := []:",
        ("steps/test_check_token.py::test_a_key_that_is_not_what_was_made_ends_the_step",),
    ),
    SwitchedOff(
        2,
        "ceremony/room/sign.py",
        'if sha256_hex(octets) != args["sha256"]:',
        "if False:",
        ("engine/test_ceremony_rules.py::test_to_be_signed_bytes_that_changed_on_the_disk_are_not_signed",),
    ),
    SwitchedOff(
        2,
        "ceremony/pki/draft.py",
        "        if to_be_signed != self.to_be_signed:",
        "        if False:",
        ("pki/test_draft.py::test_other_bytes_than_those_shown_are_refused_although_their_signature_holds",),
    ),
    SwitchedOff(
        3, "ceremony/pki/csr.py", "if not holds:", "if False:", ("pki/test_csr.py::test_a_request_signed_by_another_key_is_refused",)
    ),
    SwitchedOff(
        3,
        "ceremony/pki/csr.py",
        "if request.public_key_sha256 in certified:",
        "if False:",
        ("pki/test_csr.py::test_a_key_that_is_certified_already_is_refused",),
    ),
    SwitchedOff(
        4,
        "ceremony/pki/crl.py",
        "if crl.number <= previous.number:",
        "if False:",
        ("pki/test_crl.py::test_a_crl_that_goes_backwards_is_refused",),
    ),
    SwitchedOff(
        5,
        "ceremony/steps/ordering.py",
        "accept=first, order=True",
        "order=True",
        ("engine/test_ceremony_rules.py::test_other_words_are_no_order",),
    ),
    SwitchedOff(
        6,
        "ceremony/steps/sealing.py",
        'if person.role == "observer":',
        'if person.role in ("observer", "auditor"):',
        ("engine/test_ceremony_rules.py::test_everyone_here_signs_off_before_each_seal_and_a_refusal_is_recorded",),
    ),
    SwitchedOff(
        7,
        "ceremony/engine/recovery.py",
        "            self._destroy_what_was_left(act)",
        "            pass",
        ("engine/test_ceremony_rules.py::test_an_undecided_generation_is_never_adopted",),
    ),
    SwitchedOff(
        8,
        "ceremony/engine/resume.py",
        "            if line.sha256 == typed:",
        "            if True:",
        ("engine/test_record_rules.py::test_a_record_cut_back_to_an_earlier_announced_line_is_refused",),
    ),
    SwitchedOff(
        9,
        "ceremony/steps/signing.py",
        '    yield from machine_is_fit(f"{key}/machine", known, actor, confirmer)',
        "    pass",
        ("engine/test_machine_rules.py::test_the_machine_is_checked_before_each_use_of_the_root",),
    ),
    SwitchedOff(
        10,
        "ceremony/engine/override.py",
        "shown=tuple(shown), least=10)",
        "shown=tuple(shown))",
        ("engine/test_machine_rules.py::test_an_override_needs_a_reason_and_the_second_person",),
    ),
    SwitchedOff(
        11,
        "ceremony/crossing/bundle.py",
        "        if found := private_key_in(octets):",
        "        if found := None:",
        ("crossing/test_bundle.py::test_a_private_key_does_not_leave_in_any_file",),
    ),
    SwitchedOff(
        12,
        "ceremony/engine/conduct.py",
        "        if not step.keeps_login:",
        "        if False:",
        ("engine/test_ceremony_rules.py::test_the_login_ends_with_the_step",),
    ),
    SwitchedOff(
        13,
        "ceremony/words.py",
        "import hashlib",
        "import hashlib\nimport http.client",
        ("test_project_loaded_modules.py::test_no_offline_module_loads_a_network_client",),
    ),
    SwitchedOff(
        14,
        "ceremony/online/rehearsals.py",
        "if bundle.rehearsal and not is_simulator:",
        "if False:",
        ("online/test_refusals.py::test_rehearsal_bundle_to_any_host_but_loopback",),
    ),
    SwitchedOff(
        15,
        "ceremony/engine/conduct.py",
        "    finally:\n        room.lock()\n",
        "    finally:\n        pass\n",
        ("engine/test_ceremony_rules.py::test_teardown_also_runs_when_the_program_fails",),
        (("ceremony/room/room.py", "        self.lock()\n        self.restart()\n", "        pass\n"),),
    ),
    SwitchedOff(
        16,
        "ceremony/online/plan.py",
        "if there is not None and not there.is_of(bundle.root.der):",
        "if False:",
        ("online/test_refusals.py::test_root_there_with_other_bytes_is_never_written_over",),
    ),
    SwitchedOff(
        16,
        "ceremony/crossing/verified.py",
        "verify_bundle(path, fingerprint=fingerprint)",
        "verify_bundle(path)",
        ("online/test_refusals.py::test_other_fingerprint_than_the_paper_says",),
        (("ceremony/crossing/verified.py", "if subject.record.fingerprint != fingerprint or any(", "if any("),),
    ),
)


def copy_of_the_tree(into: Path) -> None:
    """All that the tests read; `.venv` is the same one."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, into / name)
    (into / ".venv").symlink_to(ROOT / ".venv")


def outcome(tree: Path, tests: tuple[str, ...]) -> int:
    """The exit code of pytest over these tests with that tree's code: 0 green, 1 red, else it could not run."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]
    # No .pyc: two sources written in one second with the same length would be taken for one.
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode


def outcome_without(off: SwitchedOff, tree: Path) -> int:
    """The exit code once the rule is switched off in that tree, which is whole again afterwards."""
    whole = {file: (tree / file).read_text() for file, _, _ in off.changes}
    try:
        for file, holds, instead in off.changes:
            (tree / file).write_text((tree / file).read_text().replace(holds, instead))
        return outcome(tree, off.tests)
    finally:
        for file, text in whole.items():
            (tree / file).write_text(text)


def main(rules: list[int]) -> int:
    """Every rule in turn, or those given, a line each place. 1 when one can be switched off and nothing goes red."""
    chosen = [off for off in RULES_SWITCHED_OFF if not rules or off.rule in rules]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_of_the_tree(tree)
        if outcome(tree, tuple(test for off in chosen for test in off.tests)) != 0:
            print("The tests are not green as it is.")
            return 1
        still_green = 0
        for off in chosen:
            code = outcome_without(off, tree)
            still_green += code != 1
            print(
                f"{'red' if code == 1 else f'NOT RED ({code})':8} without rule {off.rule} in {off.file}: {', '.join(off.tests)}", flush=True
            )
    print(f"{len(chosen)} places of {len({off.rule for off in chosen})} rules, {len(chosen) - still_green} of them red when switched off.")
    return 1 if still_green else 0


if __name__ == "__main__":
    sys.exit(main([int(rule) for rule in sys.argv[1:]]))
