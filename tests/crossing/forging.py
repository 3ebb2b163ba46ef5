"""Lines of a held ceremony changed as a forger would, and what `verify` says of the bundle that they make."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ceremony.crossing.verify import Verdict, verify_bundle
from tests.crossing.held_ceremony import HeldCeremony


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def verdict_on(ceremony: HeldCeremony, folder: Path, **more: Any) -> Verdict:
    return verify_bundle(ceremony.write_bundle(folder / "forged"), **more)


def lines_where(ceremony: HeldCeremony, type: str, **data: Any) -> list[dict[str, Any]]:
    found = [line for line in ceremony.lines if line["type"] == type and all(line["data"].get(key) == value for key, value in data.items())]
    assert found, (type, data)
    return found


def drop(type: str, **data: Any) -> Callable[[HeldCeremony], None]:
    def change(ceremony: HeldCeremony) -> None:
        for line in lines_where(ceremony, type, **data):
            ceremony.lines.remove(line)

    return change


def put(type: str, where: dict[str, Any], **new: Any) -> Callable[[HeldCeremony], None]:
    def change(ceremony: HeldCeremony) -> None:
        for line in lines_where(ceremony, type, **where):
            line["data"] |= copy.deepcopy(new)

    return change


def insert_after(ceremony: HeldCeremony, line: dict[str, Any], adding: Callable[[HeldCeremony], None]) -> None:
    """Lines that `adding` appends, put after this one, in its step."""
    place = ceremony.lines.index(line) + 1
    rest, step = ceremony.lines[place:], ceremony.step
    ceremony.lines, ceremony.step = ceremony.lines[:place], line["step"]
    adding(ceremony)
    ceremony.lines, ceremony.step = ceremony.lines + rest, step
