"""ceremony online status: certificates, groups, what ends when, and what is not as it should be. Changes nothing."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ceremony.commands.files import print_json, say
from ceremony.commands.online_code import add_receipts_argument
from ceremony.commands.online_plan import wrapped
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.errors import CeremonyError
from ceremony.words import fingerprint_typed

if TYPE_CHECKING:
    from ceremony.crossing.duties import Duty
    from ceremony.crossing.verified import DestroyedRoot
    from ceremony.pki.crl import Crl

_RED, _PLAIN = "\x1b[1;31m", "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The service, and the receipts and the bundle to compare with."""
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--bundle", type=Path, metavar="BUNDLE", help="the newest bundle: its CRL against the groups, and its duties")
    parser.add_argument("--fingerprint", metavar="F", help="that bundle's fingerprint from paper: 64 hex digits or 32 words")
    add_receipts_argument(parser)
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Reads, and prints."""
    from ceremony.online.receipts import receipts_in

    config = config_of(args)
    crls, duties, destroyed = _told_by_bundle(args)
    receipts, torn = receipts_in(args.receipts)
    if not receipts:
        say(f"There are no receipts in {args.receipts}: what was changed since the last of them is not told.")
    with service_of(config) as service:
        from ceremony.online.status import policies_in, status_lines, status_of

        status = status_of(service.observe(policies_in(receipts, config)), config, receipts, crls, duties, destroyed)
        lines = list(status_lines(status))
    if args.json:
        print_json({"format": 1, **msgspec.to_builtins(status)})
        return 0
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for line in lines:
        text = "\n".join(part for piece in line.split("\n") for part in wrapped(piece)) if line[:1].isupper() else line
        print(f"{_RED}{text}{_PLAIN}" if coloured and line.startswith("DANGER") else text)
    if torn:
        say(f"{args.receipts} ends with a torn line of {torn} bytes, which was never announced.")
    return 0


def _told_by_bundle(args: argparse.Namespace) -> "tuple[tuple[Crl, ...], tuple[Duty, ...], tuple[DestroyedRoot, ...]]":
    """CRLs, duties and destroyed roots of the bundle that was named, which is verified first (design, rule 16)."""
    from ceremony.crossing.duties import duties_of
    from ceremony.crossing.verified import verified_bundle

    if (args.bundle is None) != (args.fingerprint is None):
        raise CeremonyError("USAGE", "--bundle and --fingerprint go together.", state="Nothing was sent.")
    if args.bundle is None:
        return (), (), ()
    try:
        fingerprint = fingerprint_typed(args.fingerprint)
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="Nothing was sent.") from why
    bundle = verified_bundle(args.bundle, fingerprint)
    if not bundle.crls:
        say("The bundle holds no CRL: nothing is revoked in it.")
    return bundle.crls, duties_of(args.bundle, fingerprint).duties, bundle.destroyed
