"""ceremony report DIR-or-BUNDLE -o FILE: what happened beside what was written; a rendering, not evidence."""

import argparse
from pathlib import Path

from ceremony.commands.files import say, write_file
from ceremony.errors import CeremonyError
from ceremony.report.rendering import rendered


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where from and where to."""
    parser.add_argument("source", type=Path, metavar="DIR-or-BUNDLE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".pdf or .html")
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="size of the PDF's pages (a4)")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Renders."""
    record = args.source / "record" if (args.source / "record").is_dir() else args.source
    try:
        script, transcript = (record / "script.toml").read_bytes(), (record / "transcript.jsonl").read_bytes()
    except OSError as failed:
        raise CeremonyError("RECORD-MISSING", f"{args.source} is no ceremony's folder and no bundle: {failed.strerror}.") from failed
    write_file(args.output, rendered(script, transcript, args.output.suffix, args.paper))
    say(f"{args.output} was written. It is a rendering: the transcript is the evidence.")
    return 0
