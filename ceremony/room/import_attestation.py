"""import-attestation: a vendor's chain of certificates is copied once from the medium, under caps; only the copy is read."""

import shutil
from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.machine.media import copy_in
from ceremony.machine.medium import medium_at
from ceremony.pki.attestation import LARGEST_CHAIN, chain_pem, read_chain
from ceremony.room.made_up_attestation import make_up_chain
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom

_FOLDER, _FILE = "attestation", "chain.pem"


class ImportAttestation(Verb):
    """Returns the chain as PEM in our form, its SHA-256 (hex), and whether a rehearsal made it up. Nothing is verified here."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Reads `attestation/chain.pem` on the inbound medium. Raises CeremonyError INBOX-NOT-NAMED, MEDIUM-…, ATTESTATION-REFUSED."""
        brought = room.inbox is not None and (room.inbox / _FOLDER / _FILE).is_file()
        if not brought and room.rehearsal:
            chain = make_up_chain(bytes.fromhex(args["public_key"]), room.script.attestation, args["token"])
            return _told(chain_pem(chain), made_up=True)
        if room.inbox is None:
            raise CeremonyError("INBOX-NOT-NAMED", "Nothing can come in: no inbox is named.", state="Nothing was imported.")
        if not brought:
            what = f"The medium at {room.inbox} holds no {_FOLDER}/{_FILE}."
            raise CeremonyError("MEDIUM-NO-ATTESTATION", what, state="Nothing was imported.")
        copy = room.folder.path / "work" / "attestation"
        shutil.rmtree(copy, ignore_errors=True)
        copy_in(room.inbox / _FOLDER, copy, largest_file=LARGEST_CHAIN, most_files=1, deepest=1)
        medium_at(room.inbox).unmount()
        return _told(chain_pem(read_chain((copy / _FILE).read_bytes())), made_up=False)


def _told(pem: bytes, *, made_up: bool) -> dict[str, Any]:
    return {"pem": pem.decode("ascii"), "sha256": sha256_hex(pem), "made_up": made_up}
