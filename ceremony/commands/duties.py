"""ceremony duties BUNDLE: what must be done next, and by when; on the screen, as JSON, as a calendar file. No network."""

import argparse
import datetime as dt
import textwrap
from pathlib import Path

import msgspec

from ceremony.commands.files import print_json, say, write_file
from ceremony.crossing.duties import DEVICE_LIFE_DAYS, MOST_DEVICE_LIFE_DAYS, days_text, duties_of
from ceremony.errors import CeremonyError
from ceremony.words import fingerprint_typed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The newest bundle of a root, and what to make of it."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the newest bundle of the root")
    parser.add_argument("--fingerprint", metavar="F", help="the bundle's fingerprint from paper: 64 hex digits or 32 words")
    parser.add_argument("--device-life", type=int, default=DEVICE_LIFE_DAYS, metavar="DAYS", help="how long a device's certificate holds")
    parser.add_argument("-o", dest="output", type=Path, metavar="FILE.ics", help="write them as a calendar file")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Prints them, the nearest first."""
    from ceremony.crossing.calendar import calendar_of

    try:
        fingerprint = fingerprint_typed(args.fingerprint) if args.fingerprint is not None else None
    except ValueError as why:
        raise CeremonyError("ANCHOR-INCOMPLETE", f"--fingerprint: {why}.") from why
    if not 0 <= args.device_life <= MOST_DEVICE_LIFE_DAYS:
        raise CeremonyError("USAGE", f"--device-life is 0 to {MOST_DEVICE_LIFE_DAYS} days.")
    duties = duties_of(args.bundle, fingerprint, args.device_life)
    if args.output is not None:
        write_file(args.output, calendar_of(duties))
    if args.json:
        print_json({"format": 1, "anchored": fingerprint is not None, **msgspec.to_builtins(duties)})
    else:
        print(f"{'REHEARSAL: ' * duties.rehearsal}Duties for {duties.label}", f"By the bundle that was sealed at {duties.sealed}", sep="\n")
        today = dt.datetime.now(dt.UTC).date()
        for duty in duties.duties:
            print(f"\n{duty.date}  {days_text(duty.date, today):>12}  {duty.kind}: {duty.name}")
            print(textwrap.indent(textwrap.fill(duty.text, 76, break_long_words=False, break_on_hyphens=False), "    "))
    if fingerprint is None:
        say("No --fingerprint was given: whether this bundle is the one from the room, and the newest, only the paper can tell.")
    return 0

