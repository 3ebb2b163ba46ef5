"""What holds for every test run."""

import os
import shutil

import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    """In CI nothing is passed over: what a test would be skipped for must be there."""
    if os.environ.get("CI") != "true":
        return
    from hsm.errors import TokenError
    from hsm.softhsm import find_softhsm

    missing = [tool for tool in ("openssl", "tmux", "cc") if shutil.which(tool) is None]
    try:
        find_softhsm()
    except TokenError:
        missing.append("SoftHSM")
    if missing:
        pytest.exit(f"CI is true, and these are missing: {', '.join(missing)}", returncode=1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured (`record_property("figure", ...)`), told at the end: what a worker of xdist prints is seen by nobody."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    for told in [value for report in reports if report.when == "call" for name, value in report.user_properties if name == "figure"]:
        terminalreporter.write_line(f"figure: {told}")
