"""make-bundle: the bundle of a seal, from the record up to that seal and from nothing else."""

from typing import TYPE_CHECKING, Any

from ceremony.crossing.bundle import make_bundle
from ceremony.engine.step import AskSecret
from ceremony.report.rendering import reports_of
from ceremony.room.verb import Verb
from ceremony.transcript import read_lines

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class MakeBundle(Verb):
    """Returns the number of files. The same seal makes the same bytes, so it may be done again."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Makes bundles/<n>. Raises CeremonyError BUNDLE-…"""
        octets = up_to(room.folder.read("transcript.jsonl"), args["fingerprint"])
        previous = room.folder.path / "work" / "previous" / "record" / "ledger.json"
        target = room.folder.bundle(args["bundle"])
        target.parent.mkdir(mode=0o700, exist_ok=True)
        manifest = make_bundle(
            target,
            ceremony_folder=room.folder.path,
            lines_up_to_seal=octets,
            script=room.folder.script,
            previous_ledger=previous.read_bytes() if previous.exists() else None,
            reports=reports_of(room.folder.script, octets),
        )
        return {"bundle": args["bundle"], "files": len(manifest.artifacts) + 2}


def up_to(transcript: bytes, fingerprint: str) -> bytes:
    """The transcript's bytes up to and with the line of this SHA-256 (hex)."""
    lines, _ = read_lines(transcript)
    number = next(line.seq for line in lines if line.sha256 == fingerprint)
    return b"".join(line + b"\n" for line in transcript.split(b"\n")[:number])
