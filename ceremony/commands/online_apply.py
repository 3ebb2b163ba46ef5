"""ceremony online apply PLAN: exactly what the plan says, with receipts. A second run has nothing to do."""

import argparse
from pathlib import Path

from ceremony.commands.files import print_json, say
from ceremony.commands.online_service import add_service_arguments, config_of, require_packages, service_of
from ceremony.errors import CeremonyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PLAN, and where its bundle and the receipts are."""
    parser.add_argument("plan", type=Path, metavar="PLAN", help="what `ceremony online plan -o PLAN` wrote")
    parser.add_argument("--bundle", type=Path, metavar="BUNDLE", help="the plan's bundle, when it is elsewhere now")
    parser.add_argument("--receipts", type=Path, metavar="FILE", help="without it receipts.jsonl beside PLAN")
    parser.add_argument("--json", action="store_true")
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Reads the plan, verifies its bundle again, and applies it; a line for each object on stderr."""
    require_packages()
    from ceremony.crossing.verified import verified_bundle
    from ceremony.online.plan import LARGEST_PLAN, read_plan
    from ceremony.online.receipts import Receipts
    from ceremony.online.rehearsals import refuse_rehearsal_to_azure

    try:
        with args.plan.open("rb") as file:
            plan = read_plan(file.read(LARGEST_PLAN + 1))
    except OSError as failed:
        raise CeremonyError("PLAN-BROKEN", f"{args.plan} can't be read: {failed.strerror}.", state="Nothing was sent.") from failed
    config = config_of(args)
    bundle = verified_bundle(args.bundle or Path(plan.bundle.path), plan.bundle.fingerprint)
    refuse_rehearsal_to_azure(bundle, is_simulator=config.is_simulator)
    say(f"Bundle {bundle.number}, fingerprint {bundle.fingerprint}", f"Service: {config.shown}")
    with service_of(config) as service:
        from ceremony.online.apply import apply_plan, receipts_beside

        with Receipts(args.receipts or receipts_beside(args.plan), bundle.fingerprint, bundle.earlier) as receipts:
            applied = apply_plan(plan, bundle, service, receipts, say)
            path, count, last = receipts.path, len(receipts.lines), receipts.lines[-1].sha256 if receipts.lines else None
    if args.json:
        told = {"format": 1, "done": applied.done, "found": applied.found, "known": applied.known}
        print_json({**told, "receipts": str(path), "receipts_lines": count, "receipts_sha256": last})
    elif applied.done or applied.found:
        print(f"Done: {applied.done} written, {applied.found + applied.known} were as wanted. {count} receipts in {path}")
    else:
        print("Nothing to do.")
    return 0
