"""Which hub a device gets, and what becomes of its data when it registers again (Microsoft's page "Reprovisioning devices")."""

import copy
import hashlib
from datetime import datetime
from typing import Any

from ceremony.simulator.errors import Refused
from ceremony.simulator.state import DpsState, EnrollmentGroup, HubDevice, Registration

_UPDATE_AND_MIGRATE = {"updateHubAssignment": True, "migrateDeviceData": True}


def assign(state: DpsState, group: EnrollmentGroup, registration_id: str, leaf_sha256: str, now: datetime) -> Registration:
    """Gives the device to a hub, pins its leaf there, and remembers it as let in by `group`. Raises Refused 400 when no hub can be named.

    A device that is disabled at a hub stays so when it registers again for the same hub. The caller holds `state.lock`.
    """
    key = registration_id.lower()
    before = state.registrations.get(key)
    policy = group.record.get("reprovisionPolicy") or _UPDATE_AND_MIGRATE
    if before is None:
        hub, substatus, keeps_data = _allocated_hub(state, group, key), "initialAssignment", True
        old = state.devices.get((hub, key))
    else:
        hub, substatus, keeps_data = before.assigned_hub, before.substatus, True
        if policy["updateHubAssignment"] or hub not in state.hubs:
            hub, keeps_data = _allocated_hub(state, group, key), policy["migrateDeviceData"]
            substatus = _substatus(keeps_data, hub == before.assigned_hub)
        old = state.devices.pop((before.assigned_hub, key), None)
    is_edge = bool((group.record.get("capabilities") or {}).get("iotEdge"))
    device = HubDevice(registration_id, hub, leaf_sha256, is_edge=is_edge, twin=_initial_twin(group))
    if old is not None:
        if old.hub == hub:
            device.is_enabled, device.status_reason, device.status_updated = old.is_enabled, old.status_reason, old.status_updated
            device.generation = old.generation
        if keeps_data:
            device.twin, device.telemetry = old.twin, old.telemetry
    state.devices[hub, key] = device
    created = now if before is None else before.created
    registration = Registration(registration_id, group.group_id, registration_id, hub, substatus, created, now, leaf_sha256)
    state.registrations[key] = registration
    return registration


def _substatus(keeps_data: bool, is_the_same_hub: bool) -> str:
    if not keeps_data:
        return "deviceDataReset"
    return "reprovisionedToInitialAssignment" if is_the_same_hub else "deviceDataMigrated"


def _allocated_hub(state: DpsState, group: EnrollmentGroup, key: str) -> str:
    policy = group.record.get("allocationPolicy") or "hashed"
    named = group.record.get("iotHubs") or [name for name in (group.record.get("iotHubHostName"),) if name] or state.hubs
    linked = [hub for hub in named if hub in state.hubs]
    if not linked:
        raise Refused(400, 400000, "The enrollment group names no hub that is linked to this service.")
    if policy == "custom":
        raise Refused(400, 400000, "The simulator does not call the webhooks of custom allocation.")
    if policy == "static":
        return linked[0]
    # All hubs are on loopback, so the one of least latency ("geoLatency") is as good as any: spread evenly, as "hashed" does.
    return linked[int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % len(linked)]


def _initial_twin(group: EnrollmentGroup) -> dict[str, Any]:
    given = copy.deepcopy(group.record.get("initialTwin") or {})
    desired = (given.get("properties") or {}).get("desired") or {}
    return {"tags": given.get("tags") or {}, "properties": {"desired": {**desired, "$version": 1}, "reported": {"$version": 1}}}
