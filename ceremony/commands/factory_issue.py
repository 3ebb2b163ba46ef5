"""ceremony factory issue DIR -o OUT: device certificates in bulk, under an accepted intermediate."""

import argparse
import datetime as dt
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ceremony.commands.factory_progress import Progress
from ceremony.commands.files import print_json, say
from ceremony.errors import CeremonyError, ExitCode
from ceremony.pki.names import shown_text

if TYPE_CHECKING:
    from ceremony.factory.folder import Accepted
    from ceremony.factory.issue import Issued, Passphrases
    from ceremony.factory.order import Asked
    from ceremony.factory.terms import Terms
    from ceremony.factory.todo import Todo
    from ceremony.factory.workers import Crew

_NOTHING = "Nothing was made."
_MOST_JOBS = 256
_MOST_DAYS = 36_500
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The intermediate, where to, for whom, on which terms."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="the intermediate's folder, after `factory accept`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the folder for certificates, keys and index")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--ids", type=Path, metavar="FILE", help="registration ids: one a line, or CSV with the column registration_id")
    asked.add_argument("--csrs", type=Path, metavar="FOLDER", help="certificate requests of the devices, one a file: <id>.csr.pem")
    asked.add_argument("--count", type=int, metavar="N", help="N ids: the prefix and a number of six digits")
    parser.add_argument("--prefix", metavar="P", help="with --count: how the ids begin")
    parser.add_argument("--first", type=int, metavar="K", help="with --count: the first number (default: 1)")
    parser.add_argument("--shard", metavar="i/n", help="make only share i of n: the same list and another OUT on each line")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--days", type=int, metavar="N", help="valid for N days from now (default: as long as the intermediate)")
    ends.add_argument("--not-after", metavar="DATE", help="valid until the end of this day (UTC), or until 2031-01-01T00:00:00Z")
    parser.add_argument("--renew", type=int, metavar="DAYS", help="anew for ids whose certificate ends within DAYS days; leave the others")
    parser.add_argument("--pkcs12", action="store_true", help="write <id>.p12 too")
    parser.add_argument("--pkcs12-passphrase-file", type=Path, metavar="F", help="of the .p12 files; a file that you alone may read")
    parser.add_argument("--encrypt-keys-passphrase-file", type=Path, metavar="F", help="encrypt <id>.key.pem under this passphrase")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: processors, one more without a token)")
    parser.add_argument("--passphrase-file", type=Path, metavar="F", help="of the intermediate's key, or its token's PIN (default: asked)")
    parser.add_argument("--receipts", type=Path, metavar="FILE", help="receipts.jsonl: refuse if the enrollment group was disabled")
    parser.add_argument("--group", metavar="NAME", help="with --receipts: the group's name (default: the intermediate's name here)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Checks all that is asked for first, then makes what is left of it."""
    from ceremony.factory.folder import read_accepted
    from ceremony.factory.order import Asked
    from ceremony.factory.shards import WHOLE, read_shard
    from ceremony.factory.terms import refuse_unfit_issuer
    from ceremony.factory.workers import Crew

    _check_options(args)
    shard = WHOLE if args.shard is None else read_shard(args.shard)
    terms = _terms(args)
    accepted = read_accepted(args.dir)
    refuse_unfit_issuer(accepted, _now())
    if args.receipts is not None:
        _refuse_disabled(args.receipts, args.group or accepted.factory.name)
    with Asked(shard) as asked, Crew() as crew:
        _ask(args, asked, accepted, crew)
        return _issue(args, accepted, asked, terms, str(shard), crew)


def _issue(args: argparse.Namespace, accepted: "Accepted", asked: "Asked", terms: "Terms", shard: str, crew: "Crew") -> int:
    from ceremony.factory.index import About
    from ceremony.factory.issue import Issued, issue, processes_for
    from ceremony.factory.issuer_key import unlocked_issuer_key
    from ceremony.factory.output import Output
    from ceremony.factory.todo import Todo

    about = About(accepted.factory.spki_sha256, accepted.root_fingerprint, accepted.rehearsal, shard)
    with Output(args.output, about) as output:
        todo = Todo(asked, output, terms, accepted.certificate, _now())
        _tell_plan(accepted, todo)
        stopped = 0
        if todo.left:
            passphrases = _passphrases(args)
            progress = Progress(todo.left)
            jobs = args.jobs or _jobs(accepted)
            # They start while the key is opened.
            crew.call_up(processes_for(accepted, todo, jobs))
            with unlocked_issuer_key(accepted.factory, args.passphrase_file) as key, stoppable() as stop:
                issued = issue(
                    accepted, key, todo, passphrases, jobs=jobs, crew=crew, now=_now, stopping=lambda: bool(stop), tell=progress.tell
                )
            progress.end()
            stopped = stop[0] if stop and not issued.complete else 0
        else:
            todo.finish_without_more(_now())
            output.write_listing()
            issued = Issued(0, complete=True)
        _tell_end(args, accepted, asked, todo, issued)
    return 128 + stopped if stopped else int(ExitCode.DONE)


def _check_options(args: argparse.Namespace) -> None:
    """What argparse does not say of options that need or exclude each other."""
    for wrong, why in (
        ((args.count is None) != (args.prefix is None), "--count and --prefix go together."),
        (args.first is not None and args.count is None, "--first goes with --count."),
        (args.group is not None and args.receipts is None, "--group goes with --receipts."),
        (args.pkcs12 != (args.pkcs12_passphrase_file is not None), "--pkcs12 and --pkcs12-passphrase-file go together."),
        (args.csrs is not None and args.pkcs12, "A .p12 file holds the key, which devices that send requests keep."),
        (args.csrs is not None and args.encrypt_keys_passphrase_file is not None, "Devices that send requests keep their keys."),
        (args.jobs is not None and not 1 <= args.jobs <= _MOST_JOBS, f"--jobs is 1 to {_MOST_JOBS}."),
        (args.days is not None and not 1 <= args.days <= _MOST_DAYS, f"--days is 1 to {_MOST_DAYS}."),
        (args.renew is not None and not 0 <= args.renew <= _MOST_DAYS, f"--renew is 0 to {_MOST_DAYS} days."),
    ):
        if wrong:
            raise CeremonyError("USAGE", why, state=_NOTHING)


def _terms(args: argparse.Namespace) -> "Terms":
    from ceremony.factory.terms import Terms

    not_after = None if args.not_after is None else _end(args.not_after)
    encrypted = args.encrypt_keys_passphrase_file is not None
    return Terms(days=args.days, not_after=not_after, pkcs12=args.pkcs12, encrypted=encrypted, renew=args.renew)


def _end(text: str) -> dt.datetime:
    """The time that --not-after names; a day alone is meant to its end."""
    try:
        if len(text) == len("2031-01-01"):
            return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(23, 59, 59), dt.UTC)
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    except ValueError as why:
        what = "--not-after is a day such as 2031-01-01, or a time in UTC such as 2031-01-01T00:00:00Z."
        raise CeremonyError("USAGE", what, state=_NOTHING) from why


