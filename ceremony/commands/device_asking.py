"""What the device's commands have in common: whose files, which service, which roots are trusted, and who else may be asked."""

import argparse
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.commands.files import say
from ceremony.device.cache import is_id_scope
from ceremony.device.hosts import CLOUDS, is_host
from ceremony.device.identity import Identity, needs_passphrase, read_certificates, read_identity, read_key_file, registration_id_of
from ceremony.device.provisioning import Helpers, Provisioning
from ceremony.device.service_view import KnownCertificate, KnownGroup, ServiceView
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

if TYPE_CHECKING:
    from ceremony.online.config import OnlineConfig
    from ceremony.online.world import World

SECONDS = 90.0
"""Limit of a try, by default: the library's own time-outs of 30 and 60 seconds fit in."""
_UNSENT = "Nothing was sent."


class Device(NamedTuple):
    """A device as the command line gives it: its files, the passphrase of its key or None, its id, where its cache lies."""

    identity: Identity
    passphrase: bytearray | None
    registration_id: str
    cache: Path


def add_device_arguments(parser: argparse.ArgumentParser, *, id_scope_required: bool) -> None:
    """The options that both commands have."""
    parser.add_argument("--cert", type=Path, required=True, metavar="CHAIN.pem", help="the device's certificate, then the intermediate's")
    parser.add_argument("--key", type=Path, required=True, metavar="KEY.pem", help="the device's key, encrypted or not")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="of an encrypted key; without it the passphrase is asked")
    parser.add_argument("--id-scope", required=id_scope_required, metavar="S", help="of the provisioning service: its overview shows it")
    parser.add_argument("--registration-id", metavar="R", help="(default: the CN of the certificate)")
    parser.add_argument("--cloud", choices=CLOUDS, help="(default: public)")
    parser.add_argument("--host", metavar="H", help="of the provisioning service, in place of a cloud's; port 8883 is always used")
    parser.add_argument("--https-port", type=int, default=443, metavar="PORT", help="where the same host answers over HTTPS (default: 443)")
    parser.add_argument("--trust", type=Path, metavar="CA.pem", help="roots of the servers' certificates (default: the system's)")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="(default: REGISTRATION-ID.registration.json beside the certificate)")
    parser.add_argument(
        "--online-toml", type=Path, metavar="FILE", help="the operator's settings: when the device is refused, look at the service too"
    )
    parser.add_argument("--time-limit", type=float, default=SECONDS, metavar="SECONDS", help=f"of each try (default: {SECONDS:g})")
    parser.add_argument("--json", action="store_true")


def checked_arguments(args: argparse.Namespace) -> None:
    """Raises CeremonyError DEVICE-ID, USAGE for what no service can take."""
    if args.id_scope is not None and not is_id_scope(args.id_scope):
        raise CeremonyError("DEVICE-ID", f"'{shown_text(args.id_scope)}' is no id scope.", state=_UNSENT)
    if args.host is not None and not is_host(args.host):
        raise CeremonyError("DEVICE-ID", f"'{shown_text(args.host)}' is no host.", state=_UNSENT)
    if args.host is not None and args.cloud is not None:
        raise CeremonyError("USAGE", "Either --host or --cloud.", state=_UNSENT)
    if not (math.isfinite(args.time_limit) and args.time_limit > 0):
        raise CeremonyError("USAGE", "--time-limit must be a number of seconds over 0.", state=_UNSENT)
    if not 0 < args.https_port < 1 << 16:
        raise CeremonyError("USAGE", "--https-port must be 1 to 65535.", state=_UNSENT)


@contextmanager
def device_of(args: argparse.Namespace) -> Iterator[Device]:
    """The device; its passphrase is wiped with the block. Raises CeremonyError of its files and of the passphrase."""
    from ceremony.factory.secret import secret_from, wipe

    key_pem = read_key_file(args.key)
    prompt = f"Passphrase of {shown_text(str(args.key))}: "
    passphrase = secret_from(args.passphrase_file, prompt) if needs_passphrase(key_pem) else None
    try:
        identity = read_identity(args.cert, args.key, key_pem, passphrase)
        registration_id = registration_id_of(identity, args.registration_id)
        cache = args.cache or args.cert.with_name(f"{registration_id}.registration.json")
        yield Device(identity, passphrase, registration_id, cache)
    finally:
        if passphrase is not None:
            wipe(passphrase)


def trust_of(args: argparse.Namespace) -> str | None:
    """The roots that are trusted, as PEM; None for the system's. Raises CeremonyError DEVICE-FILE, DEVICE-CERTIFICATE-BROKEN."""
    if args.trust is None:
        return None
    # Written anew: text between the certificates may be anything.
    return "".join(found.public_bytes(Encoding.PEM).decode() for found in read_certificates(args.trust))


def host_of(args: argparse.Namespace) -> str | None:
    """The host that is asked for; None when the command line names none."""
    return str(args.host) if args.host is not None else CLOUDS[args.cloud] if args.cloud is not None else None


def provisioning_of(args: argparse.Namespace, host: str, id_scope: str, trust_pem: str | None) -> Provisioning:
    """The service to ask."""
    return Provisioning(host, id_scope, trust_pem, args.https_port, args.time_limit)


def helpers_of(args: argparse.Namespace) -> Helpers:
    """Talk, clock, and the operator's view of the service. Raises CeremonyError of online.toml, before anything is sent."""
    config: OnlineConfig | None = None
    if args.online_toml is not None:
        from ceremony.online.config import read_config

        config = read_config(args.online_toml, os.environ, {})
    return Helpers(say, lambda: datetime.now(UTC), lambda: _looked_at(config) if config is not None else None)


def _looked_at(config: "OnlineConfig") -> ServiceView | None:
    """The service as its operator sees it; None, after saying why, when it could not be asked."""
    from ceremony.commands.online_service import service_of

    try:
        with service_of(config) as service:
            return view_of(service.observe())
    except CeremonyError as failed:
        say(f"The service could not be looked at: {failed.what} ({failed.code})")
        return None


def view_of(world: "World") -> ServiceView:
    """What a diagnosis needs of the service."""
    certificates = (KnownCertificate(found.name, found.subject, found.sha256, found.is_verified) for found in world.certificates)
    groups = (
        KnownGroup(
            group.group_id,
            group.is_enabled,
            tuple(digest for digest in (group.primary_sha256, group.secondary_sha256) if digest is not None),
            group.ca_references,
        )
        for group in world.groups
        if group.is_x509
    )
    return ServiceView(world.service.id_scope, tuple(certificates), tuple(groups))
