"""ceremony device: a device's side. A verb is a file of its own."""

import argparse
import importlib

VERBS = {
    "register": ("device_register", "through the provisioning service to the hub it is assigned to; the registration is remembered"),
    "connect": ("device_connect", "to its hub by the remembered registration: send a message, read the twin"),
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