def _ask(args: argparse.Namespace, asked: "Asked", accepted: "Accepted", crew: "Crew") -> None:
    """Enters all that is asked for, or raises with all that is wrong with it."""
    if args.csrs is not None:
        from ceremony.crossing.artifacts import public_key_der
        from ceremony.factory.csr_folder import ask_for_folder, holds_more_than
        from ceremony.factory.few import FEW

        # The first process starts while the requests are read, which takes as long.
        crew.call_up(int(holds_more_than(args.csrs, FEW)))
        ask_for_folder(asked, args.csrs, [public_key_der(accepted.certificate), public_key_der(accepted.root)])
        asked.problems.refuse("FACTORY-CSRS", "of the requests are refused")
    else:
        from ceremony.factory.id_lists import ask_for_count, ask_for_file

        if args.ids is not None:
            ask_for_file(asked, args.ids)
        else:
            ask_for_count(asked, args.prefix, args.count, 1 if args.first is None else args.first)
        asked.problems.refuse("FACTORY-IDS", "problems with the ids")
    if not asked.all:
        raise CeremonyError("FACTORY-IDS", "There is no id in what was given.", state=_NOTHING, do_now="Check the path.")


def _refuse_disabled(path: Path, name: str) -> None:
    """Raises when the last that was done to the group, at any of the services that the receipts tell of, took it out of use.

    Receipts that tell nothing of it are refused too: they are of another service, or the group has another name, and would let
    everything pass. The service does not tell upper from lower case in a group's name.
    """
    from ceremony.online.receipts import Receipt, receipts_in

    if not path.exists():
        raise CeremonyError("USAGE", f"There are no receipts at {shown_text(str(path))}.", state=_NOTHING)
    last: dict[str, Receipt] = {}
    for line in receipts_in(path)[0]:
        if line.kind.startswith("group-") and str(line.data.get("name")).lower() == name.lower():
            last[str(line.data.get("service"))] = line
    if not last:
        what = f"The receipts {shown_text(str(path))} tell of no enrollment group called {shown_text(name)}."
        raise CeremonyError("FACTORY-GROUP-UNKNOWN", what, state=_NOTHING)
    for service, line in last.items():
        if line.kind in ("group-disabled", "group-deleted"):
            how = line.kind.removeprefix("group-")
            what = f"The enrollment group {name} was {how} at {shown_text(line.time)}, by the receipts of {shown_text(service)}."
            raise CeremonyError("FACTORY-GROUP-DISABLED", what, state=_NOTHING)


