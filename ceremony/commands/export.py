"""ceremony export --dir DIR --outbox DIR: a sealed bundle once more, byte for byte; no token."""

import argparse
from pathlib import Path

from ceremony.commands.files import say
from ceremony.errors import CeremonyError
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.media import copy_out
from ceremony.room.copy_out import bundle_name
from ceremony.transcript import read_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Folder, medium, which bundle."""
    parser.add_argument("--dir", type=Path, required=True, help="the ceremony's folder")
    parser.add_argument("--outbox", type=Path, required=True, help="where the outbound medium is mounted")
    parser.add_argument("--bundle", type=int, metavar="N", help="which bundle (default: the last)")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Copies and reads back; prints the place on stdout."""
    folder = CeremonyFolder.reading(args.dir)
    lines, _ = read_lines(folder.read("transcript.jsonl"))
    sealed = [line for line in lines if line.type == "sealed"]
    number = args.bundle or len(sealed)
    if not 1 <= number <= len(sealed):
        raise CeremonyError("BUNDLE-MISSING", f"{args.dir} has {len(sealed)} sealed bundles; there is no bundle {number}.")
    opened = lines[0].data
    receipt = copy_out(folder.bundle(number), args.outbox, bundle_name(opened["script"]["id"], opened["rehearsal"], number))
    say(
        f"Bundle {number}: {receipt['files']} files, {receipt['bytes']} bytes, read back.",
        f"Fingerprint: {sealed[number - 1].sha256}",
        f"SHA-256 of its SHA256SUMS: {receipt['sha256sums_sha256']}",
    )
    print(receipt["path"])
    return 0
