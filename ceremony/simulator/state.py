"""What one Device Provisioning Service and its hubs hold: the one object behind every face of the simulator.

Every face takes `lock` for as long as it reads and writes. Times are aware and in UTC; certificates are DER;
thumbprints are lower-case hex.
"""

import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

MOST_CERTIFICATES = 25
MOST_GROUPS = 100
"""Limits of one service (azure-dps.md, from Microsoft's page of limits): CA certificates, X.509 enrollment groups."""
MOST_OPERATIONS = 10_000
"""Registrations that devices may ask about, of a simulator that runs for long."""


def new_etag() -> str:
    """An etag that was never given out before, bare. The service API writes it with quotes of its own inside the JSON."""
    return str(uuid.uuid4())


def new_generation() -> str:
    """18 digits, as a hub tells generations of a device id apart."""
    return f"{secrets.randbelow(9 * 10**17) + 10**17}"


def new_verification_code() -> str:
    """48 upper-case hex digits, as the service's own."""
    return secrets.token_hex(24).upper()


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def date_time(moment: datetime) -> str:
    """RFC 3339 with milliseconds, as the service's JSON writes times."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@dataclass
class UploadedCertificate:
    """A CA certificate of the service. `etag` is bare here; `verification_code` is None until one was asked for."""

    name: str
    certificate_der: bytes
    is_verified: bool
    created: datetime
    updated: datetime
    etag: str = field(default_factory=new_etag)
    verification_code: str | None = None


@dataclass
class EnrollmentGroup:
    """An enrollment group. `record` is its JSON as the operator gave it, defaults added, without etag, times and `info`."""

    group_id: str
    record: dict[str, Any]
    created: datetime
    updated: datetime
    signing_certificates: tuple[bytes, ...] = ()
    """DER of the primary and the secondary certificate: of intermediates."""
    ca_references: tuple[str, ...] = ()
    """Names of uploaded certificates: of roots. A group has these or signing certificates, not both."""
    etag: str = field(default_factory=new_etag)

    @property
    def is_enabled(self) -> bool:
        """Whether it lets devices in."""
        return bool(self.record["provisioningStatus"] == "enabled")


@dataclass
class Registration:
    """What the service remembers of a device it let in (DeviceRegistrationState)."""

    registration_id: str
    group_id: str
    device_id: str
    assigned_hub: str
    substatus: str
    created: datetime
    updated: datetime
    leaf_sha256: str
    etag: str = field(default_factory=new_etag)


@dataclass
class HubDevice:
    """A device identity of a hub. `leaf_sha256` was pinned when the device was registered; `etag` is bare here.

    `generation` tells it from another of the same id, before or after it. `status_updated` is None until the status was changed.
    """

    device_id: str
    hub: str
    leaf_sha256: str
    is_enabled: bool = True
    status_reason: str | None = None
    status_updated: datetime | None = None
    is_edge: bool = False
    etag: str = field(default_factory=new_etag)
    generation: str = field(default_factory=new_generation)
    twin: dict[str, Any] = field(default_factory=dict)
    telemetry: list[tuple[str, bytes]] = field(default_factory=list)
    """Topic and payload of each message."""


@dataclass
class IssuingPolicy:
    """A policy of Azure Device Registry: an issuing CA. `csr_der` is empty where none waits, `certificate_der` before there is one.

    `reads_until_active`: how often it is still shown as being worked on.
    """

    namespace: str
    name: str
    brings_own_root: bool
    leaf_days: int
    csr_der: bytes
    certificate_der: bytes = b""
    reads_until_active: int = 0


@dataclass
class DpsState:
    """One Device Provisioning Service, its linked hubs, and all they hold.

    `clock` is the service's own: every check of validity and every `Date` uses it (faults.clock_skew moves it).
    Keys: certificates, groups and hubs by name; registrations by registration id in lower case; operations give the
    registration id; devices by (hub, device id in lower case).
    """

    subscription_id: str = "00000000-0000-0000-0000-000000000000"
    resource_group: str = "simulator"
    service_name: str = "simulator-dps"
    id_scope: str = "0ne00SIMULA"
    hubs: list[str] = field(default_factory=lambda: ["127.0.0.2"])
    """Host names of the linked hubs."""
    disable_local_auth: bool = True
    shows_certificates: bool = True
    """Whether an enrollment group is given out with its certificates, or with their `info` alone: nobody could confirm which."""
    refuses_at_once: bool = True
    """Whether a device that is not let in hears 401 at once, or 202 and then a result `failed`: both were seen at the service."""
    explains_refusals: bool = True
    """Whether a device hears why it is not let in, or only what the service itself was seen to say."""
    clock: Callable[[], datetime] = utc_now
    certificates: dict[str, UploadedCertificate] = field(default_factory=dict)
    groups: dict[str, EnrollmentGroup] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)
    operations: dict[str, str] = field(default_factory=dict)
    failed_operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of those that failed: the result (DeviceRegistrationResult as JSON), by operation."""
    devices: dict[tuple[str, str], HubDevice] = field(default_factory=dict)
    namespaces: list[str] = field(default_factory=list)
    """Of Azure Device Registry."""
    policies: dict[str, IssuingPolicy] = field(default_factory=dict)
    """By NAMESPACE/POLICY in lower case."""
    registry_operations: dict[str, str] = field(default_factory=dict)
    """Of hand-overs to a policy: why it failed, "" where it did not, by operation."""
    refuses_chains: Literal["at-once", "as-error", "as-status"] = "at-once"
    """What a hand-over hears whose chain is not taken: 400; or 202, and the operation then answers 400, or 200 with the status Failed."""
    reads_until_active: int = 1
    """How often a policy is read after a hand-over before it says that it is active."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def remember_operation(self, operation_id: str, registration_id: str, failure: dict[str, Any] | None) -> None:
        """An operation that a device may ask about, and its result where it failed. The oldest one over MOST_OPERATIONS is forgotten."""
        self.operations[operation_id] = registration_id.lower()
        if failure is not None:
            self.failed_operations[operation_id] = failure
        if len(self.operations) > MOST_OPERATIONS:
            oldest = next(iter(self.operations))
            del self.operations[oldest]
            self.failed_operations.pop(oldest, None)

    def now(self) -> datetime:
        """The service's time."""
        return self.clock()

    def trust_anchors(self) -> list[bytes]:
        """DER of every CA certificate that may stand above a device: uploaded (verified or not) and of groups.

        TLS takes a device whose chain leads to any of them, so that a refusal comes from the rules, with a reason.
        """
        with self.lock:
            found = [uploaded.certificate_der for uploaded in self.certificates.values()]
            for group in self.groups.values():
                found.extend(group.signing_certificates)
            return list(dict.fromkeys(found))
