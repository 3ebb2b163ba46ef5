"""ceremony online retire NAME: deletes an expired group, or a root certificate that nothing stands on any more."""

import argparse
import dataclasses
import sys

from ceremony.commands.files import print_json, say
from ceremony.commands.online_code import add_receipts_argument
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, the service, how it is confirmed."""
    parser.add_argument("name", metavar="NAME", help="an enrollment group or a CA certificate of the service")
    parser.add_argument("--only", choices=("group", "certificate"), help="which of the two, where both bear the name")
    parser.add_argument("--compromised", action="store_true", help="of a root certificate: first disable every group that stands on it")
    parser.add_argument(
        "--confirm",
        action="append",
        metavar="NAME",
        help="the name once more, where nobody can type it; again for each CA certificate that a group refers to or holds",
    )
    parser.add_argument("--json", action="store_true")
    add_receipts_argument(parser)
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Says what will happen, has the name typed, does it, a receipt for each act."""
    config = config_of(args)
    with service_of(config) as service:
        from ceremony.online.acts import Act, write_receipt
        from ceremony.online.disable import let_in_by
        from ceremony.online.receipts import Receipts
        from ceremony.online.retire import retire, retirement_of

        wanted = retirement_of(service.observe(), args.name, only=args.only, compromised=args.compromised)
        found, more = [], {}
        if wanted.open_to:
            found = let_in_by(service, wanted.name)
            more = {"open_to": list(wanted.open_to), "registrations": len(found)}
            say(f"It let in {len(found)}; once it is gone the service no longer tells whom.")
            if not args.json:
                print("".join(f"{entry.line()}\n" for entry in found), end="", flush=True)
        say(f"At {config.shown} this will:", *(f"  {line}" for line in wanted.lines()))
        _confirmed(wanted.typed, args.confirm)
        acts: list[Act] = []
        with Receipts(args.receipts, None) as receipts:

            def tell(act: Act) -> None:
                watch = (service.data if act.kind.startswith("group-") else service.control).watch
                write_receipt(receipts, act, service=config.service, time=watch.last.server_time)
                acts.append(act)
                say(f"{act.kind} {shown_text(act.name)}: {act.how}. Receipt {len(receipts.lines)} in {receipts.path}")

            try:
                retire(service, wanted, compromised=args.compromised, tell=tell, more=more)
            except CeremonyError as failed:
                done = ", ".join(f"{act.kind} {shown_text(act.name)}" for act in acts)
                failed.state = failed.state or (f"Done, with receipts: {done}. The rest is not." if done else "Nothing was seen to change.")
                raise
            finally:
                # Also when it failed half-way: whom a group had let in may be told by nobody else any more.
                if args.json:
                    told = [{"kind": act.kind, "name": act.name, "how": act.how} for act in acts]
                    print_json({"format": 1, "acts": told, "registrations": [dataclasses.asdict(entry) for entry in found]})
    return 0


def _confirmed(names: tuple[str, ...], given: list[str] | None) -> None:
    """Raises CeremonyError ONLINE-NOT-CONFIRMED unless each name was typed, in this order."""
    if given is None and not sys.stdin.isatty():
        raise CeremonyError("ONLINE-NOT-CONFIRMED", "Nobody is there to type the name.", state="Nothing was changed.")
    if (_asked(names) if given is None else given) != list(names):
        raise CeremonyError("ONLINE-NOT-CONFIRMED", "What was typed is not the name.", state="Nothing was changed.")


def _asked(names: tuple[str, ...]) -> list[str]:
    typed = []
    for name in names:
        say(f"Type the name to go on: {shown_text(name)}")
        typed.append(sys.stdin.readline().strip())
    return typed
