"""The registry of one IoT hub: device identities, api-version 2021-04-12, on azure-core's pipeline.

Etags stand bare in its JSON and in quotes in If-Match, as recorded of the live service (Azure/azure-sdk-for-net, its recorded tests of
IoT Hub). A PUT replaces the identity, and one without `authentication` would give the device keys: what was read goes back, changed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from azure.core.credentials import TokenCredential

from ceremony.errors import CeremonyError
from ceremony.online.answered import Patience
from ceremony.online.azure_errors import HUB_ROLE, AzureFailure, odd_answer
from ceremony.online.clouds import CLOUDS, refuse_host_outside
from ceremony.online.config import OnlineConfig, is_loopback
from ceremony.online.rest import RestClient
from ceremony.pki.names import shown_text

API_VERSION = "2021-04-12"
LONGEST_REASON = 128
"""Characters of a status reason."""
# Microsoft's page "Understand the identity registry in your IoT hub"; dots alone would be another path.
_DEVICE_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9.%_*?!(),:=@$'+#-]{1,128}")
# RFC 9110, 8.8.3: what may stand between the quotes.
_ETAG = re.compile(r'"?([\x21\x23-\x7e]+)"?')
_READ_ONLY = (
    "etag", "generationId", "connectionState", "connectionStateUpdatedTime", "statusUpdatedTime", "lastActivityTime",
    "cloudToDeviceMessageCount",
)  # fmt: skip


@dataclass(frozen=True)
class DeviceIdentity:
    """A device of a hub. `etag` is bare; `record` is the hub's own JSON, which may hold keys: it is shown and kept nowhere."""

    device_id: str
    etag: str
    is_enabled: bool
    record: Mapping[str, Any] = field(repr=False)


class HubRegistry:
    """The devices of one hub. Every method raises AzureFailure; `watch.last` tells of the last call."""

    def __init__(self, config: OnlineConfig, host: str, credential: TokenCredential, patience: Patience) -> None:
        """`host` is a hub's name, without port.

        Raises AzureFailure AZURE-REFUSED for a host to which no token may go, CeremonyError ONLINE-CONFIG-MISSING where it is not said at
        which port the simulator has its hubs.
        """
        cloud = CLOUDS[config.cloud]
        if not config.is_simulator:
            refuse_host_outside(cloud.hub_domain, host)
            place = host
        elif not is_loopback(host):
            what = f"The simulator names {shown_text(host)}, which is not this machine: no token is sent there."
            raise AzureFailure("AZURE-REFUSED", what)
        elif config.hub_port is None:
            raise CeremonyError("ONLINE-CONFIG-MISSING", "It is not said at which port the simulator has its hubs: simulator.hub_port.")
        else:
            place = f"[{host}]:{config.hub_port}" if ":" in host else f"{host}:{config.hub_port}"
        self._rest = RestClient(config, place, credential, patience, scope=cloud.hub_scope, api_version=API_VERSION, role=HUB_ROLE)
        self.watch, self._host = self._rest.watch, host

    def close(self) -> None:
        """Ends the connections."""
        self._rest.close()

    def device(self, device_id: str) -> DeviceIdentity | None:
        """The device of this id, as it is now; None when the hub says that it has none."""
        doing = f"reading the device {device_id} at {self._host}"
        try:
            record = self._rest.json(doing, "GET", _path(device_id))
        except AzureFailure as failed:
            if failed.status == 404 and failed.number == "DeviceNotFound":
                return None
            raise
        return _identity(record, device_id, doing)

    def disable(self, device: DeviceIdentity, reason: str) -> DeviceIdentity:
        """Puts the device back disabled, in the place of what was read, all else as it was. The hub ends its connection.

        `reason` is cut to 128 characters. What the hub made of it is its answer.
        """
        changed = {key: value for key, value in device.record.items() if key not in _READ_ONLY}
        changed |= {"status": "disabled", "statusReason": reason[:LONGEST_REASON]}
        doing, etag = f"disabling the device {device.device_id} at {self._host}", f'"{device.etag}"'
        answer = self._rest.json(doing, "PUT", _path(device.device_id), etag=etag, body=changed)
        return _identity(answer, device.device_id, doing)


def _identity(record: Any, device_id: str, doing: str) -> DeviceIdentity:
    """An etag that is not told must not go out as `""`: with it a hub makes a new device."""
    etag = _ETAG.fullmatch(str(record.get("etag") or "")) if isinstance(record, dict) else None
    if etag is None or record.get("deviceId") != device_id:
        raise odd_answer(doing)
    return DeviceIdentity(device_id, etag[1], record.get("status") != "disabled", record)


def _path(device_id: str) -> str:
    if not _DEVICE_ID.fullmatch(device_id):
        raise AzureFailure("AZURE-REFUSED", f"{shown_text(device_id)} is no name that a hub's device may have: nothing was sent for it.")
    return f"/devices/{quote(device_id, safe='')}"
