"""What tests do with a ceremony's folder that is not finished: copy it, ask where it stands, go on."""

import json
import shutil
from pathlib import Path
from typing import Any

from ceremony.transcript import Line, read_lines
from tests.e2e.commands import Ended, ceremony, done, last_bundle


def copied(folder: Path, target: Path) -> Path:
    """A rehearsal's folder, to be gone on with elsewhere: its token stores are told where they lie now."""
    shutil.copytree(folder, target)
    for configuration in (target / "work" / "rehearsal").rglob("softhsm2.conf"):
        configuration.write_text(configuration.read_text().replace(str(folder.resolve()), str(target.resolve())))
    return target


def status(folder: Path) -> dict[str, Any]:
    """What `ceremony status --json` tells; it reads the record alone."""
    told: dict[str, Any] = json.loads(done("status", "--dir", folder, "--json").out)
    return told


def lines_of(folder: Path) -> list[Line]:
    """The record; raises when its chain is broken or its last line torn."""
    lines, torn = read_lines((folder / "transcript.jsonl").read_bytes())
    assert torn is None
    return lines


def paused_for(folder: Path, reason: str, code: str | None = None) -> None:
    """Asserts that the record is whole and ends in a pause for this reason."""
    last = lines_of(folder)[-1]
    assert (last.type, last.data.get("reason"), last.data.get("code")) == ("paused", reason, code), last


def gone_on_to_the_end(folder: Path, answers: Path, *more: str | Path) -> Path:
    """Resumes unattended; the ceremony must close, and its last bundle verify against the fingerprint. Returns that bundle."""
    ended: Ended = ceremony("resume", "--dir", folder, "--answers", answers, *more)
    assert ended.code == 0, ended
    assert lines_of(folder)[-1].type == "closed"
    bundle = last_bundle(folder)
    done("verify", bundle, "--fingerprint", status(folder)["fingerprint"])
    return bundle


def nothing_half_written(folder: Path) -> None:
    """No temporary file is left below the folder."""
    left = [path for path in folder.rglob("*") if path.name.endswith((".partial", ".tmp", ".new"))]
    assert left == []
