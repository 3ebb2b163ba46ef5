"""The image that this machine was booted from, where it is the ceremony machine's: the digest that its init measured.

The image tells of itself, so nothing is proved by it: the proof is the comparison of the image's file on other machines, before
(docs/ceremony-machine.md). It finds the mistake: another release on the stick, another machine on the table.
"""

import re
from pathlib import Path

from ceremony.errors import CeremonyError
from ceremony.machine.linux import text_of

TOLD_AT = "run/ceremony-image"
"""Where the init of the image writes it, readable by all and written by none but root."""

_LINE = re.compile(r"([0-9a-f]{64})\n")


def image_sha256(root: Path = Path("/")) -> str | None:
    """SHA-256 (hex) of `boot/root.squashfs` of the image, all that runs here beside the kernel; None where no image tells one.

    That file lists the digests of the image's other files, so it stands for all of them. `root` is "/" or a made-up tree.
    """
    told = _LINE.fullmatch(text_of(root, TOLD_AT) or "")
    return told[1] if told else None


def problem_with_image(wanted: str | None, told: str | None) -> str | None:
    """What is wrong with the image that a machine tells of (SHA-256, hex), held against the script's; None when nothing is."""
    if wanted is None or wanted == told:
        return None
    here = f"this machine runs the image {told}" if told else "this machine runs no image that tells its digest"
    return f"The script wants the image {wanted}; {here}."


def require_image(wanted: str | None) -> None:
    """Raises CeremonyError IMAGE-DIFFERS (exit 7) when this machine does not run the image that the script names."""
    if problem := problem_with_image(wanted, image_sha256()):
        raise CeremonyError("IMAGE-DIFFERS", problem, state="Nothing was begun and nothing was changed.")
