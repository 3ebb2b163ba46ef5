"""write-artifact: a public file, parsed as the kind that belongs to its path before it is kept."""

from typing import TYPE_CHECKING, Any

from ceremony.crossing.artifacts import describe_artifact
from ceremony.crossing.bundle import WRITTEN_ARTIFACTS
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class WriteArtifact(Verb):
    """Returns path, kind, SHA-256, size, serial and subject. The bundle takes the file from here."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Writes the PEM. Raises CeremonyError BUNDLE-KIND, BUNDLE-PRIVATE-KEY."""
        octets = args["pem"].encode()
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
