"""First inputs that no rehearsal leaves behind: what the online side, the simulator, a device and a factory keep."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ceremony.canonical import canonical_json
from ceremony.device.cache import Registration as Cached
from ceremony.online.plan import Action, Pin, Plan, PlannedBundle, PlannedService, plan_bytes
from ceremony.online.receipts import NO_BUNDLE, Kind, Receipt
from ceremony.simulator.state import DpsState, EnrollmentGroup, HubDevice, IssuingPolicy, Registration, UploadedCertificate
from ceremony.simulator.state_file import encoded
from tests.factory.given import factory_in_file
from tests.factory.issuing import certify
from tests.factory.made_up import Root
from tests.simulator.chains import device, intermediate, root

_DIGEST, _THEN = "5" * 64, datetime(2026, 11, 24, 9, tzinfo=UTC)


def plan() -> bytes:
    """A group to be made."""
    group = {"attestation": {"type": "x509"}, "provisioningStatus": "enabled"}
    action = Action("+", "group", "alpha.1", "the group alpha.1", Pin("intermediates/alpha.1.cert.pem", _DIGEST), None, settings=group)
    world: dict[str, dict[str, Any]] = {"certificates": {"example-root-g1": {"etag": "AA=", "verified": True}}, "groups": {}}
    bundle = PlannedBundle("/media/bundle", _DIGEST, _DIGEST, "f" * 32, 2, True)
    service = PlannedService("00000000-0000-0000-0000-000000000000", "group", "example-dps", "public", None)
    return plan_bytes(Plan(1, "2026-11-24T09:00:00Z", bundle, service, world, (action,), ("a note",)))


def receipts() -> bytes:
    """Three lines and a torn one."""
    lines: list[Receipt] = []
    done: tuple[tuple[Kind, dict[str, Any]], ...] = (
        ("certificate-uploaded", {"name": "r", "status": 201}), ("code-issued", {"verification_code": "4F2A"}), ("group-made", {})
    )  # fmt: skip
    for kind, data in done:
        lines.append(Receipt(len(lines) + 1, "2026-11-24T09:00:00Z", kind, data, lines[-1].sha256 if lines else NO_BUNDLE))
    return b"".join(line.octets for line in lines) + b'{"data"'


def simulator_state() -> bytes:
    """One of each thing that is kept."""
    state = DpsState()
    state.certificates["r"] = UploadedCertificate("r", root().der, True, _THEN, _THEN, verification_code="4F2A")
    state.groups["alpha.1"] = EnrollmentGroup("alpha.1", {"provisioningStatus": "enabled"}, _THEN, _THEN, (intermediate("A").der,))
    state.registrations["d"] = Registration("d", "alpha.1", "d", state.hubs[0], "initialAssignment", _THEN, _THEN, _DIGEST)
    state.devices[state.hubs[0], "d"] = HubDevice("d", state.hubs[0], _DIGEST, status_updated=_THEN)
    state.namespaces.append("namespace")
    state.policies["namespace/policy"] = IssuingPolicy("namespace", "policy", True, 30, b"\x30\x00")
    return encoded(state)


def device_cache() -> bytes:
    """What a device remembers."""
    cached = Cached("host.example", "0ne00000000", "d-1", "hub.example", "d-1", "initialAssignment", _DIGEST, "2026-11-24T09:00:00Z")
    return canonical_json(cached.as_json()) + b"\n"


DPS_ANSWERS = (
    b'{"operationId":"5.0","status":"assigning"}',
    b'{"operationId":"5.0","status":"assigned","registrationState":{"registrationId":"d-1","assignedHub":"hub.example","deviceId":"d-1",'
    b'"status":"assigned","substatus":"initialAssignment","createdDateTimeUtc":"2026-11-24T09:00:00Z","etag":"IjAi"}}',
    b'{"status":"failed","registrationState":{"errorCode":400209,"errorMessage":"no","lastUpdatedDateTimeUtc":"2026-11-24T09:00:00.1Z"}}',
    b'{"errorCode":401002,"trackingId":"1-2","message":"Unauthorized","timestampUtc":"2026-11-24T09:00:00Z"}',
)
"""Answers of the provisioning service to a registration (device API, version 2021-06-01)."""


@cache
def device_chain() -> tuple[bytes, ...]:
    """Certificates as a device sends them, and alone."""
    leaf = device("d-1", intermediate("A"))
    return (f"{leaf.pem}{intermediate('A').pem}".encode(), leaf.pem.encode())


ID_LISTS = (b"dev-1\ndev-2\n", b'\xef\xbb\xbfregistration_id;line\r\ndev-1;"a ""b"""\r\ndev-2;\r\n', b"id\nx\n", "dev-æ\n\n".encode())
"""A list, CSV with a mark, a column alone, and what is refused."""


def factory_folder(place: Path) -> Path:
    """An accepted intermediate with its key in a file."""
    return certify(factory_in_file(place), Root()).factory.folder
