"""ceremony device register: a device through the provisioning service; the hub it is assigned to is shown and remembered."""

import argparse

from ceremony.commands.device_asking import (
    add_device_arguments,
    checked_arguments,
    device_of,
    helpers_of,
    host_of,
    provisioning_of,
    trust_of,
)
from ceremony.commands.files import print_json, say
from ceremony.pki.names import shown_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, service, cache."""
    add_device_arguments(parser, id_scope_required=True)


def run(args: argparse.Namespace, removed: tuple[str, ...]) -> int:
    """Registers, also when a registration is remembered: the service may have another hub for the device now."""
    from ceremony.device.cache import write_cache
    from ceremony.device.connect import remembered
    from ceremony.device.hosts import CLOUDS
    from ceremony.device.register import register

    checked_arguments(args)
    trust_pem, helpers = trust_of(args), helpers_of(args)
    service = provisioning_of(args, host_of(args) or CLOUDS["public"], args.id_scope, trust_pem)
    with device_of(args) as device:
        state = "There is no cache." if remembered(device.cache, say) is None else "The cache was kept."
        say(f"Registering {device.registration_id} at {service.host} ...")
        registration = register(device.identity, device.passphrase, device.registration_id, service, helpers, state=state)
        write_cache(device.cache, registration)
    if args.json:
        print_json({**registration.as_json(), "cache": str(device.cache)})
        return 0
    for name, value in (
        ("hub", registration.assigned_hub),
        ("device id", registration.device_id),
        ("substatus", registration.substatus),
        ("cache", str(device.cache)),
    ):
        print(f"{name:10} {shown_text(value)}")
    return 0
