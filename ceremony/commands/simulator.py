"""ceremony simulator: a Device Provisioning Service on this machine's loopback, with faults on demand."""

import argparse
import dataclasses
import difflib
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit

from ceremony.commands.files import print_json, say, write_file
from ceremony.errors import CeremonyError
from ceremony.online.config import SERVICE_NAME
from ceremony.simulator.access import TOKEN_PREFIX
from ceremony.simulator.device_registry import add_policy
from ceremony.simulator.errors import Refused
from ceremony.simulator.faults import FACES, Fault
from ceremony.simulator.http_server import refuse_other_than_loopback
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState
from ceremony.simulator.state_file import KeptIn, load

LONGEST_LATENCY = 600
"""Seconds that a request may be made to wait."""
LARGEST_SKEW = 100 * 365 * 86_400
"""Seconds, some hundred years, by which the service's clock may be off: all that a certificate of ours can outlast."""
_ENDED_BY = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it listens, what it keeps, what goes wrong."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="a loopback address (default: 127.0.0.1)")
    parser.add_argument(
        "--hub", action="append", default=[], metavar="ADDRESS", help="where a hub is; may be given many times (default: 127.0.0.2)"
    )
    parser.add_argument("--arm-port", type=int, default=0, metavar="PORT", help="of the control plane (default: a free one)")
    parser.add_argument("--service-port", type=int, default=0, metavar="PORT", help="of the service API (default: a free one)")
    parser.add_argument("--device-port", type=int, default=0, metavar="PORT", help="of the device API over HTTPS (default: a free one)")
    parser.add_argument(
        "--mqtt-port", type=int, default=0, metavar="PORT", help="of devices over MQTT, at the service and its hubs (default: a free one)"
    )
    parser.add_argument("--hub-port", type=int, default=0, metavar="PORT", help="of the hubs' registries (default: a free one)")
    parser.add_argument("--dir", dest="folder", type=Path, metavar="DIR", help="keep the TLS files there (default: a folder of this run)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="take the state from FILE and keep it there (default: keep nothing)")
    parser.add_argument("--name", metavar="NAME", help="of the service (default: simulator-dps, or the state file's)")
    parser.add_argument("--online-toml", type=Path, metavar="FILE", help="write settings by which `ceremony online` talks to it")
    parser.add_argument(
        "--adr",
        action="append",
        default=[],
        metavar="NAMESPACE/POLICY",
        help="a policy of Azure Device Registry that waits for its own root's signature; may be given many times",
    )
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="each request waits so long")
    parser.add_argument("--most-a-minute", type=int, default=0, metavar="N", help="429 beyond N operations a minute (the real limit: 1000)")
    parser.add_argument("--clock-skew", type=float, default=0.0, metavar="SECONDS", help="the service's clock is ahead by so much")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KEY=VALUE,...",
        help=f"one trouble: status, retry_after, drop (before, after), method, part (of the path), face ({', '.join(FACES)}), skip, times",
    )
    parser.add_argument("--json", action="store_true", help="the addresses as JSON")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Says where it listens, then answers until it is ended by a signal."""
    _refuse_what_can_not_be(args)
    faults = [_fault(text) for text in args.fault]
    state = load(args.state) if args.state else DpsState()
    state.service_name, state.hubs = args.name or state.service_name, _hubs(args) or state.hubs
    _add_policies(state, args.adr)
    # Threads take the mask of the one that starts them: so only this one hears the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDED_BY)
    try:
        with _folder(args.folder) as folder:
            try:
                ports = (args.arm_port, args.service_port, args.device_port)
                hubs = {"mqtt_port": args.mqtt_port, "hub_port": args.hub_port}
                simulator = Simulator(folder, state=state, host=args.host, ports=ports, **hubs)
            except (OSError, OverflowError) as failed:
                raise CeremonyError("SIMULATOR-ADDRESS", f"The simulator could not be started: {failed}.") from failed
            simulator.faults.latency, simulator.faults.clock_skew = args.latency, timedelta(seconds=args.clock_skew)
            simulator.faults.most_a_minute = args.most_a_minute
            for fault in faults:
                simulator.faults.add(fault)
            kept = KeptIn(args.state, state) if args.state else None
            if kept is not None:
                kept.save()
                simulator.log.after_each = partial(_save, kept)
            with simulator:
                if args.online_toml:
                    write_file(args.online_toml, _settings(simulator).encode())
                _tell(simulator, as_json=args.json)
                ended_by = signal.sigwait(_ENDED_BY)
            if kept is not None:
                kept.save()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDED_BY)
    say(f"The simulator has ended; it answered {simulator.log.count} requests.")
    return 128 + ended_by


def _refuse_what_can_not_be(args: argparse.Namespace) -> None:
    """Numbers that no request would get past, and a name that `ceremony online` would not take. Raises CeremonyError USAGE."""
    # Not a number is in no interval.
    wanted = {
        f"--latency must be 0 to {LONGEST_LATENCY} seconds": 0 <= args.latency <= LONGEST_LATENCY,
        f"--clock-skew must be at most {LARGEST_SKEW} seconds either way": abs(args.clock_skew) <= LARGEST_SKEW,
        "--most-a-minute must not be negative": args.most_a_minute >= 0,
        "--name must be 3 to 64 letters, digits and hyphens": args.name is None or SERVICE_NAME.fullmatch(args.name) is not None,
    }
    problems = [problem for problem, fits in wanted.items() if not fits]
    if problems:
        raise CeremonyError("USAGE", f"{'; '.join(problems)}.", state="Nothing was started.")


def _add_policies(state: DpsState, places: list[str]) -> None:
    """Raises CeremonyError USAGE for what is no NAMESPACE/POLICY."""
    for place in places:
        namespace, _, policy = place.partition("/")
        try:
            add_policy(state, namespace, policy)
        except Refused as refused:
            what = f"--adr {place}: {refused.message}"
            raise CeremonyError("USAGE", what, state="Nothing was started.") from refused


def _hubs(args: argparse.Namespace) -> list[str]:
    """The hubs that are asked for; each needs an address of its own, for all have one port."""
    for hub in args.hub:
        refuse_other_than_loopback(hub)
    if len({args.host, *args.hub}) <= len(args.hub):
        raise CeremonyError("USAGE", "Service and hubs each need an address of their own.", state="Nothing was started.")
    return list(args.hub)


def _save(kept: KeptIn) -> None:
    """In a thread of a connection, where nobody would hear an error."""
    try:
        kept.save()
    except CeremonyError as failed:
        say(*failed.lines())


def _settings(simulator: Simulator) -> str:
    """online.toml for this simulator."""
    state = simulator.state
    settings = tomlkit.document()
    settings.update(
        {"format": 1, "subscription": state.subscription_id, "resource_group": state.resource_group, "service": state.service_name}
    )
    reached = {} if simulator.hub_port is None else {"hub_port": simulator.hub_port}
    settings["simulator"] = {"endpoint": simulator.arm_url, "ca_file": str(simulator.ca_file.resolve()), **reached}
    return tomlkit.dumps(settings)


def _tell(simulator: Simulator, *, as_json: bool) -> None:
    state = simulator.state
    facts = {
        "arm_url": simulator.arm_url,
        "service_host": simulator.service_host,
        "device_host": simulator.device_host,
        "mqtt_host": simulator.mqtt_host,
        "hubs": " ".join(simulator.state.hubs),
        "hub_port": simulator.hub_port or 0,
        "ca_file": str(simulator.ca_file.resolve()),
        "subscription": state.subscription_id,
        "resource_group": state.resource_group,
        "service": state.service_name,
        "id_scope": state.id_scope,
        "token_prefix": TOKEN_PREFIX,
    }
    if as_json:
        print_json({"format": 1, **facts})
    else:
        for name, value in facts.items():
            print(f"{name:15} {value}", flush=True)
    say("Nothing here is real, and only this machine reaches it. Ctrl+C ends it.")


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="ceremony-simulator-") as made:
            yield Path(made)
        return
    try:
        given.mkdir(mode=0o700, exist_ok=True)
    except OSError as failed:
        raise CeremonyError("FILE-UNWRITABLE", f"{given} could not be made: {failed.strerror}.") from failed
    yield given


def _fault(text: str) -> Fault:
    """The fault that `status=429,times=3` tells. Raises CeremonyError USAGE."""
    numbers = {"status", "retry_after", "skip", "times"}
    known = [found.name for found in dataclasses.fields(Fault)]
    choices = {"drop": ("before", "after"), "face": FACES}
    values: dict[str, Any] = {}
    for entry in text.split(","):
        name, _, value = entry.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."
            raise CeremonyError("USAGE", f"--fault {text}: there is no {name or 'empty name'}{meant}", state="Nothing was started.")
        if name in numbers and not (value.isascii() and value.isdigit()):
            raise CeremonyError("USAGE", f"--fault {text}: {name} must be a number.", state="Nothing was started.")
        if value not in choices.get(name, (value,)):
            raise CeremonyError("USAGE", f"--fault {text}: {name} is one of {', '.join(choices[name])}.", state="Nothing was started.")
        values[name] = int(value) if name in numbers else value
    fault = Fault(**values)
    if not fault.drop and fault.status not in range(400, 600):
        raise CeremonyError("USAGE", f"--fault {text}: give a status of 400 to 599, or drop.", state="Nothing was started.")
    return fault
