"""write-artifact: a public file, parsed as the kind that belongs to its path before it is kept."""

from typing import TYPE_CHECKING, Any

from ceremony.crossing.artifacts import describe_artifact
from ceremony.crossing.bundle import WRITTEN_ARTIFACTS
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class WriteArtifact(Verb):
    """Returns path, kind, SHA-256, size, serial and subject. The bundle takes the file from here."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Writes the PEM, or the file of the ceremony's folder that `from` names, if it still has its digest.

        Raises CeremonyError BUNDLE-KIND, BUNDLE-PRIVATE-KEY.
        """
        octets = room.folder.read(args["from"]) if "from" in args else args["pem"].encode()
        if "from" in args and sha256_hex(octets) != args["sha256"]:
            raise CeremonyError("BUNDLE-KIND", f"{args['from']} is not the file that came in.", state="Nothing was written.")
        artifact = describe_artifact(args["path"], octets)
        if artifact.kind != args["kind"]:
            raise CeremonyError(
                "BUNDLE-KIND", f"{args['path']} is of kind {artifact.kind}, not {args['kind']}.", state="Nothing was written."
            )
        room.folder.write(str(WRITTEN_ARTIFACTS / args["path"]), octets)
        return {
            "path": artifact.path,
            "kind": artifact.kind,
            "sha256": artifact.sha256,
            "size": artifact.size,
            "serial": artifact.serial,
            "subject": artifact.subject,
        }
