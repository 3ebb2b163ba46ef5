"""ceremony online retire NAME: deletes an expired group, or a root certificate that nothing stands on any more."""

import argparse
import sys

from ceremony.commands.files import print_json, say
from ceremony.commands.online_code import add_receipts_argument
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.errors import CeremonyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, the service, how it is confirmed."""
    parser.add_argument("name", metavar="NAME", help="an enrollment group or a CA certificate of the service")
    parser.add_argument("--only", choices=("group", "certificate"), help="which of the two, where both bear the name")
    parser.add_argument("--compromised", action="store_true", help="of a root certificate: first disable every group that stands on it")
    parser.add_argument("--confirm", metavar="NAME", help="the name once more, where nobody can type it")
    parser.add_argument("--json", action="store_true")
    add_receipts_argument(parser)
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Says what will happen, has the name typed, does it, a receipt for each act."""
    config = config_of(args)
    with service_of(config) as service:
        from ceremony.online.acts import Act, write_receipt
        from ceremony.online.receipts import Receipts
        from ceremony.online.retire import retire, retirement_of

        wanted = retirement_of(service.observe(), args.name, only=args.only, compromised=args.compromised)
        say(f"At {config.shown} this will:", *(f"  {line}" for line in wanted.lines()))
        _confirmed(wanted.name, args.confirm)
        acts: list[Act] = []
        with Receipts(args.receipts, None) as receipts:

            def tell(act: Act) -> None:
                watch = (service.data if act.kind.startswith("group-") else service.control).watch
                write_receipt(receipts, act, service=config.service, time=watch.last.server_time)
                acts.append(act)
                say(f"{act.kind} {act.name}: {act.how}. Receipt {len(receipts.lines)} in {receipts.path}")

            try:
                retire(service, wanted, compromised=args.compromised, tell=tell)
            except CeremonyError as failed:
                done = ", ".join(f"{act.kind} {act.name}" for act in acts)
                failed.state = failed.state or (f"Done, with receipts: {done}. The rest is not." if done else "Nothing was seen to change.")
                raise
    if args.json:
        print_json({"format": 1, "acts": [{"kind": act.kind, "name": act.name, "how": act.how} for act in acts]})
    return 0


def _confirmed(name: str, given: str | None) -> None:
    """Raises CeremonyError ONLINE-NOT-CONFIRMED unless the name was typed."""
    if given is None:
        if not sys.stdin.isatty():
            raise CeremonyError("ONLINE-NOT-CONFIRMED", "Nobody is there to type the name.", state="Nothing was changed.")
        say(f"Type the name to go on: {name}")
        given = sys.stdin.readline().strip()
    if given != name:
        raise CeremonyError("ONLINE-NOT-CONFIRMED", "What was typed is not the name.", state="Nothing was changed.")
