"""What the commands that reach the service have in common: its flags, its settings, its credential."""

import argparse
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ceremony.commands.files import say
from ceremony.errors import CeremonyError
from ceremony.online.config import AUTHS, CLOUDS, VARIABLES, OnlineConfig, read_config

if TYPE_CHECKING:
    from ceremony.online.world import Service


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags go before the environment, and that before the file."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings; without it online.toml here")
    parser.add_argument("--subscription", metavar="ID", help=f"or {VARIABLES['subscription']}")
    parser.add_argument("--resource-group", metavar="NAME", help=f"or {VARIABLES['resource_group']}")
    parser.add_argument("--service", metavar="NAME", help=f"the Device Provisioning Service; or {VARIABLES['service']}")
    parser.add_argument("--cloud", choices=CLOUDS)
    parser.add_argument("--auth", choices=AUTHS, help="how to sign in")


def config_of(args: argparse.Namespace) -> OnlineConfig:
    """The settings. Raises CeremonyError ONLINE-CONFIG, ONLINE-CONFIG-MISSING, ONLINE-NOT-LOOPBACK."""
    return read_config(args.config, os.environ, {name: getattr(args, name) for name in VARIABLES})


def require_packages() -> None:
    """Raises CeremonyError ONLINE-PACKAGES where the extra `online` is not installed."""
    try:
        importlib.import_module("ceremony.online.credentials")
        importlib.import_module("ceremony.online.world")
    except ModuleNotFoundError as missing:
        what = f"The package {missing.name} is not installed."
        raise CeremonyError("ONLINE-PACKAGES", what, state="Nothing was sent.") from missing


@contextmanager
def service_of(config: OnlineConfig) -> "Iterator[Service]":
    """The service, connected. Raises CeremonyError ONLINE-PACKAGES, AZURE-AUTHENTICATION and what `connected` raises."""
    require_packages()
    from ceremony.online.credentials import credential_for
    from ceremony.online.world import connected

    with connected(config, credential_for(config, say)) as service:
        yield service
