"""Changes the product in small ways, one at a time, and looks whether a test goes red: `make mutation MINUTES=10`.

First the tests of the chosen folders run once, for MINUTES at most, to learn which lines each runs. Then, for as many minutes, mutants
are drawn by the seed, and for each the tests that run its line are run, quickest first, until one is red. Survivors are printed as they
are found, and at the end the score.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

from tests.mutation.recording import Recorder
from tests.mutation.running import Running, Site, first_to_end, in_child, mutate, preload, run_tests, sites

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("ceremony/pki", "ceremony/engine", "ceremony/steps", "ceremony/crossing")
TESTS = ("pki", "steps", "crossing", "engine", *sorted(path.name for path in (ROOT / "tests").glob("test_script*.py")))
"""What of tests/ may kill a mutant: folders and files. Tests of whole commands may not: they are slow, and in children of their own."""
NOT_RUN = ("--ignore=tests/engine/test_crashes.py",)
"""Thousands of ceremonies, each cut and resumed: for hours, not for minutes."""
PROCESSES = 2
SECONDS_OF_TESTS = 20.0
"""Of the tests that run a line, the quickest, up to so many seconds in all (as the recording measured them)."""

Tests = dict[tuple[str, int], list[str]]


def record(folders_of_tests: list[str], until: float) -> tuple[Tests, dict[str, float]]:
    """The tests that run each line, quickest first; and the seconds of each test."""
    folders = tuple(str(ROOT / package) for package in PACKAGES)
    told: dict[str, dict[str, dict[str, list[int]]]] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as into:
        waiting, running = list(folders_of_tests), 0
        while waiting or running:
            if waiting and running < PROCESSES:
                folder = waiting.pop()
                in_child(partial(run_tests, [f"tests/{folder}", *NOT_RUN], Recorder(folders, Path(into, folder), until)))
                running += 1
            else:
                os.wait()
                running -= 1
        for folder in folders_of_tests:
            found = json.loads(Path(into, folder).read_text())
            told[folder] = found["lines"]
            seconds |= found["seconds"]
    tests: Tests = defaultdict(list)
    for lines_of in told.values():
        for test in sorted(lines_of, key=lambda test: seconds[test]):
            for file, lines in lines_of[test].items():
                for line in lines:
                    tests[str(Path(file).relative_to(ROOT)), line].append(test)
    return {place: sorted(found, key=lambda test: seconds[test]) for place, found in tests.items()}, seconds


def chosen(site: Site, tests: Tests, seconds: dict[str, float]) -> list[str]:
    """The tests to run for a mutant. A line that runs as the module is imported is of no test: then those that run any line of the file."""
    found = tests.get((site.file, site.line)) or sorted(
        {test for (file, _), of_line in tests.items() if file == site.file for test in of_line[:5]}, key=lambda test: seconds[test]
    )
    kept: list[str] = []
    left = SECONDS_OF_TESTS
    for test in found:
        left -= seconds[test] + 0.02
        if left < 0 and kept:
            break
        kept.append(test)
    return kept


def main() -> int:
    """Prints the score. 1 when not a single mutant could be tried."""
    minutes, seed, only = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.chdir(ROOT)
    files = sorted(str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).glob("*.py"))
    drawn = [site for site in sites(ROOT, files) if site.file.startswith(only)]
    count = len(drawn)
    random.Random(seed).shuffle(drawn)  # noqa: S311
    preload()
    tests, seconds = record(sys.argv[4:] or list(TESTS), time.monotonic() + 60 * minutes)
    print(f"{len(seconds)} tests, {count} mutants.", flush=True)
    unchanged = in_child(partial(run_tests, sorted(seconds, key=lambda test: seconds[test])[::10]))
    if os.waitpid(unchanged, 0)[1] != 0:
        print("Tests are red although nothing was changed.")
        return 1
    stop = time.monotonic() + 60 * minutes
    running: dict[int, Running] = {}
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    drawn.reverse()
    while running or (drawn and time.monotonic() < stop):
        if drawn and len(running) < PROCESSES and time.monotonic() < stop:
            site = drawn.pop()
            of_site = chosen(site, tests, seconds)
            if not of_site:
                tell(tally, site, "no test")
                continue
            child = in_child(partial(try_mutant, site, of_site))
            running[child] = Running(site, time.monotonic() + 60 + 10 * sum(seconds[test] for test in of_site))
        else:
            child, late, code = first_to_end(running)
            tell(tally, running.pop(child).site, outcome_of(code, late=late))
    for package in PACKAGES:
        print(f"{package}: {score(tally[package])}")
    whole = sum(tally.values(), Counter[str]())
    print(f"in all: {score(whole)} ({whole.total()} of {count} mutants, seed {seed}; {len(seconds)} tests)")
    return 0 if whole.total() else 1


def try_mutant(site: Site, tests: list[str]) -> int:
    """In a child: the exit code of the tests with the mutant in the module's place."""
    mutate(ROOT, site)
    return run_tests(tests)


def tell(tally: dict[str, Counter[str]], site: Site, outcome: str) -> None:
    """Counts a mutant; one that lives is printed."""
    tally[site.file.rsplit("/", 1)[0]][outcome] += 1
    if not outcome.startswith("killed"):
        print(f"{outcome}: {site.file}:{site.line} {site.what}", flush=True)


def outcome_of(code: int, *, late: bool) -> str:
    """In words, by pytest's exit code. Only a red test or the time kills: where pytest could not run, no test noticed anything."""
    if late:
        return "killed by time"
    return {0: "survived", 1: "killed"}.get(code, f"not run (exit {code})")


def score(counts: Counter[str]) -> str:
    killed = sum(number for outcome, number in counts.items() if outcome.startswith("killed"))
    share = f"{100 * killed / counts.total():.1f} %" if counts.total() else "none tried"
    return f"{share}; " + ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
