"""online.toml: which service is meant, how to sign in, and what every enrollment group of ours is like.

Flags go before the environment, the environment before the file. Unknown keys are errors.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ceremony.canonical import NotCanonical, canonical_json
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

LARGEST_FILE = 1 << 16
"""online.toml is at most 64 KiB."""
DEFAULT_FILE = "online.toml"

CLOUDS = ("public", "us-government", "china")
AUTHS = ("default", "azure-cli", "device-code", "workload-identity", "managed-identity", "certificate")
ALLOCATIONS = ("hashed", "geoLatency", "static", "by-hand")
"""`by-hand` leaves each group's allocation as it is at the service."""
VARIABLES = {
    "subscription": "AZURE_SUBSCRIPTION_ID",
    "resource_group": "AZURE_RESOURCE_GROUP",
    "service": "AZURE_DPS_NAME",
    "cloud": "AZURE_CLOUD_NAME",
    "auth": "CEREMONY_AUTH",
}
"""The environment variable of each key that has one."""

SERVICE_NAME = re.compile(r"[A-Za-z0-9-]{2,63}[A-Za-z0-9]")
"""Naming rules for Microsoft.Devices/provisioningServices: 3 to 64 alphanumerics and hyphens, the last no hyphen."""
_SUBSCRIPTION = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RESOURCE_GROUP = re.compile(r"[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]")
_HUB = re.compile(r"[A-Za-z0-9.-]{1,253}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class GroupDefaults:
    """What every enrollment group is like. `hubs` empty and `initial_twin` None leave the service's own setting alone.

    `secondaries` names, for a roll-over, the intermediate that stands second in another's group.
    """

    update_hub_assignment: bool = True
    migrate_device_data: bool = True
    allocation: str = "hashed"
    hubs: tuple[str, ...] = ()
    iot_edge: bool = False
    initial_twin: Mapping[str, Any] | None = None
    secondaries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OnlineConfig:
    """Which service, and how to reach it. `endpoint`, `ca_file` and `hub_port` are set for the simulator alone.

    `hub_port` is where the simulator's hubs have their registries; Azure's have 443. `registry_resource_group` is where the namespaces of
    Azure Device Registry are, when they are elsewhere than the service.
    """

    subscription: str
    resource_group: str
    service: str
    cloud: str = "public"
    auth: str = "default"
    groups: GroupDefaults = GroupDefaults()
    endpoint: str | None = None
    ca_file: Path | None = None
    hub_port: int | None = None
    registry_resource_group: str | None = None

    @property
    def is_simulator(self) -> bool:
        """Whether the service is the simulator on this machine's loopback."""
        return self.endpoint is not None

    @property
    def shown(self) -> str:
        """The service for a person to read."""
        where = self.endpoint or f"Azure ({self.cloud})"
        return f"{self.service} in {self.resource_group}, subscription {self.subscription}, at {where}"


def is_loopback(host: str) -> bool:
    """Whether this host (without port, no brackets) is this machine alone: an address of the loopback, or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_config(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, str | None]) -> OnlineConfig:
    """The settings of `path` (None: online.toml in the working directory, if it is there), environment and flags.

    `flags` may give the keys of VARIABLES. Raises CeremonyError ONLINE-CONFIG, ONLINE-CONFIG-MISSING, ONLINE-NOT-LOOPBACK.
    """
    document: dict[str, Any] = {}
    if path is not None or Path(DEFAULT_FILE).exists():
        document = _document(path or Path(DEFAULT_FILE))
    reader = _Reader()
    config = reader.config(document, environment, flags)
    if reader.problems:
        raise CeremonyError("ONLINE-CONFIG", f"{path or DEFAULT_FILE}: {'; '.join(reader.problems)}.", state="Nothing was sent.")
    missing = [name for name in ("subscription", "resource_group", "service") if not getattr(config, name)]
    if missing:
        raise CeremonyError("ONLINE-CONFIG-MISSING", f"Not said: {', '.join(missing)}.", state="Nothing was sent.")
    return _loopback_only(config, (path or Path(DEFAULT_FILE)).parent)


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_FILE + 1)
    except OSError as failed:
        what = f"{shown_text(str(path))} could not be read: {failed.strerror}."
        raise CeremonyError("ONLINE-CONFIG-MISSING", what, state="Nothing was sent.") from failed
    try:
        if len(octets) > LARGEST_FILE:
            raise ValueError(f"larger than {LARGEST_FILE} bytes")
        return tomllib.loads(octets.decode())
    except (ValueError, RecursionError) as broken:
        what = f"{shown_text(str(path))} is not TOML: {shown_text(str(broken))}."
        raise CeremonyError("ONLINE-CONFIG", what, state="Nothing was sent.") from broken


def _loopback_only(config: OnlineConfig, folder: Path) -> OnlineConfig:
    if config.endpoint is None:
        return config
    parts = urlsplit(config.endpoint)
    if parts.scheme != "https" or not is_loopback(parts.hostname or "") or parts.path.strip("/") or parts.query or parts.username:
        what = f"simulator.endpoint is {shown_text(config.endpoint)}: only https://127.0.0.1:PORT and its like are taken."
        raise CeremonyError("ONLINE-NOT-LOOPBACK", what, state="Nothing was sent.")
    return replace(config, ca_file=folder / config.ca_file if config.ca_file else None)


class _Reader:
    """Takes the tables one by one and keeps a list of all that is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def config(self, document: Mapping[str, Any], environment: Mapping[str, str], flags: Mapping[str, str | None]) -> OnlineConfig:
        self.known("", document, ("format", *VARIABLES, "groups", "device_registry", "simulator"))
        if document and (type(document.get("format")) is not int or document["format"] != 1):
            self.problems.append("format must be 1")
        settings = {key: flags.get(key) or environment.get(variable) or document.get(key, "") for key, variable in VARIABLES.items()}
        simulator = self.table(document, "simulator", ("endpoint", "ca_file", "hub_port"))
        if "simulator" in document and not {"endpoint", "ca_file"} <= simulator.keys():
            self.problems.append("simulator needs endpoint and ca_file")
        ca_file = self.text(simulator, "simulator.", "ca_file")
        group = self.table(document, "device_registry", ("resource_group",)).get("resource_group", "")
        group = self.matching("device_registry.resource_group", group, _RESOURCE_GROUP, "a resource group's name")
        return OnlineConfig(
            subscription=self.matching("subscription", settings["subscription"], _SUBSCRIPTION, "an id of 8-4-4-4-12 hex digits"),
            resource_group=self.matching("resource_group", settings["resource_group"], _RESOURCE_GROUP, "a resource group's name"),
            service=self.matching("service", settings["service"], SERVICE_NAME, "the name of a Device Provisioning Service"),
            cloud=self.one_of("cloud", settings["cloud"] or "public", CLOUDS),
            auth=self.one_of("auth", settings["auth"] or "default", AUTHS),
            groups=self.groups(document),
            endpoint=self.text(simulator, "simulator.", "endpoint"),
            ca_file=Path(ca_file) if ca_file else None,
            hub_port=self.port(simulator, "simulator.", "hub_port"),
            registry_resource_group=group or None,
        )

    def groups(self, document: Mapping[str, Any]) -> GroupDefaults:
        keys = ("update_hub_assignment", "migrate_device_data", "allocation", "hubs", "iot_edge", "initial_twin", "secondaries")
        table = self.table(document, "groups", keys)
        allocation = table.get("allocation", "hashed")
        if allocation == "custom":
            self.problems.append(
                "groups.allocation: custom allocation is not built, for the address of its webhook holds a key, and a plan and a receipt "
                'must hold none. Say "by-hand", and set it at each group by the portal or the Azure CLI: it is left as it is then'
            )
        hubs = table.get("hubs", [])
        are_hosts = isinstance(hubs, list) and all(isinstance(hub, str) and _HUB.fullmatch(hub) for hub in hubs)
        if not are_hosts or len(set(hubs)) != len(hubs):
            self.problems.append("groups.hubs must be a list of host names, each once")
            hubs = []
        if allocation == "static" and len(hubs) != 1:
            self.problems.append("groups.allocation static needs exactly one of groups.hubs")
        return GroupDefaults(
            update_hub_assignment=self.boolean(table, "update_hub_assignment", default=True),
            migrate_device_data=self.boolean(table, "migrate_device_data", default=True),
            allocation=self.one_of("groups.allocation", allocation, ALLOCATIONS) if allocation != "custom" else "hashed",
            hubs=tuple(sorted(hubs)),
            iot_edge=self.boolean(table, "iot_edge", default=False),
            initial_twin=self.initial_twin(table),
            secondaries=self.secondaries(table),
        )

    def initial_twin(self, groups: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """{tags, properties.desired} as the service wants it, from the keys `tags` and `desired`."""
        if "initial_twin" not in groups:
            return None
        twin = self.table(groups, "initial_twin", ("tags", "desired"), under="groups.")
        tags, desired = (self.table(twin, key, None, under="groups.initial_twin.") for key in ("tags", "desired"))
        made = {"tags": tags, "properties": {"desired": desired}}
        try:
            canonical_json(made)
        except NotCanonical as why:
            self.problems.append(f"groups.initial_twin: {why}")
            return None
        return made

    def secondaries(self, groups: Mapping[str, Any]) -> Mapping[str, str]:
        table = self.table(groups, "secondaries", None, under="groups.")
        named = {*table, *(value for value in table.values() if isinstance(value, str))}
        if not all(isinstance(value, str) and _NAME.fullmatch(value) and _NAME.fullmatch(key) for key, value in table.items()):
            self.problems.append("groups.secondaries gives names of intermediates by name: old = new")
            return {}
        if len(named) != 2 * len(table):
            self.problems.append("groups.secondaries: each intermediate may stand there once")
        return table

    def known(self, where: str, table: Mapping[str, Any], names: Collection[str]) -> None:
        for key in sorted(table.keys() - set(names)):
            near = difflib.get_close_matches(key, names, 1)
            hint = f" (nearest: {near[0]})" if near else f" (known: {', '.join(names)})"
            self.problems.append(f"unknown key {where}{shown_text(key)}{hint}")

    def table(self, parent: Mapping[str, Any], name: str, keys: Collection[str] | None, *, under: str = "") -> dict[str, Any]:
        """A table of `parent`; `keys` None takes any."""
        found = parent.get(name, {})
        if not isinstance(found, dict):
            self.problems.append(f"{under}{name} must be a table")
            return {}
        if keys is not None:
            self.known(f"{under}{name}.", found, keys)
        return {key: value for key, value in found.items() if keys is None or key in keys}

    def text(self, table: Mapping[str, Any], where: str, key: str) -> str | None:
        value = table.get(key)
        if value is None or (isinstance(value, str) and value and value.isprintable()):
            return value
        self.problems.append(f"{where}{key} must be a text of printable characters")
        return None

    def port(self, table: Mapping[str, Any], where: str, key: str) -> int | None:
        value = table.get(key)
        if value is None or (type(value) is int and 0 < value < 65536):
            return value
        self.problems.append(f"{where}{key} must be the number of a port")
        return None

    def boolean(self, table: Mapping[str, Any], key: str, *, default: bool) -> bool:
        value = table.get(key, default)
        if isinstance(value, bool):
            return value
        self.problems.append(f"groups.{key} must be true or false")
        return default

    def one_of(self, place: str, value: Any, choices: Collection[str]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        near = difflib.get_close_matches(str(value), choices, 1)
        meant = f" (nearest: {near[0]})" if near else ""
        self.problems.append(f"{place} must be one of {', '.join(choices)}{meant}")
        return next(iter(choices))

    def matching(self, place: str, value: Any, pattern: re.Pattern[str], what: str) -> str:
        if isinstance(value, str) and (value == "" or pattern.fullmatch(value)):
            return value
        self.problems.append(f"{place} must be {what}")
        return ""
