"""Makes each check of `ceremony verify` blind in turn: the tests that docs/assurance.md names for it must go red. `make blind` runs this.

It takes minutes, so it is no part of the suite; that the page names every check, and tests that exist, is.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing import verify
from ceremony.crossing.verify import Check
from ceremony.online import verify_receipts

ROOT = Path(__file__).parent.parent
MAKERS = (
    *((verify, maker) for maker in ("_check", "_run", "_report", "Check")),
    *((verify_receipts, maker) for maker in ("_check", "Check")),
)
"""What makes a check: each is called with its name first, but for `_report`, which makes the one of that name."""


def make_blind(name: str) -> None:
    """From here on this process' check of that name finds everything in order."""
    for module, maker in MAKERS:
        setattr(module, maker, _blinded(name, getattr(module, maker), always="report" if maker == "_report" else ""))


def _blinded(name: str, maker: Callable[..., Check], *, always: str) -> Callable[..., Check]:
    def made(first: Any, *rest: Any) -> Check:
        return Check(name, True, "blind") if (always or first) == name else maker(first, *rest)

    return made


def outcome(tests: list[str], *, blind: str = "") -> int:
    """The exit code of pytest over these tests, in a process of its own: 0 green, 1 red, else it could not run."""
    command = [sys.executable, "-m", "tests.blind_checks", blind, *(f"tests/{test}" for test in tests)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode


def main() -> int:
    """Every check in turn, a line each. 1 when a check can be blind and nothing goes red."""
    from tests.test_project_assurance import CHECKS

    if outcome(sorted({test for tests in CHECKS.values() for test in tests})) != 0:
        print("The tests are not green as it is.")
        return 1
    still_green = []
    for name, tests in CHECKS.items():
        code = outcome(tests, blind=name)
        print(f"{'red' if code == 1 else f'NOT RED ({code})':8} without {name}: {', '.join(tests)}", flush=True)
        still_green += [name] if code != 1 else []
    print(f"{len(CHECKS)} checks, {len(CHECKS) - len(still_green)} of them red when blind.")
    return 1 if still_green else 0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main())
    if sys.argv[1]:
        make_blind(sys.argv[1])
    sys.exit(pytest.main(["-q", "-x", "-n", "0", "-p", "no:cacheprovider", *sys.argv[2:]]))
