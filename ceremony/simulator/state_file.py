"""The simulator's state in a file, when it is asked to keep it: JSON, written whole or not at all."""

import threading
from pathlib import Path

import msgspec

from ceremony.errors import CeremonyError
from ceremony.simulator.state import DpsState, EnrollmentGroup, HubDevice, IssuingPolicy, Registration, UploadedCertificate


class Kept(msgspec.Struct, forbid_unknown_fields=True):
    """What is kept. Operations under way are not: a device asks again."""

    format: int
    subscription_id: str
    resource_group: str
    service_name: str
    id_scope: str
    hubs: list[str]
    disable_local_auth: bool
    certificates: list[UploadedCertificate]
    groups: list[EnrollmentGroup]
    registrations: list[Registration]
    devices: list[HubDevice]
    namespaces: list[str] = []
    policies: list[IssuingPolicy] = []


def encoded(state: DpsState) -> bytes:
    """The state as JSON; the same state gives the same bytes."""
    with state.lock:
        kept = Kept(
            format=1,
            subscription_id=state.subscription_id,
            resource_group=state.resource_group,
            service_name=state.service_name,
            id_scope=state.id_scope,
            hubs=state.hubs,
            disable_local_auth=state.disable_local_auth,
            certificates=list(state.certificates.values()),
            groups=list(state.groups.values()),
            registrations=list(state.registrations.values()),
            devices=list(state.devices.values()),
            namespaces=state.namespaces,
            policies=list(state.policies.values()),
        )
        return msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"


def decoded(octets: bytes) -> DpsState:
    """The state that such JSON tells. Raises CeremonyError SIMULATOR-STATE."""
    try:
        kept = msgspec.json.decode(octets, type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise CeremonyError("SIMULATOR-STATE", f"The state file is not one: {broken}.") from broken
    if kept.format != 1:
        raise CeremonyError("SIMULATOR-STATE", f"The state file has the format {kept.format}; this version knows 1.")
    return DpsState(
        subscription_id=kept.subscription_id,
        resource_group=kept.resource_group,
        service_name=kept.service_name,
        id_scope=kept.id_scope,
        hubs=kept.hubs,
        disable_local_auth=kept.disable_local_auth,
        certificates={found.name: found for found in kept.certificates},
        groups={found.group_id: found for found in kept.groups},
        registrations={found.registration_id.lower(): found for found in kept.registrations},
        devices={(found.hub, found.device_id.lower()): found for found in kept.devices},
        namespaces=kept.namespaces,
        policies={f"{found.namespace}/{found.name.lower()}": found for found in kept.policies},
    )


def load(path: Path) -> DpsState:
    """The state in this file; a new one when there is no file. Raises CeremonyError SIMULATOR-STATE."""
    try:
        return decoded(path.read_bytes())
    except FileNotFoundError:
        return DpsState()
    except OSError as failed:
        raise CeremonyError("SIMULATOR-STATE", f"The state file {path} could not be read: {failed.strerror}.") from failed


class KeptIn:
    """A state and its file. `save` may be called from any thread."""

    def __init__(self, path: Path, state: DpsState) -> None:
        self._path, self._state = path, state
        self._lock = threading.Lock()
        self._written = b""

    def save(self) -> None:
        """Writes the file, in place of the one before, if the state is not what was written last.

        Raises CeremonyError SIMULATOR-STATE.
        """
        beside = self._path.with_name(self._path.name + ".partial")
        with self._lock:
            octets = encoded(self._state)
            if octets == self._written:
                return
            try:
                beside.write_bytes(octets)
                beside.replace(self._path)
            except OSError as failed:
                raise CeremonyError("SIMULATOR-STATE", f"The state file {self._path} could not be written: {failed.strerror}.") from failed
            self._written = octets
