"""ceremony factory accept DIR BUNDLE --fingerprint F: the intermediate's certificate is taken over from a bundle."""

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from ceremony.commands.files import print_json, say
from ceremony.errors import CeremonyError
from ceremony.words import fingerprint_typed

if TYPE_CHECKING:
    from ceremony.factory.accept import Acceptance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The factory's folder, the bundle, and its fingerprint from paper."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="the intermediate's folder, as `factory request` made it")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--fingerprint", required=True, metavar="F", help="the bundle's fingerprint from paper: 64 hex digits or 32 words")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Verifies the bundle first, then takes the certificate over."""
    from ceremony.crossing.verified import verified_bundle
    from ceremony.factory.accept import accept
    from ceremony.factory.folder import read_factory
    from ceremony.machine.clock import now

    try:
        fingerprint = fingerprint_typed(args.fingerprint)
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.", state="The factory's folder is unchanged.") from why
    factory = read_factory(args.dir)
    acceptance = accept(factory, verified_bundle(args.bundle, fingerprint), now)
    if args.json:
        print_json(_facts(acceptance))
        return 0
    _tell(acceptance)
    print(acceptance.accepted.factory.chain_path)
    return 0


_SAID = {
    "accepted": "The certificate was taken over.",
    "renewed": "A newer certificate took the place of the accepted one, which is kept under earlier/.",
    "unchanged": "Nothing to do: this certificate was taken over before.",
}


def _tell(acceptance: "Acceptance") -> None:
    from ceremony.pki.names import name_text
    from ceremony.pki.profiles import utc_text

    accepted = acceptance.accepted
    ends = accepted.certificate.not_valid_after_utc
    say(f"{accepted.factory.name}: {_SAID[acceptance.outcome]}", f"  {name_text(accepted.certificate.subject)}")
    say(f"  valid until {utc_text(ends)}, {_days_left(ends)} days from now; root {name_text(accepted.root.subject)}")
    for note in acceptance.notes:
        say(f"  {note}")
    if accepted.rehearsal:
        say("REHEARSAL: this certificate is of a rehearsal's root, and all that is made under it will say so.")


def _facts(acceptance: "Acceptance") -> dict[str, object]:
    from ceremony.pki.profiles import utc_text

    accepted = acceptance.accepted
    ends = accepted.certificate.not_valid_after_utc
    return {
        "format": 1,
        "outcome": acceptance.outcome,
        "name": accepted.factory.name,
        "certificate": str(accepted.factory.certificate_path),
        "chain": str(accepted.factory.chain_path),
        "rehearsal": accepted.rehearsal,
        "root_fingerprint": accepted.root_fingerprint,
        "bundle_fingerprint": accepted.bundle_fingerprint,
        "not_after": utc_text(ends),
        "days_left": _days_left(ends),
        "notes": list(acceptance.notes),
    }


def _days_left(ends: dt.datetime) -> int:
    return (ends - dt.datetime.now(dt.UTC)).days
