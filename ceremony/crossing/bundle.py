"""The writer of a bundle: what leaves at an export, made from the record up to its seal and from nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ceremony.canonical import canonical_json
from ceremony.crossing.artifacts import describe_artifact
from ceremony.crossing.files import SUMS, Caps, read_tree, sums_of, write_tree
from ceremony.crossing.ledger import ledger_of
from ceremony.crossing.private_keys import private_key_in
from ceremony.crossing.record import Artifact, Record
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.transcript import LARGEST_TRANSCRIPT, read_lines
from ceremony.words import sha256_hex

MANIFEST, SCRIPT, TRANSCRIPT, LEDGER = "manifest.json", "record/script.toml", "record/transcript.jsonl", "record/ledger.json"
REPORTS = ("record/report.html", "record/report.pdf")
"""The renderings of the record that a bundle holds, by their path in it."""

CAPS = Caps(largest_file=LARGEST_TRANSCRIPT, largest_total=2 * LARGEST_TRANSCRIPT, most_files=5000, deepest=4)
"""A bundle has at most 5,000 files, three folders deep below its own, 256 MiB a file and 512 MiB in all."""

WRITTEN_ARTIFACTS = Path("work") / "artifacts"
"""Where, in the ceremony's folder, the room keeps each artifact it wrote, under its path in the bundle."""

_UNTOUCHED = "Nothing was written."
_RECORD_KINDS: dict[str, Literal["script", "transcript", "ledger", "report"]] = {
    SCRIPT: "script",
    TRANSCRIPT: "transcript",
    LEDGER: "ledger",
    **dict.fromkeys(REPORTS, "report"),
}


class ManifestEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bundle: SHA-256 (hex) and size of its bytes; serial (40 hex digits) and subject of a certificate."""

    path: str
    kind: str
    sha256: str
    size: int
    subject: str | None
    serial: str | None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """manifest.json. `root_fingerprint` is SHA-256 of the root certificate's DER, `fingerprint` that of the seal's line; both hex."""

    format: Literal[1]
    ceremony: str
    rehearsal: bool
    script_sha256: str
    root_fingerprint: str | None
    fingerprint: str
    bundle: int
    artifacts: tuple[ManifestEntry, ...]


def manifest_of(record: Record, record_files: Mapping[str, bytes]) -> Manifest:
    """The manifest of the bundle that leaves with the record's seal; `record_files` are the files of record/, by path."""
    entries = [ManifestEntry(item.path, item.kind, item.sha256, item.size, item.subject, item.serial) for item in record.sealed.artifacts]
    for path, kind in _RECORD_KINDS.items():
        entries.append(ManifestEntry(path, kind, sha256_hex(record_files[path]), len(record_files[path]), None, None))
    return Manifest(
        format=1,
        ceremony=record.sealed.ceremony,
        rehearsal=record.sealed.rehearsal,
        script_sha256=record.opened.script.sha256,
        root_fingerprint=record.sealed.root_certificate_sha256,
        fingerprint=record.fingerprint,
        bundle=record.sealed.bundle,
        artifacts=tuple(sorted(entries, key=lambda entry: entry.path)),
    )


def manifest_bytes(manifest: Manifest) -> bytes:
    """manifest.json: canonical JSON and a newline."""
    return canonical_json(msgspec.to_builtins(manifest)) + b"\n"


def make_bundle(
    target: Path,
    *,
    ceremony_folder: Path,
    lines_up_to_seal: bytes,
    script: bytes,
    previous_ledger: bytes | None,
    reports: Mapping[str, bytes],
) -> Manifest:
    """Makes the bundle of the seal that is the last of `lines_up_to_seal` at `target`, whole or not at all.

    Artifacts are taken from WRITTEN_ARTIFACTS below `ceremony_folder`; `reports` holds exactly the paths of REPORTS. The
    same input makes the same bytes: when `target` already is that bundle, nothing is written. Raises CeremonyError
    BUNDLE-RECORD, BUNDLE-KIND, BUNDLE-PRIVATE-KEY, BUNDLE-EXISTS, RECORD-BROKEN or LEDGER-BROKEN, and OSError.
    """
    lines, torn = read_lines(lines_up_to_seal)
    record = Record(lines)
    if torn or record.opened.script.sha256 != sha256_hex(script):
        raise CeremonyError("BUNDLE-RECORD", "The script is not the one that the record names, or the last line has no end.")
    if reports.keys() != set(REPORTS):
        raise CeremonyError("BUNDLE-RECORD", f"A bundle has the reports {' and '.join(REPORTS)}.")
    record_files = {SCRIPT: script, TRANSCRIPT: lines_up_to_seal, LEDGER: ledger_of(lines, previous_ledger), **reports}
    for path, octets in record_files.items():
        if found := private_key_in(octets):
            raise CeremonyError("BUNDLE-PRIVATE-KEY", f"{path} holds {found}.", state=_UNTOUCHED)
    manifest = manifest_of(record, record_files)
    files = record_files | _artifacts(ceremony_folder / WRITTEN_ARTIFACTS, record.sealed.artifacts) | {MANIFEST: manifest_bytes(manifest)}
    files[SUMS] = sums_of(files)
    if not target.exists():
        write_tree(target, files)
    elif (there := read_tree(target, CAPS)).problems or there.files != files:
        raise CeremonyError("BUNDLE-EXISTS", f"{shown_text(str(target))} is there already and is another bundle.", state=_UNTOUCHED)
    return manifest


def _artifacts(folder: Path, sealed: Sequence[Artifact]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for artifact in sealed:
        try:
            octets = (folder / artifact.path).read_bytes()
        except OSError as failed:
            what = f"{shown_text(artifact.path)} can't be read: {failed.strerror}."
            raise CeremonyError("BUNDLE-KIND", what, state=_UNTOUCHED) from failed
        found = describe_artifact(artifact.path, octets)
        if found != artifact or artifact.path in files:
            raise CeremonyError("BUNDLE-KIND", f"{shown_text(artifact.path)} is not the file that the seal lists.", state=_UNTOUCHED)
        files[artifact.path] = octets
    return files
