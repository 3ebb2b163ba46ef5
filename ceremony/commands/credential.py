"""ceremony credential: a person's own credential, with which they sign in a ceremony. A verb is a file of its own."""

import argparse
import importlib

VERBS = {
    "new": ("credential_new", "make a credential, in an encrypted file or on a token, and print its card"),
    "show": ("credential_show", "print the card of a credential file once more; needs no passphrase"),
}
"""The verbs, each with its module in ceremony.commands and one line about it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-command and its options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    for name, (module, summary) in VERBS.items():
        importlib.import_module(f"ceremony.commands.{module}").add_arguments(verbs.add_parser(name, help=summary))


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Runs the verb."""
    return int(importlib.import_module(f"ceremony.commands.{VERBS[args.verb][0]}").run(args, removed))
