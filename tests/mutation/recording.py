"""A plugin of pytest: which lines of the product each test runs, and how long it takes (by `settrace`: 3.11 has nothing lighter)."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest


class Recorder:
    """Lines go to the test that runs them, or to the fixture that is being set up: all tests that use the fixture run them too."""

    def __init__(self, folders: tuple[str, ...], into: Path, until: float) -> None:
        """`until` is a time of the monotonic clock: no test is begun after it."""
        self.folders, self.into, self.until = folders, into, until
        self.lines: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.current: set[tuple[str, int]] = set()
        self.tests: dict[str, tuple[float, tuple[str, ...]]] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self.not_green: set[str] = set()

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(self.folders) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.current.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.current = self.lines[item.nodeid]
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.tests[item.nodeid] = self.seconds[item.nodeid], tuple(getattr(item, "fixturenames", ()))
            if time.monotonic() > self.until:
                item.session.shouldstop = "the time for the recording is up"

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        before, self.current = self.current, self.lines[f"fixture {fixturedef.argname}"]
        try:
            return (yield)
        finally:
            self.current = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if not report.passed:
            self.not_green.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Writes `{"lines": {test: {file: [line]}}, "seconds": {test: seconds}}`, of the tests that are green."""
        green = {test: told for test, told in self.tests.items() if test not in self.not_green}
        lines: dict[str, dict[str, list[int]]] = {}
        for test, (_, fixtures) in green.items():
            by_file: dict[str, list[int]] = defaultdict(list)
            for file, line in sorted(self.lines[test].union(*(self.lines[f"fixture {name}"] for name in fixtures))):
                by_file[file].append(line)
            lines[test] = by_file
        self.into.write_text(json.dumps({"lines": lines, "seconds": {test: seconds for test, (seconds, _) in green.items()}}))