def _passphrases(args: argparse.Namespace) -> "Passphrases":
    from ceremony.factory.issue import Passphrases
    from ceremony.factory.secret import new_passphrase_from

    files = (args.pkcs12_passphrase_file, args.encrypt_keys_passphrase_file)
    return Passphrases(*(bytearray() if file is None else new_passphrase_from(file, "") for file in files))


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """While certificates are made: the first signal is put into the list, for a stop in order; the second ends it as it is."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        say("", "Stopping; what is in hand is brought to its end.")

    before = [signal.signal(number, stop) for number in _SIGNALS]
    try:
        yield received
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def _tell_plan(accepted: "Accepted", todo: "Todo") -> None:
    if accepted.rehearsal:
        say("REHEARSAL: what is made under this intermediate says so, and is for no real device.")
    goes_on = "An order that was broken off goes on: " * todo.goes_on
    there = f", {todo.there:,} are there" * (todo.there > 0)
    say(f"{goes_on}{todo.left:,} certificates to make under {accepted.factory.name}{there}; they end at {todo.not_after}.")


def _tell_end(args: argparse.Namespace, accepted: "Accepted", asked: "Asked", todo: "Todo", issued: "Issued") -> None:
    from ceremony.factory.output import INDEX, LISTING

    left = todo.left - issued.made
    if args.json:
        print_json(
            {
                "format": 1,
                "intermediate": accepted.factory.name,
                "rehearsal": accepted.rehearsal,
                "output": str(args.output),
                "index": str(args.output / INDEX),
                "listing": str(args.output / LISTING),
                "shard": args.shard or "1/1",
                "asked": asked.all,
                "asked_of_this_shard": asked.ours,
                "there_before": todo.there,
                "made": issued.made,
                "left": left,
                "not_after": todo.not_after,
                "complete": issued.complete,
            }
        )
    else:
        print(args.output)
    if issued.complete:
        say(f"Complete: {issued.made:,} certificates made, {todo.there:,} were there before. {args.output / LISTING} lists them.")
    else:
        say(f"Stopped: {issued.made:,} made now, {left:,} left. The same command, given again, makes the rest.")


def _jobs(accepted: "Accepted") -> int:
    """One more than the processors that this process may use, where the system tells; beside a token's own process as many as these."""
    from ceremony.factory.folder import TokenKey

    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors if isinstance(accepted.factory.key, TokenKey) else processors + 1


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
