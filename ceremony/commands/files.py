"""Reading what a command is given, and writing what it makes."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ceremony.canonical import canonical_json
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text


def read_script_file(path: Path) -> bytes:
    """The bytes of a script file. Raises CeremonyError SCRIPT-UNREADABLE."""
    # With the script come all steps and the engine: most commands that read and write files need none of them.
    from ceremony.script import LARGEST_SCRIPT

    try:
        with path.open("rb") as file:
            return file.read(LARGEST_SCRIPT + 1)
    except OSError as failed:
        raise CeremonyError("SCRIPT-UNREADABLE", f"{path} could not be read: {failed.strerror}.", state="Nothing was begun.") from failed


def write_file(path: Path, octets: bytes) -> None:
    """A new file; one that is there is never overwritten. Raises CeremonyError FILE-EXISTS, FILE-UNWRITABLE."""
    try:
        with path.open("xb") as file:
            file.write(octets)
    except FileExistsError as there:
        raise CeremonyError("FILE-EXISTS", f"{path} is there already.", state="It was not changed.") from there
    except OSError as failed:
        raise CeremonyError("FILE-UNWRITABLE", f"{path} could not be written: {failed.strerror}.") from failed


def this_command() -> str:
    """How to call this program again from where the user stands: a path, unless it was found by its bare name elsewhere."""
    program = Path(sys.argv[0])
    if program.name != "ceremony" or not program.is_absolute():
        return "ceremony"
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(canonical_json(value) + b"\n")
    sys.stdout.flush()


def say(*lines: str) -> None:
    """Talk: on stderr, printable ASCII. A terminal that is gone must not keep a ceremony from ending in order."""
    with suppress(OSError):
        print(*map(shown_text, lines), sep="\n", file=sys.stderr, flush=True)
