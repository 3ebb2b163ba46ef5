"""The half of `ceremony online request` that reaches the service: --dps NAME fetches the verification code of a bundle's root."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ceremony.commands.files import say
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.errors import CeremonyError
from ceremony.words import check_words, fingerprint_typed

if TYPE_CHECKING:
    from ceremony.online.request_code import FetchedCode

RECEIPTS = Path("receipts.jsonl")
"""Where receipts are kept unless said otherwise; `apply` keeps those of a plan beside the plan."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--dps and what goes with it."""
    parser.add_argument("--dps", metavar="NAME", help="fetch the verification code from this service (the name in the script's [[proofs]])")
    parser.add_argument("--new-code", action="store_true", help="with --dps: ask for a new code; one that was given before becomes void")
    add_receipts_argument(parser)
    add_service_arguments(parser)


def add_receipts_argument(parser: argparse.ArgumentParser) -> None:
    """--receipts FILE."""
    parser.add_argument("--receipts", type=Path, default=RECEIPTS, metavar="FILE", help=f"without it {RECEIPTS} here")


def fetched(args: argparse.Namespace) -> "FetchedCode":
    """The code, its receipt written. Raises CeremonyError USAGE, ANCHOR-INCOMPLETE and what `fetch_code` raises."""
    from ceremony.crossing.verified import verified_bundle
    from ceremony.online.receipts import Receipts
    from ceremony.online.rehearsals import refuse_rehearsal_to_azure

    if args.bundle is None or args.fingerprint is None:
        raise CeremonyError("USAGE", "--dps needs --bundle and --fingerprint: a code is for one root.", state="Nothing was sent.")
    if args.service not in (None, args.dps):
        raise CeremonyError("USAGE", f"--dps {args.dps} and --service {args.service} are two services.", state="Nothing was sent.")
    args.service = args.dps
    try:
        fingerprint = fingerprint_typed(args.fingerprint)
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="Nothing was sent.") from why
    if args.output.exists():
        raise CeremonyError("REQUEST-EXISTS", f"{args.output} is there already.", state="Nothing was sent.")
    config = config_of(args)
    bundle = verified_bundle(args.bundle, fingerprint)
    refuse_rehearsal_to_azure(bundle, is_simulator=config.is_simulator)
    with service_of(config) as service:
        from ceremony.online.request_code import fetch_code

        with Receipts(args.receipts, bundle.fingerprint, bundle.earlier) as receipts:
            code = fetch_code(service, bundle, receipts, new_code=args.new_code)
    how = f"given on {code.issued_at}, still good" if code.reused else "new; one given before is void"
    say(f"Verification code of {code.proof.certificate} at {code.proof.service}: {how}.", f"  {code.proof.verification_code}")
    say(f"  Check words, for a code that is typed: {' '.join(check_words(code.proof.verification_code))}")
    say(f"Do not ask for another before the proof is back. Service's time: {code.made_at}")
    return code
