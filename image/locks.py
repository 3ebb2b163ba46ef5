"""The locked inputs of the image, and whether they are here: `python image/locks.py COMMAND INPUTS ...`.

`wanted` prints the packages that are not here yet, NAME=VERSION, and `wheels` the wheels, as pip wants them named; `check` stops when an
input is missing or is not the one that is locked; `repository INPUTS SET DIR` makes a flat apt repository of one set of packages;
`debs INPUTS SET` prints the paths of a set. Packages lie in INPUTS/debs by their SHA-256, wheels in INPUTS/wheels by name.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
_DEB = re.compile(r"([0-9a-f]{64}) ([a-z]+) ([a-z0-9][a-z0-9+.-]+) (\S+) (amd64|all) (pool/\S+\.deb)")
_WHEEL = re.compile(r"([0-9a-f]{64}) ([A-Za-z0-9_.]+-[A-Za-z0-9_.+!]+-\S+\.whl)")


class BrokenLock(Exception):
    """A line of a lock that is none; the message says which."""


class Deb(NamedTuple):
    """A line of debs.lock: SHA-256 in hex, the set it belongs to, and its place in a mirror's pool."""

    sha256: str
    set: str
    package: str
    version: str
    architecture: str
    path: str

    @property
    def place(self) -> Path:
        """Where it lies below the inputs."""
        return Path("debs", f"{self.sha256}.deb")

    @property
    def told(self) -> str:
        """How people know it."""
        return f"{self.package} {self.version} ({self.path})"


class Wheel(NamedTuple):
    """A line of wheels.lock: SHA-256 in hex, and the file's name."""

    sha256: str
    name: str

    @property
    def place(self) -> Path:
        """Where it lies below the inputs."""
        return Path("wheels", self.name)

    @property
    def told(self) -> str:
        """How people know it."""
        return self.name

    @property
    def requirement(self) -> str:
        """The line of a requirements file that names this file and no other."""
        project, version, *_ = self.name.split("-")
        return f"{project}=={version} --hash=sha256:{self.sha256}"


def read_debs(text: str) -> list[Deb]:
    """The lines of debs.lock; its first says the epoch. Raises BrokenLock."""
    first, *lines = text.splitlines() or [""]
    if not re.fullmatch(r"# epoch \d+", first):
        raise BrokenLock("debs.lock, line 1: the epoch is missing")
    return [Deb(*found.groups()) for found in _matches(_DEB, lines, "debs.lock", 2)]


def read_wheels(text: str) -> list[Wheel]:
    """The lines of wheels.lock. Raises BrokenLock."""
    return [Wheel(*found.groups()) for found in _matches(_WHEEL, text.splitlines(), "wheels.lock", 1)]


def _matches(form: re.Pattern[str], lines: list[str], name: str, first: int) -> Iterator[re.Match[str]]:
    for number, line in enumerate(lines, first):
        found = form.fullmatch(line)
        if found is None:
            raise BrokenLock(f"{name}, line {number} is no line of a lock")
        yield found


def problems(inputs: Path, locked: list[Deb | Wheel]) -> Iterator[str]:
    """A line for each input that is not here, or is another file than the one that is locked."""
    for entry in dict.fromkeys(locked):
        path = inputs / entry.place
        if not path.is_file():
            yield f"{entry.told} is missing"
        elif (found := sha256_of(path)) != entry.sha256:
            yield f"{entry.told} is not the one that is locked: {path} has SHA-256 {found}, the lock says {entry.sha256}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


WHAT_TO_DO = """\
Missing: the mirror has moved on to another version. Either take the packed inputs of this release (make image-inputs FROM=FILE.tar),
  or lock what the mirror has today (make image-lock), read the diff and have it reviewed: that is another image, with another digest.
Another file: delete it and give the command again; if it comes back, find out who changed it before anything else."""


def make_repository(inputs: Path, debs: list[Deb], folder: Path) -> None:
    """A flat apt repository of these packages alone, as mmdebstrap takes it. The hashes must have been checked."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (folder / "Packages").open("w", encoding="utf-8") as packages:
        for deb in debs:
            source, name = inputs / deb.place, deb.place.name
            try:
                os.link(source, folder / name)
            except OSError:
                shutil.copy(source, folder / name)
            fields = subprocess.run(["dpkg-deb", "--field", source], capture_output=True, text=True, check=True).stdout
            packages.write(f"{fields}Filename: ./{name}\nSize: {source.stat().st_size}\nSHA256: {deb.sha256}\n\n")


def main(command: str, inputs: Path, *rest: str) -> int:
    """Does one of the commands of the module's docstring."""
    try:
        debs = read_debs((HERE / "debs.lock").read_text(encoding="utf-8"))
        wheels = read_wheels((HERE / "wheels.lock").read_text(encoding="utf-8"))
    except BrokenLock as broken:
        sys.exit(f"image: {broken}")
    of_set = [deb for deb in debs if deb.set == rest[0]] if rest else []
    match command:
        case "wanted":
            print(*dict.fromkeys(f"{deb.package}={deb.version}" for deb in debs if not (inputs / deb.place).exists()), sep="\n")
        case "wheels":
            print(*(wheel.requirement for wheel in wheels if not (inputs / wheel.place).exists()), sep="\n")
        case "check":
            if found := list(problems(inputs, [*debs, *wheels])):
                sys.exit("\n".join(f"image: {problem}" for problem in found) + f"\n{WHAT_TO_DO}")
        case "repository":
            make_repository(inputs, of_set, Path(rest[1]))
        case "debs":
            print(*(inputs / deb.place for deb in of_set), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
