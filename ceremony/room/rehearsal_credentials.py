"""Credentials that a rehearsal makes up for everybody, so that no real one is used in it."""

import contextlib
from pathlib import Path

from ceremony.activation.credential_file import credential_in, new_credential
from ceremony.pki.key_wrapping import Work
from ceremony.room.sign_statement import REHEARSAL_PASSPHRASE
from ceremony.script import Script

_LITTLE_WORK = Work(1 << 4, 8, 1)
"""The passphrase is no secret: stretching it would only take time."""


def made_up_credentials(script: Script, folder: Path) -> dict[str, dict[str, str]]:
    """Roster texts by participant's id and name, of all who may sign; those that are in the folder already are kept.

    Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: dict[str, dict[str, str]] = {}
    for participant in script.participants:
        if participant.role == "observer":
            continue
        made[participant.id] = {
            entry.name: _made_up(folder / f"{participant.id}-{number}.pem") for number, entry in enumerate(participant.everyone)
        }
    return made


def _made_up(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return credential_in(path.read_bytes())
    pem = new_credential(bytearray(REHEARSAL_PASSPHRASE.encode()), _LITTLE_WORK)
    path.touch(0o600)
    path.write_bytes(pem)
    return credential_in(pem)
