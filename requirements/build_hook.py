"""Hatchling's build hook: writes into wheel and sdist which commit they were made of (ceremony/built.json).

A build in a checkout asks git. A build from an sdist carries the sdist's note on, so that it gives the same wheel. An editable
installation gets none: its files change after it.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NOTE = "ceremony/built.json"
GOES_IN = ("ceremony", "hsm", "ceremony-scripts", "docs/shell", "pyproject.toml", "LICENSE", "README.md", "requirements/build_hook.py")


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that pyproject.toml names under [tool.hatch.build.hooks.custom]."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before each build; `version` is "editable" for an editable installation."""
        top, note = Path(self.root), Path(self.directory, ".built.json")
        if version == "editable":
            return
        if (top / ".git").exists():
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(told(top), sort_keys=True) + "\n", encoding="utf-8")
        elif (top / NOTE).exists():
            note = top / NOTE
        else:
            return
        # By this way in both cases: it also is a file's place in the archive.
        build_data["force_include"][str(note)] = NOTE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After each build: the note lies in what was built."""
        Path(self.directory, ".built.json").unlink(missing_ok=True)


def told(top: Path) -> dict[str, str]:
    """Commit, its time in UTC, and whether what goes into the wheel is as committed. Raises CalledProcessError when git can't tell."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(top), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "TZ": "UTC"}).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=all", "--", *GOES_IN)
    return {
        "commit": git("rev-parse", "HEAD"),
        "committed_at": git("log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ"),
        "tree": "changed" if changed else "as committed",
    }

