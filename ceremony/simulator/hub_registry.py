"""A hub's registry of devices, the part that disabling needs: `GET` and `PUT /devices/{id}` of its service API, version 2021-04-12.

Microsoft's page "Understand the identity registry in your IoT hub"; forms of answers and refusals as recorded of the live service
(Azure/azure-sdk-for-net, its recorded tests of IoT Hub). Devices come into the registry by the provisioning service alone.
"""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from ceremony.simulator.access import require_token
from ceremony.simulator.errors import Refused, hub_body
from ceremony.simulator.exchange import Answer, Request
from ceremony.simulator.faults import Faults
from ceremony.simulator.shapes import STRING, Shape, one_of, problems
from ceremony.simulator.state import DpsState, HubDevice, date_time, new_etag

VERSION = "2021-04-12"
LONGEST_REASON = 128
"""Characters of a status reason."""
_NEVER = "0001-01-01T00:00:00Z"
"""How a hub writes a time that has not come yet."""
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{64}")
_DEVICE = Shape(
    members={
        "deviceId": STRING,
        "status": one_of("enabled", "disabled"),
        "authentication": Shape(
            members={"type": one_of("selfSigned"), "x509Thumbprint": Shape(members={"primaryThumbprint": STRING})},
            required=("type", "x509Thumbprint"),
        ),
        "capabilities": Shape(members={"iotEdge": Shape(bool)}),
    },
    required=("deviceId", "authentication"),
)
_NAMES = {
    400001: "InvalidProtocolVersion",
    400004: "ArgumentInvalid",
    404001: "DeviceNotFound",
    409001: "DeviceAlreadyExists",
    412002: "PreconditionFailed",
    429001: "ThrottlingException",
}
"""The names by which the live service calls errors: a hub tells these, and no numbers."""


class Connections(Protocol):
    """The devices that are connected to hubs."""

    def is_open(self, hub: str, device_id: str) -> bool:
        """Whether this device is connected to this hub now."""

    def drop(self, hub: str, device_id: str) -> None:
        """Ends the connection of this device to this hub, if there is one."""


class HubFace:
    """The registry of one hub."""

    name = "hub"

    def __init__(self, state: DpsState, faults: Faults, hub: str, connections: Connections) -> None:
        """`hub` is the host name under which devices are assigned to it."""
        self._state, self._faults, self._hub, self._connections = state, faults, hub, connections

    def answer(self, request: Request) -> Answer:
        """One call. Raises Refused."""
        require_token(request, self._faults)
        if request.query.get("api-version") != VERSION:
            raise Refused(400, 400001, f"api-version must be {VERSION}.")
        with self._state.lock:
            match request.method, request.segments():
                case "GET", ["devices", device_id]:
                    return self._shown(self._existing(device_id))
                case "PUT", ["devices", device_id]:
                    return self._shown(self._put(device_id, request))
        raise Refused(404, 404000, f"There is no {request.method} {request.path}.")

    def refusal(self, refused: Refused, request: Request) -> Answer:
        """In the registry's form, the error's name also in a header. A missing role is 401 here, as reported of the live service."""
        status = refused.status
        name = _NAMES.get(refused.number) or "".join(HTTPStatus(status).phrase.split())
        if status == 401:
            name = "IotHubUnauthorizedAccess"
        elif status == 403:
            status, name = 401, "IotHubUnauthorized"
            said = f"Principal simulated-operator is not authorized for {request.method} on {request.path} due to no assigned permissions"
            refused = Refused(status, refused.number, said)
        return Answer(status, hub_body(refused, name, self._state.now()), {"iothub-errorcode": name})

    def _existing(self, device_id: str) -> HubDevice:
        device = self._state.devices.get((self._hub, device_id.lower()))
        if device is None or device.device_id != device_id:
            raise Refused(404, 404001, device_id)
        return device

    def _put(self, device_id: str, request: Request) -> HubDevice:
        """Puts the whole of a device's identity in the place of the one that is there. Raises Refused."""
        device, if_match = self._existing(device_id), request.headers.get("if-match")
        if if_match is None:
            raise Refused(409, 409001, f"A device with ID '{device_id}' is already registered.")
        if if_match not in (f'"{device.etag}"', "*", '"*"'):
            raise Refused(412, 412002, "Precondition failed: Device version did not match")
        body = request.json()
        wrong = problems(body, _DEVICE)
        if wrong or body["deviceId"] != device_id:
            raise Refused(400, 400004, f"Invalid device: {'; '.join(wrong) or 'deviceId is not that of the path'}.")
        thumbprint, reason = body["authentication"]["x509Thumbprint"].get("primaryThumbprint", ""), body.get("statusReason")
        if not _THUMBPRINT.fullmatch(thumbprint):
            raise Refused(400, 400004, "Invalid device: the simulator holds devices by the SHA-256 of their certificate alone.")
        if not (reason is None or (isinstance(reason, str) and len(reason) <= LONGEST_REASON)):
            raise Refused(400, 400004, f"Invalid device: statusReason is no text of at most {LONGEST_REASON} characters.")
        is_enabled = body.get("status", "enabled") == "enabled"
        if is_enabled != device.is_enabled:
            device.status_updated = self._state.now()
        device.is_enabled, device.status_reason, device.leaf_sha256 = is_enabled, reason, thumbprint.lower()
        device.is_edge = body.get("capabilities", {}).get("iotEdge", False)
        device.etag = new_etag()
        if not is_enabled:
            self._connections.drop(self._hub, device_id)
        return device

    def _shown(self, device: HubDevice) -> Answer:
        """Device. Nothing is kept of the times of connections; a leaf's digest stands in both places, as users report of devices of DPS."""
        thumbprint = device.leaf_sha256.upper()
        body: dict[str, Any] = {
            "deviceId": device.device_id,
            "generationId": device.generation,
            "etag": device.etag,
            "connectionState": "Connected" if self._connections.is_open(self._hub, device.device_id) else "Disconnected",
            "status": "enabled" if device.is_enabled else "disabled",
            "statusReason": device.status_reason,
            "connectionStateUpdatedTime": _NEVER,
            "statusUpdatedTime": _time(device.status_updated),
            "lastActivityTime": _NEVER,
            "cloudToDeviceMessageCount": 0,
            "authentication": {
                "symmetricKey": {"primaryKey": None, "secondaryKey": None},
                "x509Thumbprint": {"primaryThumbprint": thumbprint, "secondaryThumbprint": thumbprint},
                "type": "selfSigned",
            },
            "capabilities": {"iotEdge": device.is_edge},
        }
        return Answer(200, body, {"ETag": f'"{device.etag}"'})


def _time(moment: datetime | None) -> str:
    return _NEVER if moment is None else date_time(moment)
