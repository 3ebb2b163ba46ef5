"""The vendor's module, from a medium of its own into memory: only as the paper says, file by file."""

import re
import shutil
import stat
from pathlib import Path

from ceremony.words import fingerprint_typed, sha256_hex, words_of

TAKEN_TO = Path("/opt/vendor")
"""Where the module is then, for the site file to name."""

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9._+-]+(?:/[A-Za-z0-9._+-]+)*)")
_LARGEST_FILE, _MOST_FILES = 256 << 20, 1000
WORDS_AT_LEAST = 8


class Refused(Exception):
    """A medium that is not as the paper says, or not as its own list says; the message says why."""


def is_on_paper(digest: str, typed: str) -> bool:
    """Whether what was typed from paper is this digest (hex): 64 hex digits, 32 words, or at least its first eight words."""
    try:
        return fingerprint_typed(typed) == digest
    except ValueError:
        words = typed.casefold().split()
        return len(words) >= WORDS_AT_LEAST and words == [word.casefold() for word in words_of(digest)[: len(words)]]


def taken_over(medium: Path, typed: str, target: Path = TAKEN_TO) -> str:
    """Copies the medium's files to the new folder `target` and returns the digest of its SHA256SUMS. Raises Refused; then nothing is left.

    `typed` comes from paper. What is looked at is the copy: a medium can answer otherwise when it is read again.
    """
    if target.exists():
        raise Refused(f"A vendor's module was taken over already, to {target}. Start the machine again for another.")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        found = _copied(medium, partial)
        sums = found.pop(SUMS, None)
        if sums is None:
            raise Refused(f"The medium has no {SUMS}.")
        if not is_on_paper(sums, typed):
            raise Refused(f"{SUMS} of the medium is not the one on the paper. Its SHA-256 is {sums}.")
        if problems := list(_differences((partial / SUMS).read_text(encoding="ascii", errors="replace"), found)):
            raise Refused("; ".join(problems[:3]) + ".")
        partial.rename(target)
    except OSError as failed:
        raise Refused(f"The medium could not be read: {failed.strerror}.") from failed
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sums


def _copied(medium: Path, into: Path) -> dict[str, str]:
    """SHA-256 by path of every file that was copied; links and special files are refused."""
    found: dict[str, str] = {}
    into.mkdir(mode=0o755)
    for path in sorted(medium.rglob("*")):
        name, kind = path.relative_to(medium).as_posix(), path.lstat().st_mode
        if name.split("/")[0] in ("lost+found", "System Volume Information"):
            continue
        if stat.S_ISDIR(kind):
            (into / name).mkdir(mode=0o755)
        elif not stat.S_ISREG(kind):
            raise Refused(f"{ascii(name)} on the medium is a link or a special file.")
        elif len(found) >= _MOST_FILES or path.stat().st_size > _LARGEST_FILE:
            raise Refused("The medium holds too many files, or one that is too large.")
        else:
            octets = path.read_bytes()
            (into / name).write_bytes(octets)
            (into / name).chmod(0o755)
            found[name] = sha256_hex(octets)
    return found


def _differences(sums: str, found: dict[str, str]) -> list[str]:
    lines = [_LINE.fullmatch(line) for line in sums.splitlines()]
    if not lines or None in lines:
        return [f"{SUMS} has a line that is none of sha256sum"]
    listed = {line[2]: line[1] for line in lines if line}
    return [
        *(f"{ascii(name)} does not stand in {SUMS}" for name in sorted(found.keys() - listed.keys())),
        *(f"{name} is missing" for name in sorted(listed.keys() - found.keys())),
        *(f"{name} is not the file of {SUMS}" for name in sorted(listed.keys() & found.keys()) if listed[name] != found[name]),
    ]
