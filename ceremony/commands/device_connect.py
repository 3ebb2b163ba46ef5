"""ceremony device connect: a device at its hub, by the registration it remembers."""

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ceremony.commands.device_asking import (
    Device,
    add_device_arguments,
    checked_arguments,
    device_of,
    helpers_of,
    host_of,
    provisioning_of,
    trust_of,
)
from ceremony.commands.files import say
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

if TYPE_CHECKING:
    from ceremony.device.connect import Register
    from ceremony.device.provisioning import Helpers

_UNSENT = "Nothing was sent."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, service, cache, and what to do at the hub."""
    add_device_arguments(parser, id_scope_required=False)
    parser.add_argument("--message", metavar="JSON", help="what to send (default: the time)")
    parser.add_argument("--reported", metavar="JSON", help="an object: reported properties of the twin to change")


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Connects, sends, reads."""
    from ceremony.device.cache import Wanted
    from ceremony.device.connect import connect
    from ceremony.device.hub import Errand

    checked_arguments(args)
    message, reported = _message(args.message), _reported(args.reported)
    trust_pem, helpers = trust_of(args), helpers_of(args)
    errand = Errand(message, reported, trust_pem, args.time_limit)
    with device_of(args) as device:
        wanted = Wanted(device.identity.leaf_sha256, device.registration_id, args.id_scope, host_of(args))
        register = _register(args, device, trust_pem, helpers)
        done = connect(device.identity, device.passphrase, device.cache, wanted, errand, register, say)
    if args.json:
        told = done.registration.as_json() | {"cache": str(device.cache), "fromCache": done.from_cache, "renewed": done.renewed}
        # Not canonical: a message and a twin may hold fractions.
        print(json.dumps({**told, "message": json.loads(message), "twin": done.twin}, sort_keys=True))
        return 0
    origin = "the cache" if done.from_cache else f"the service{f', anew: {done.renewed}' if done.renewed else ''}"
    for name, value in (
        ("hub", done.registration.assigned_hub),
        ("device id", done.registration.device_id),
        ("known from", origin),
        ("cache", str(device.cache)),
        ("sent", message),
    ):
        print(f"{name:10} {shown_text(value)}")
    print("twin", *(f"  {line}" for line in json.dumps(done.twin, indent=2, sort_keys=True).splitlines()), sep="\n")
    return 0


def _register(args: argparse.Namespace, device: Device, trust_pem: str | None, helpers: "Helpers") -> "Register":
    from ceremony.device.cache import Registration
    from ceremony.device.hosts import CLOUDS
    from ceremony.device.register import register

    def registered(host: str | None, id_scope: str | None, state: str) -> Registration:
        if id_scope is None:
            what = f"There is no registration in {shown_text(str(device.cache))}, and --id-scope was not given."
            raise CeremonyError("DEVICE-NOT-REGISTERED", what, state=_UNSENT)
        service = provisioning_of(args, host or CLOUDS["public"], id_scope, trust_pem)
        say(f"Registering {device.registration_id} at {service.host} ...")
        return register(device.identity, device.passphrase, device.registration_id, service, helpers, state=state)

    return registered


def _message(given: str | None) -> str:
    """The message as it is sent: JSON. Raises CeremonyError USAGE."""
    text = given if given is not None else json.dumps({"connected": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
    _json("--message", text)
    return text


def _reported(given: str | None) -> dict[str, Any] | None:
    found = _json("--reported", given) if given is not None else None
    if found is not None and not isinstance(found, dict):
        raise CeremonyError("USAGE", "--reported must be a JSON object.", state=_UNSENT)
    return found


def _json(option: str, text: str) -> Any:
    try:
        return json.loads(text.encode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as broken:
        raise CeremonyError("USAGE", f"{option} is not JSON: {shown_text(str(broken))}.", state=_UNSENT) from broken


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
