"""ceremony online disable NAME: the compromise response. Needs neither bundle nor fingerprint; what can fail comes after the lever."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from ceremony.commands.files import print_json, say
from ceremony.commands.online_code import add_receipts_argument
from ceremony.commands.online_service import add_service_arguments, config_of, service_of
from ceremony.commands.progress import progress_line
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

if TYPE_CHECKING:
    from ceremony.online.acts import Act, Record
    from ceremony.online.disable import LetIn
    from ceremony.online.disable_devices import HubRun
    from ceremony.online.world import Service

_WORDS = {"done": "disabled", "found": "found-disabled", "gone": "gone", "left": "NOT-DISABLED"}
_MOST_NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """NAME, the hubs, the service."""
    parser.add_argument("name", metavar="NAME", help="the enrollment group: the intermediate's name")
    parser.add_argument(
        "--hub", action="append", default=[], metavar="HOST", help="disable its devices at this hub too; may be given many times"
    )
    parser.add_argument("--json", action="store_true")
    add_receipts_argument(parser)
    add_service_arguments(parser)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Disables the group, then its devices at the hubs that were named; a receipt for each; on stdout whom the group had let in."""
    config = config_of(args)
    with service_of(config) as service:
        from ceremony.online.acts import Record
        from ceremony.online.disable import STILL_WORKING, disable_group, let_in_by

        act = disable_group(service, args.name)
        name = shown_text(act.name)
        was = "" if act.answered else ", and was found so"
        say(f"The group {name} of {config.service} is DISABLED{was}.", *STILL_WORKING)
        with Record(args.receipts, config.service) as record:
            receipt = record.tell(act, service.data.watch.last.server_time)
            if receipt is not None:
                say(f"Receipt {receipt.seq} in {args.receipts}")
            try:
                found = let_in_by(service, act.name)
            except CeremonyError as failed:
                if record.failed is not None:
                    say("", *record.failed.lines())
                raise _after(act, failed) from None
            runs, problems = _at_hubs(service, act, found, args.hub, record)
    _print(act, found, runs, as_json=args.json)
    if record.failed is not None:
        problems.insert(0, record.failed)
    for problem in problems[:-1]:
        say("", *problem.lines())
    if problems:
        raise _after(act, problems[-1], runs)
    return 0


def _at_hubs(
    service: "Service", act: "Act", found: list["LetIn"], named: list[str], record: "Record"
) -> tuple[list["HubRun"], list[CeremonyError]]:
    """Each hub in turn; and what went wrong, the gravest last."""
    from ceremony.online.disable_devices import disable_at_hub, hubs_of

    there = hubs_of(found)
    wanted = list(dict.fromkeys(host.lower() for host in named))
    runs = []
    for host in wanted:
        if host in there:
            devices = [entry.device_id for entry in there[host]]
            with progress_line(f"Devices at {host}", len(devices)) as progress:
                runs.append(disable_at_hub(service, host, act.name, devices, record, progress))
            say(runs[-1].line())
    for host, entries in there.items():
        if wanted and host not in wanted:
            say(f"{host}: {len(entries)} not touched; --hub {host} disables them too.")
    unknown = [shown_text(host) for host in wanted if host not in there]
    problems = []
    if unknown:
        known = ", ".join(map(shown_text, there)) or "none"
        what = f"No device that {shown_text(act.name)} let in is at {', '.join(unknown)}. There are devices of it at: {known}."
        problems.append(CeremonyError("ONLINE-HUB-UNKNOWN", what))
    return runs, [*problems, *(run.failed for run in runs if run.failed is not None)]


def _after(act: "Act", problem: CeremonyError, runs: list["HubRun"] | None = None) -> CeremonyError:
    """The problem, with what holds in spite of it."""
    said = [f"The group {shown_text(act.name)} IS disabled."]
    for run in runs or ():
        left = [shown_text(device_id) for device_id in run.those("left")]
        if left:
            more = f" and {len(left) - _MOST_NAMED} more" * (len(left) > _MOST_NAMED)
            said.append(f"NOT disabled at {shown_text(run.host)}: {', '.join(left[:_MOST_NAMED])}{more}.")
    problem.state = " ".join(said)
    return problem


def _print(act: "Act", found: list["LetIn"], runs: list["HubRun"], *, as_json: bool) -> None:
    outcomes = {(run.host, device_id): outcome for run in runs for device_id, outcome in run.outcomes.items()}
    listed = [(entry, outcomes.get((entry.hub.lower(), entry.device_id))) for entry in found]
    if as_json:
        entries = [{**dataclasses.asdict(entry), "at_hub": outcome} for entry, outcome in listed]
        hubs = [{"hub": run.host, **{outcome: len(run.those(outcome)) for outcome in ("done", "found", "gone", "left")}} for run in runs]
        print_json({"format": 1, "group": act.name, "how": act.how, "registrations": entries, "hubs": hubs})
        return
    say(f"It had let in {len(found)}:" if found else "It had let nobody in.")
    for entry, outcome in listed:
        at_hub = f"  {_WORDS[outcome]}" if outcome else ""
        print(f"{entry.line()}{at_hub}")
