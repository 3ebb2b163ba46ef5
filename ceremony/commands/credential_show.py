"""ceremony credential show NAME FILE: the card of a credential file once more."""

import argparse
from pathlib import Path

from ceremony.activation.credential_file import LARGEST_FILE, credential_in
from ceremony.commands.credential_card import print_card
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --json."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that `ceremony credential new` made")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints the card; the file's name stands for the person's, which the file does not hold."""
    where = shown_text(str(args.file))
    try:
        with args.file.open("rb") as file:
            credential = credential_in(file.read(LARGEST_FILE + 1))
    except OSError as failed:
        raise CeremonyError("CREDENTIAL-NOT-FOUND", f"{where} could not be read: {failed.strerror}.", do_now="Check the path.") from failed
    except ValueError as broken:
        raise CeremonyError("CREDENTIAL-BROKEN", f"{where} is no credential: {broken}.") from broken
    print_card(args.file.stem, credential, args.json)
    return 0
