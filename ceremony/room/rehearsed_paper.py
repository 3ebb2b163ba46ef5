"""What a rehearsal keeps in place of paper: the shares of its throw-away token, below `work/rehearsal`, for who types them back later."""

import shutil
from pathlib import Path

from ceremony.activation.arrangement import Which
from ceremony.machine.folder import CeremonyFolder

PAPER = "work/rehearsal/paper"


def keep(folder: CeremonyFolder, which: Which, number: int, holder: str, words: bytearray) -> None:
    """Writes a share down, in a file that only its owner reads (0600). Raises CeremonyError RECORD-UNWRITABLE."""
    folder.write(f"{PAPER}/{which}-{number}-{holder}", bytes(words))


def kept(folder: CeremonyFolder, which: Which, number: int | None, holder: str) -> str | None:
    """The words of this holder's share of the set; None when there is no such paper."""
    path: Path = folder.path / PAPER / f"{which}-{number}-{holder}"
    return path.read_text(encoding="ascii") if path.exists() else None


def handed_down(past: Path, to: Path) -> None:
    """The papers of a made-up past, for the rehearsal in the folder `to` that goes on from it."""
    if (past / PAPER).exists():
        shutil.copytree(past / PAPER, to / PAPER)
