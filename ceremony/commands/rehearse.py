"""ceremony rehearse SCRIPT: the same script on a throw-away token that this run makes."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from ceremony.commands.conducting import fit_terminal, held, read_answers_file
from ceremony.commands.files import read_script_file
from ceremony.errors import CeremonyError
from ceremony.machine.site import Site, read_site
from ceremony.rehearsal import prepared
from ceremony.session import begun


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SCRIPT, folder, module or site, media, line mode, answers."""
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument("--dir", type=Path, help="folder of the rehearsal (default: rehearsal-<time> here)")
    parser.add_argument("--module", type=Path, metavar="PATH", help="the SoftHSM module, if it is not found by itself")
    parser.add_argument("--site", type=Path, metavar="FILE", help="rehearse on the software token of this site file, and use it up")
    parser.add_argument("--inbox", type=Path, help="a folder with requests; what is missing is made up")
    parser.add_argument("--outbox", type=Path, help="where bundles go (default: inside the folder)")
    parser.add_argument("--plain", action="store_true", help="line mode")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="unattended: choices, deviations and planned mistakes")


def _site(args: argparse.Namespace) -> Site:
    """The site file, if one is named, for its module and token alone. Raises CeremonyError SITE-…, MODULE-NOT-NAMED."""
    site = read_site(args.site)
    if args.site and (args.module or site.module is None):
        what = "Both --module and --site name a module." if args.module else "The site file names no PKCS#11 module."
        raise CeremonyError("MODULE-NOT-NAMED", what, state="Nothing was begun.")
    return site


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Rehearses."""
    script = read_script_file(args.script)
    answers = read_answers_file(args.answers)
    fit_terminal(args.plain or answers is not None)
    directory = args.dir or Path(f"rehearsal-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    args.dir = directory
    site = _site(args)
    rehearsed = prepared(script, directory, args.module, removed, site)
    with begun(
        script, directory, site=site, inbox=args.inbox, outbox=args.outbox, previous=(), removed=removed, rehearsed=rehearsed
    ) as session:
        return held(session, plain=args.plain, answers=answers, alone=answers is not None)
