"""What is at the service now, read by GETs alone: certificates, enrollment groups, and the service's clock."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.credentials import TokenCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ceremony.errors import CeremonyError
from ceremony.online.answered import Patience
from ceremony.online.config import OnlineConfig
from ceremony.online.control_plane import ControlPlane, ServiceFacts, UploadedCertificate
from ceremony.online.data_plane import DataPlane
from ceremony.online.hub_registry import HubRegistry
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.online.device_registry import DeviceRegistry, Policy

_PLACES = ("primary", "secondary")
_READ_ONLY = ("etag", "createdDateTimeUtc", "lastUpdatedDateTimeUtc")


@dataclass(frozen=True)
class Group:
    """An enrollment group. `record` is the service's own JSON; digests are SHA-256 (hex) of the certificates' DER.

    `ca_references` names certificates of the service: a group with one lets in whatever chain leads up to that certificate.
    """

    group_id: str
    etag: str
    record: Mapping[str, Any]
    is_enabled: bool
    is_x509: bool
    primary_sha256: str | None
    secondary_sha256: str | None
    ca_references: tuple[str, ...]

    @property
    def content_sha256(self) -> str:
        """SHA-256 (hex) of the record without etag and times."""
        kept = {key: value for key, value in self.record.items() if key not in _READ_ONLY}
        return sha256_hex(json.dumps(kept, sort_keys=True).encode())

    def not_after(self, place: str = "primary") -> datetime | None:
        """When the certificate at this place ends, as far as the service says."""
        try:
            found = datetime.fromisoformat(str(table(held(self.record, place), "info").get("notAfterUtc")))
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class World:
    """The service at one moment. `time` is its own clock, `ahead` how far that is ahead of this machine's.

    `policies` are those of Azure Device Registry that were asked for and are there.
    """

    service: ServiceFacts
    certificates: tuple[UploadedCertificate, ...]
    groups: tuple[Group, ...]
    time: datetime
    ahead: timedelta
    policies: "tuple[Policy, ...]" = ()

    def certificate(self, name: str) -> UploadedCertificate | None:
        """The certificate of this name. The service compares names without regard to case."""
        return next((found for found in self.certificates if found.name.lower() == name.lower()), None)

    def group(self, group_id: str) -> Group | None:
        """The group of this id."""
        return next((found for found in self.groups if found.group_id.lower() == group_id.lower()), None)

    def policy(self, place: str) -> "Policy | None":
        """The policy at NAMESPACE/POLICY."""
        return next((found for found in self.policies if found.place.lower() == place.lower()), None)

    def as_value(self) -> dict[str, dict[str, Any]]:
        """What a plan depends on, as canonical JSON can hold it: certificates by name, groups by id, policies by place, the service."""
        return {
            "policies": {found.place.lower(): {"state": found.state} for found in self.policies},
            "service": {"id_scope": self.service.id_scope, "service_host": self.service.service_host},
            "certificates": {
                found.name.lower(): {"etag": found.etag, "sha1": found.sha1, "sha256": found.sha256, "is_verified": found.is_verified}
                for found in self.certificates
            },
            "groups": {found.group_id.lower(): {"etag": found.etag, "content_sha256": found.content_sha256} for found in self.groups},
        }


class Service:
    """The service, connected: control plane, its facts, data plane, and the way to its hubs. Made by `connected`."""

    def __init__(
        self,
        config: OnlineConfig,
        control: ControlPlane,
        facts: ServiceFacts,
        data: DataPlane,
        credential: TokenCredential,
        patience: Patience,
    ) -> None:
        self.config, self.control, self.facts, self.data = config, control, facts, data
        self._credential, self._patience = credential, patience
        self._registry: DeviceRegistry | None = None

    def observe(self, policies: Collection[str] = ()) -> World:
        """What is there now, with these policies (NAMESPACE/POLICY) of Azure Device Registry. Raises AzureFailure, and as `registry`."""
        certificates = self.control.certificates()
        watch = self.control.watch
        time = watch.last.server_time or datetime.now(UTC)
        ahead = watch.ahead if watch.ahead is not None else timedelta()
        groups = tuple(group_of(record) for record in self.data.groups())
        there = [self.registry().policy(place) for place in policies]
        return World(self.facts, tuple(certificates), groups, time, ahead, tuple(policy for policy in there if policy is not None))

    def registry(self) -> "DeviceRegistry":
        """Azure Device Registry, at the first call connected. Raises CeremonyError ONLINE-PACKAGES."""
        if self._registry is None:
            self._registry = registry_of(self.config, self._credential, self._patience)
        return self._registry

    def close(self) -> None:
        """Ends the connections."""
        for part in (self._registry, self.data, self.control):
            if part is not None:
                part.close()

    def group(self, group_id: str) -> Group | None:
        """One group as it is now; None when there is none. Raises AzureFailure."""
        record = self.data.group(group_id)
        return group_of(record) if record is not None else None

    @contextmanager
    def hub(self, host: str) -> Iterator[HubRegistry]:
        """The registry of a hub; connections end with the block. Raises AzureFailure and CeremonyError as HubRegistry does."""
        registry = HubRegistry(self.config, host, self._credential, self._patience)
        try:
            yield registry
        finally:
            registry.close()


@contextmanager
def connected(config: OnlineConfig, credential: TokenCredential, patience: Patience = Patience()) -> Iterator[Service]:  # noqa: B008 - frozen
    """The service, its facts read; connections end with the block. Raises AzureFailure, CeremonyError ONLINE-NOT-LOOPBACK."""
    control = ControlPlane(config, credential, patience)
    try:
        facts = control.service()
        service = Service(config, control, facts, DataPlane(config, facts.service_host, credential, patience), credential, patience)
    except BaseException:
        control.close()
        raise
    try:
        yield service
    finally:
        service.close()


def registry_of(config: OnlineConfig, credential: TokenCredential, patience: Patience = Patience()) -> "DeviceRegistry":  # noqa: B008 - frozen
    """Azure Device Registry, whose package is an extra of its own. Raises CeremonyError ONLINE-PACKAGES."""
    try:
        from ceremony.online.device_registry import DeviceRegistry
    except ModuleNotFoundError as missing:
        what = f"The package {missing.name} is not installed: Azure Device Registry needs it."
        do_now = "On the online machine: `make setup`, or install the extra `adr` (requirements/adr.txt)."
        raise CeremonyError("ONLINE-PACKAGES", what, state="Nothing was sent.", do_now=do_now) from missing
    return DeviceRegistry(config, credential, patience)


def group_of(record: Mapping[str, Any]) -> Group:
    """The group that the service's JSON tells of."""
    attestation = table(record, "attestation")
    references = table(table(attestation, "x509"), "caReferences")
    primary, secondary = (_digest(held(record, place)) for place in _PLACES)
    return Group(
        group_id=str(record.get("enrollmentGroupId", "")),
        etag=str(record.get("etag", "")),
        record=record,
        is_enabled=record.get("provisioningStatus") != "disabled",
        is_x509=attestation.get("type") == "x509",
        primary_sha256=primary,
        secondary_sha256=secondary,
        ca_references=tuple(str(references[place]) for place in _PLACES if references.get(place)),
    )


def writable(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what only the service writes, to be changed and put back whole."""
    return {key: value for key, value in record.items() if key not in _READ_ONLY}


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as every file of ours writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def held(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The signing certificate at this place ("primary", "secondary") of a group's JSON, as `{certificate, info}`."""
    return table(table(table(table(record, "attestation"), "x509"), "signingCertificates"), place)


def _digest(held: Mapping[str, Any]) -> str | None:
    """SHA-256 of the certificate itself where the service shows it, else as its `info` says."""
    pem = held.get("certificate")
    if isinstance(pem, str) and pem:
        try:
            return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()
        except ValueError:
            pass
    told = table(held, "info").get("sha256Thumbprint")
    return told.lower() if isinstance(told, str) else None


def table(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The JSON object under this key; an empty one where there is none, whatever there is instead."""
    found = parent.get(key)
    return found if isinstance(found, dict) else {}
