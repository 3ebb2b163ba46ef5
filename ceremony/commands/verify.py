"""ceremony verify BUNDLE: anyone, offline, without a token."""

import argparse
from pathlib import Path

import msgspec

from ceremony.commands.files import print_json, say
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.words import fingerprint_typed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """BUNDLE and anchors from outside."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--fingerprint", metavar="F", help="the bundle's fingerprint from paper: 64 hex digits or 32 words")
    parser.add_argument("--script-digest", metavar="D", help="the digest of the script that was approved")
    parser.add_argument("--root-fingerprint", metavar="R", help="SHA-256 of the root certificate (DER)")
    parser.add_argument("--previous", type=Path, metavar="BUNDLE", help="an earlier bundle that this one must go on from")
    parser.add_argument("--receipts", type=Path, metavar="FILE", help="receipts of the online side, to be checked too")
    parser.add_argument("--no-deviations", action="store_true", help="any deviation is a failure")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints each check and the verdict."""
    from ceremony.online.verify_receipts import checks_of_receipts
    from ceremony.report.rendering import reports_of_bundle
    from ceremony.room.describe import program

    anchors = {name: _digest(name, getattr(args, name)) for name in ("fingerprint", "script_digest", "root_fingerprint")}
    verdict = verify_bundle(
        args.bundle,
        **anchors,
        previous=args.previous,
        no_deviations=args.no_deviations,
        render=reports_of_bundle,
        program=program(),
    )
    if args.receipts is not None and verdict.fingerprint is not None:
        verdict = msgspec.structs.replace(verdict, checks=(*verdict.checks, *checks_of_receipts(args.bundle, args.receipts)))
    if args.json:
        print_json({"format": 1, "verdict": verdict.word, **msgspec.to_builtins(verdict)})
        return int(verdict.exit_code)
    for check in verdict.checks:
        print(f"{'ok    ' if check.passed else 'FAILED'}  {check.name}: {check.detail}")
    mode = {True: "REHEARSAL", False: "PRODUCTION", None: "UNREADABLE"}[verdict.rehearsal]
    print(f"{mode} bundle. Verdict: {verdict.word}")
    if verdict.word == "UNANCHORED":
        say(
            "The bundle agrees with itself, and anyone could have made it so.",
            "Give --fingerprint from paper (or --script-digest, --root-fingerprint) to know that it is the one.",
        )
    return int(verdict.exit_code)


def _digest(name: str, typed: str | None) -> str | None:
    if typed is None:
        return None
    try:
        return fingerprint_typed(typed)
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--{name.replace('_', '-')}: {why}.") from why
