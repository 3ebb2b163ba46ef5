"""ceremony online disable NAME: the compromise response. Needs neither bundle nor fingerprint; what can fail comes after the lever."""

import argparse
import dataclasses

from ceremony.commands.files import print_json, say
from ceremony.commands.online_code import add_receipts_argument
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, the service."""
    parser.add_argument("name", metavar="NAME", help="the enrollment group: the intermediate's name")
    parser.add_argument("--hub", metavar="HOST", help="not built yet: disable the devices at their hub too")
    parser.add_argument("--json", action="store_true")
    add_receipts_argument(parser)
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Disables, writes the receipt, lists whom the group had let in on stdout."""
    if args.hub:
        do_now = "Give it without --hub: the group is disabled, and the devices are listed for their hub's own tools."
        raise CeremonyError("NOT-BUILT", "`--hub` is not built in this version.", state="Nothing was changed.", do_now=do_now)
    config = config_of(args)
    with service_of(config) as service:
        from ceremony.online.acts import write_receipt
        from ceremony.online.disable import STILL_WORKING, disable_group, let_in_by
        from ceremony.online.receipts import Receipts

        act = disable_group(service, args.name)
        time = service.data.watch.last.server_time
        name = shown_text(act.name)
        was = "" if act.answered else ", and was found so"
        say(f"The group {name} of {config.service} is DISABLED{was}.", *STILL_WORKING)
        try:
            try:
                with Receipts(args.receipts, None) as receipts:
                    write_receipt(receipts, act, service=config.service, time=time)
                    say(f"Receipt {len(receipts.lines)} in {receipts.path}")
            finally:
                # Whatever becomes of the receipt: who was let in is what the operator needs next.
                found = let_in_by(service, act.name)
        except CeremonyError as failed:
            failed.state = f"The group {name} IS disabled."
            raise
    if args.json:
        entries = [dataclasses.asdict(entry) for entry in found]
        print_json({"format": 1, "group": act.name, "how": act.how, "registrations": entries})
        return 0
    say(f"It had let in {len(found)}:" if found else "It had let nobody in.")
    for entry in found:
        print(shown_text(f"{entry.registration_id}  {entry.hub}  {entry.device_id}  {entry.last_updated}"))
    return 0
