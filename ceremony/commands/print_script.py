"""ceremony print SCRIPT -o FILE: the script on paper, for the room: the report of a ceremony that has not begun."""

import argparse
from pathlib import Path

from ceremony.commands.files import read_script_file, say, write_file
from ceremony.report.rendering import rendered
from ceremony.script import read_script


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SCRIPT and where to."""
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".pdf or .html")
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="size of the PDF's pages (a4)")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Checks the script and prints it."""
    script = read_script_file(args.script)
    read_script(script)
    write_file(args.output, rendered(script, b"", args.output.suffix, args.paper))
    say(f"{args.output} was written.")
    return 0
