"""ceremony run SCRIPT: the ceremony itself, on a hardware token."""

import argparse
from pathlib import Path

from ceremony.commands.conducting import fit_terminal, held
from ceremony.commands.files import read_script_file
from ceremony.machine.site import read_site
from ceremony.session import begun


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SCRIPT, folder, site, previous bundle, media, line mode."""
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument("--dir", type=Path, required=True, help="folder of this ceremony; must be new or empty")
    parser.add_argument("--site", type=Path, help="site file: module, token serials, media")
    what = "the last bundle, for a script that starts from a root; may be given for each bundle there is, and the last is found"
    parser.add_argument("--previous", type=Path, action="append", default=[], metavar="BUNDLE", help=what)
    parser.add_argument("--inbox", type=Path, help="where the inbound medium is mounted")
    parser.add_argument("--outbox", type=Path, help="where the outbound medium is mounted")
    parser.add_argument("--credentials", type=Path, metavar="DIR", help="where a person's own medium with the credential is mounted")
    parser.add_argument("--plain", action="store_true", help="line mode: for a serial console or a braille line")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Holds it."""
    script, site = read_script_file(args.script), read_site(args.site)
    fit_terminal(args.plain)
    media = {"inbox": args.inbox, "outbox": args.outbox, "credentials": args.credentials}
    with begun(script, args.dir, site=site, **media, previous=args.previous, removed=removed) as session:
        return held(session, plain=args.plain)
