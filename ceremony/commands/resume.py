"""ceremony resume --dir DIR: goes on after a pause, a crossing or a crash."""

import argparse
from pathlib import Path

from ceremony.commands.conducting import fit_terminal, held, read_answers_file
from ceremony.errors import CeremonyError
from ceremony.session import gone_on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Folder, media, line mode; answers for a rehearsal."""
    parser.add_argument("--dir", type=Path, required=True, help="the ceremony's folder")
    parser.add_argument("--inbox", type=Path, help="where the inbound medium is mounted")
    parser.add_argument("--outbox", type=Path, help="where the outbound medium is mounted")
    parser.add_argument("--credentials", type=Path, metavar="DIR", help="where a person's own medium with the credential is mounted")
    parser.add_argument("--plain", action="store_true", help="line mode")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="unattended; for a rehearsal only")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Goes on."""
    answers = read_answers_file(args.answers)
    media = {"inbox": args.inbox, "outbox": args.outbox, "credentials": args.credentials}
    with gone_on(args.dir, **media, removed=removed) as session:
        if session.transcript.lines[-1].type in ("aborted", "closed"):
            raise CeremonyError(
                "RECORD-ENDED", f"This ceremony was {session.transcript.lines[-1].type} at {session.transcript.lines[-1].time}."
            )
        if answers is not None and not session.rehearsal:
            raise CeremonyError(
                "ANSWERS-UNKNOWN",
                "Only a rehearsal can be unattended; this is a ceremony.",
                state="The record is unchanged.",
                do_now="Leave --answers out.",
            )
        fit_terminal(args.plain or answers is not None)
        return held(session, plain=args.plain, answers=answers, alone=answers is not None)
