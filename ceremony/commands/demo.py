"""ceremony demo: watch a whole ceremony on SoftHSM and the DPS simulator; any key takes over."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ceremony.commands.conducting import fit_terminal, in_the_app, unattended
from ceremony.commands.files import say, this_command
from ceremony.demo import play
from ceremony.engine.step import Face
from ceremony.errors import CeremonyError
from ceremony.session import Outcome, Session
from ceremony.unattended import Answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and whether to watch."""
    parser.add_argument("--out", type=Path, help="a new folder (default: demo-<time> here)")
    parser.add_argument("--unattended", action="store_true", help="no app, also in a terminal")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Plays it: in the app when there is a fit terminal, else unattended."""
    out = args.out or Path(f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    watched = not args.unattended and _terminal_is_fit()
    say("root-ceremony demo: nothing here is real; the token is made by this run and thrown away.")

    def hold(session: Session, answers: Answers, between: Callable[[Face], Face]) -> Outcome:
        face = unattended(session, answers, silent=watched)
        outcome = in_the_app(session, autoplay=face, between=between) if watched else session.conduct(between(face))
        if outcome.reason == "closed":
            face.finish()
        return outcome

    return play(out, removed, say, hold, this_command())


def _terminal_is_fit() -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        fit_terminal(plain=False)
    except CeremonyError as unfit:
        say(f"Unattended: {unfit.what} {unfit.do_now}")
        return False
    return True
