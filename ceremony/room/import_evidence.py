"""import-evidence: one file that a vendor's tool wrote is copied from the inbound medium, under a cap, unless it holds a private key."""

import shutil
from typing import TYPE_CHECKING, Any

from ceremony.crossing.private_keys import private_key_in
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.media import copy_in
from ceremony.machine.medium import medium_at
from ceremony.pki.names import shown_text
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom

LARGEST_EVIDENCE = 8 << 20
"""A log is at most 8 MiB."""
FOLDER = "hsm-log"
_NOTHING = "Nothing of it was kept."


class ImportEvidence(Verb):
    """Returns the file's name, where it is `kept` in the ceremony's folder, its size and SHA-256 (hex). A rehearsal makes up what nobody
    brought."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Copies the one file of the folder `hsm-log`. Raises CeremonyError INBOX-NOT-NAMED, MEDIUM-…, EVIDENCE-PRIVATE-KEY."""
        kept = f"work/evidence/{args['name']}"
        target = room.folder.path / kept
        # What an interruption left of it: no line tells of that.
        shutil.rmtree(target, ignore_errors=True)
        brought = room.inbox is not None and (room.inbox / FOLDER).is_dir()
        if not brought and not room.rehearsal:
            if room.inbox is None:
                raise CeremonyError("INBOX-NOT-NAMED", "Nothing can come in: no inbox is named.", state=_NOTHING)
            what = f"The medium at {room.inbox} holds no folder {FOLDER}."
            raise CeremonyError("MEDIUM-NO-EVIDENCE", what, state=_NOTHING)
        if brought and room.inbox is not None:
            copy_in(room.inbox / FOLDER, target, largest_file=LARGEST_EVIDENCE, most_files=1, deepest=1)
        else:
            room.folder.write(f"{kept}/rehearsal.log", b"REHEARSAL: a log that nobody's device wrote.\n")
        # From here on only the copy is looked at.
        unmounted = brought and room.inbox is not None and medium_at(room.inbox).unmount()
        files = sorted(target.iterdir())
        octets = files[0].read_bytes() if len(files) == 1 else b""
        if not octets:
            shutil.rmtree(target)
            raise CeremonyError("MEDIUM-NO-EVIDENCE", f"The folder {FOLDER} does not hold just one file that is not empty.", state=_NOTHING)
        if found := private_key_in(octets):
            shutil.rmtree(target)
            what = f"The file {shown_text(files[0].name)} holds {found}."
            raise CeremonyError("EVIDENCE-PRIVATE-KEY", what, state=_NOTHING)
        return {
            "file": files[0].name,
            "kept": f"{kept}/{files[0].name}",
            "size": len(octets),
            "sha256": sha256_hex(octets),
            "made_up": not brought,
            "unmounted": bool(unmounted),
        }
