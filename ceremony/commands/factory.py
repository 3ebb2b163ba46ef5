"""ceremony factory: the factory's side. A verb is a file of its own."""

import argparse
import importlib

VERBS = {
    "request": ("factory_request", "an intermediate's key and CSR, with the paper form that vouches for it"),
    "accept": ("factory_accept", "take the intermediate's certificate over from a bundle"),
    "issue": ("factory_issue", "device certificates in bulk, under the accepted intermediate"),
    "status": ("factory_status", "what is in an intermediate's folder, and how long its certificate lasts"),
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
