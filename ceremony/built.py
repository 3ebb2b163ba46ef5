"""What this program was built from and installed from, as far as an installed program can know it of itself.

Three things are told, and none of them is proof against somebody who changed the program: the commit, which the build wrote
into the wheel; the wheel's SHA-256, which the wheel can't hold and pip notes beside it (PEP 610, direct_url.json); and whether
the installed files still are those that the wheel's list of files (RECORD) names.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

DISTRIBUTION = "root-ceremony"
BUILT = Path("ceremony", "built.json")
"""Where the build's note lies in a wheel and an sdist; a checkout has none (requirements/build_hook.py)."""


@dataclass(frozen=True)
class Build:
    """The build of this program. `commit` is 40 hex digits, `committed_at` RFC 3339 in UTC; None is what could not be told.

    `tree` is how far the files are the commit's: "as committed" and "changed" by the word of the build, "checkout" when the
    program runs from one, where nothing was compared, "not told" when neither is known. `altered` are installed files that are
    not as the wheel's RECORD says; None when no wheel was installed.
    """

    version: str
    commit: str | None
    committed_at: str | None
    tree: str
    wheel_sha256: str | None
    altered: tuple[str, ...] | None

    def facts(self) -> dict[str, Any]:
        """What `opened` and `resumed` hold of it."""
        return {
            "version": self.version,
            "commit": self.commit,
            "committed_at": self.committed_at,
            "tree": self.tree,
            "wheel_sha256": self.wheel_sha256,
            "altered": None if self.altered is None else list(self.altered),
        }

    def lines(self) -> list[str]:
        """The same for people, each line `name: text`."""
        commit = self.commit or "not known"
        when = f", of {self.committed_at}" if self.committed_at else ""
        files = "no wheel to compare them with" if self.altered is None else f"NOT as in the wheel: {', '.join(self.altered)}"
        return [
            f"commit: {commit}{when} ({_TREES[self.tree]})",
            f"wheel: SHA-256 {self.wheel_sha256}, as pip noted at the installation" if self.wheel_sha256 else "wheel: not known",
            f"files: {'as in the wheel' if self.altered == () else files}",
        ]


_TREES = {
    "as committed": "files as committed",
    "changed": "with files that were CHANGED after it",
    "checkout": "a checkout: whether files were changed after it was not looked at",
    "not told": "the build told nothing of its files",
}


@cache
def build() -> Build:
    """Looks once. The version is "not installed" where the program was copied and not installed."""
    top = Path(__file__).resolve().parents[1]
    note = _note(top / BUILT)
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return _without_wheel("not installed", top)
    if note is None:
        return _without_wheel(installed.version, top)
    return Build(
        installed.version,
        note.get("commit"),
        note.get("committed_at"),
        str(note.get("tree", "not told")),
        _wheel_sha256(installed),
        tuple(altered_files(installed)),
    )


def _without_wheel(version: str, top: Path) -> Build:
    return Build(version, commit_of_checkout(top), None, "checkout" if (top / ".git").exists() else "not told", None, None)


def _note(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_bytes()))
    except OSError:
        return None


def _wheel_sha256(installed: Distribution) -> str | None:
    """SHA-256 of the archive that pip installed, in hex; pip notes it when a file and not a name was asked for."""
    noted = json.loads(installed.read_text("direct_url.json") or "{}").get("archive_info", {})
    value = noted.get("hashes", {}).get("sha256") or str(noted.get("hash", "")).removeprefix("sha256=")
    return str(value) if value else None


def altered_files(installed: Distribution) -> Iterator[str]:
    """Paths, as RECORD has them, of files that are missing or have another digest than RECORD says; sorted.

    What RECORD gives no digest for (itself, and what Python compiles) is passed over.
    """
    for file in sorted(installed.files or ()):
        if file.hash is None:
            continue
        try:
            found = hashlib.new(file.hash.mode, Path(str(file.locate())).read_bytes()).digest()
        except OSError:
            yield str(file)
            continue
        if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != file.hash.value:
            yield str(file)


def commit_of_checkout(top: Path) -> str | None:
    """The commit that a checkout's HEAD names, read from git's files (gitrepository-layout(5)); None where that can't be told."""
    try:
        git = top / ".git"
        if git.is_file():  # a second worktree
            git = top / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        common = git / (git / "commondir").read_text(encoding="utf-8").strip() if (git / "commondir").exists() else git
        return _named(head, git, common)
    except (OSError, UnicodeDecodeError):
        return None


def _named(head: str, git: Path, common: Path) -> str | None:
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    for folder in (git, common):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
    packed = (common / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
