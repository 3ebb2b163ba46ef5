"""ceremony status --dir DIR: where a ceremony stands, from its transcript alone."""

import argparse
import json
import os
import sys
from typing import Any

from ceremony.transcript import Line, read_lines
from ceremony.words import grouped, words_of

_STANDING = {"paused": "paused", "aborted": "aborted", "closed": "closed"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Folder and --json."""
    parser.add_argument("--dir", type=os.fspath, required=True, help="the ceremony's folder")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints it."""
    from ceremony.errors import CeremonyError

    try:
        with open(os.path.join(args.dir, "transcript.jsonl"), "rb") as file:
            lines, torn = read_lines(file.read())
    except OSError as failed:
        raise CeremonyError("RECORD-MISSING", f"{args.dir} holds no ceremony.") from failed
    if not lines:
        raise CeremonyError("RECORD-MISSING", f"{args.dir} holds no ceremony.")
    told = status_of(lines, torn_bytes=torn.length if torn else 0)
    if args.json:
        json.dump(told, sys.stdout, sort_keys=True, separators=(",", ":"))
        print()
    else:
        print(*_text(told), sep="\n")
    return 0


def status_of(lines: list[Line], *, torn_bytes: int = 0) -> dict[str, Any]:
    """What the record says.

    `fingerprint` (hex) is that of the last announced line, "" when none was; of a closed ceremony it is the last bundle's, also
    where somebody paused between its seal and the end.
    """
    opened, last = lines[0], lines[-1]
    announced = next(
        (line for line in reversed(lines) if line.type == "sealed" or (last.type != "closed" and _is_announced_pause(line))), None
    )
    open_step = next((line for line in reversed(lines) if line.type == "step-started"), None)
    return {
        "format": 1,
        "ceremony": opened.data["ceremony"],
        "rehearsal": opened.data["rehearsal"],
        "script": opened.data["script"],
        "opened": opened.time,
        "last": last.time,
        "state": _STANDING.get(last.type, "interrupted"),
        "paused_for": last.data.get("reason") if last.type == "paused" else None,
        "steps_finished": sum(line.type == "step-finished" for line in lines),
        "step": {"number": open_step.step, **open_step.data} if open_step else None,
        "lines": len(lines),
        "torn_bytes": torn_bytes,
        "deviations": sum(line.type == "deviation" for line in lines),
        "bundles": [
            {"bundle": line.data["bundle"], "fingerprint": line.sha256, "sealed": line.time} for line in lines if line.type == "sealed"
        ],
        "fingerprint": announced.sha256 if announced else "",
    }


def _is_announced_pause(line: Line) -> bool:
    return line.type == "paused" and line.data["reason"] != "crossing"


def _text(told: dict[str, Any]) -> list[str]:
    lines = [
        f"{'REHEARSAL' if told['rehearsal'] else 'PRODUCTION'}  {ascii(told['script']['title'])[1:-1]}",
        f"Ceremony    {told['ceremony']}",
        f"Opened      {told['opened']}",
        f"Last line   {told['last']} (line {told['lines']})",
        f"State       {told['state']}" + (f" ({told['paused_for']})" if told["paused_for"] else ""),
    ]
    if told["step"]:
        lines.append(f"Step        {told['step']['number']}: {ascii(told['step']['title'])[1:-1]}; finished: {told['steps_finished']}")
    lines.append(f"Deviations  {told['deviations']}")
    lines += [f"Bundle {entry['bundle']}    sealed {entry['sealed']}" for entry in told["bundles"]]
    if told["torn_bytes"]:
        lines.append(f"A torn last line of {told['torn_bytes']} bytes was never announced; resume sets it aside.")
    if told["fingerprint"]:
        words = words_of(told["fingerprint"])
        lines += ["Fingerprint (SHA-256) to be on paper", f"  {grouped(told['fingerprint'])}"]
        lines += [f"  {' '.join(words[start : start + 8])}" for start in range(0, 32, 8)]
    return lines
