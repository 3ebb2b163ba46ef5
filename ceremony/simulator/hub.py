"""A small IoT Hub over MQTT: connect, twin, telemetry, by Microsoft's page "Communicate with an IoT hub using the MQTT protocol".
Its registry is hub_registry.py.

It takes subscriptions to messages from the cloud, direct methods and changes of desired properties, and never has any to deliver.
"""

import copy
import json
import re
from typing import Any

from ceremony.simulator.mqtt_packets import Connect, MqttError, Publish, Refusal
from ceremony.simulator.registration import refused_connection
from ceremony.simulator.state import DpsState, HubDevice
from ceremony.simulator.topics import properties_of

LARGEST_REPORTED = 32 * 1024
"""Bytes of a twin's reported properties as JSON."""
DEEPEST_TWIN = 10
"""Objects within each other in a twin's properties."""
MOST_TELEMETRY = 1000
"""Messages kept of one device; older ones make room."""
_USER_NAME = re.compile(r"(?P<hub>[^/]+)/(?P<device>[^/]+)/\?api-version=[0-9A-Za-z.-]+(&.*)?")
_TWIN = re.compile(r"\$iothub/twin/(GET|PATCH/properties/reported)/\?(.*)")


class HubSession:
    """One device's connection to one hub. It says nothing of itself: the server hands it what came and sends what it returns."""

    def __init__(self, state: DpsState, hub: str, chain: tuple[bytes, ...]) -> None:
        """`hub` is the host name under which devices are assigned to it; `chain` is what the device sent (DER, leaf first)."""
        self._state, self._hub, self._chain = state, hub, chain
        self._device_id = ""
        self.refused = ""
        """Why the device was not let in, in words."""

    @property
    def filters(self) -> tuple[str, ...]:
        """What this device may subscribe to."""
        below_device = f"devices/{self._device_id}/messages/devicebound/#"
        return ("$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#", below_device)

    def connect(self, packet: Connect) -> Refusal:
        """Whether the hub takes the device: it was registered for this hub with this leaf, and is not disabled."""
        named = _USER_NAME.fullmatch(packet.user_name or "")
        if named is None or named["hub"] != self._hub or named["device"] != packet.client_id:
            self.refused = "the user name does not name this hub and this device"
            return Refusal.USER_NAME
        self.refused = refused_connection(self._state, self._hub, packet.client_id, self._chain, self._state.now())
        if self.refused:
            return Refusal.NOT_AUTHORIZED
        self._device_id = packet.client_id
        return Refusal.ACCEPTED

    def received(self, message: Publish) -> list[Publish]:
        """The answers to a message.

        Raises MqttError for a topic that the hub does not have, ConnectionAbortedError when the device is no longer let in.
        """
        with self._state.lock:
            if refused_connection(self._state, self._hub, self._device_id, self._chain, self._state.now()):
                raise ConnectionAbortedError
            device = self._state.devices[self._hub, self._device_id.lower()]
            if message.topic.startswith(f"devices/{self._device_id}/messages/events/"):
                device.telemetry.append((message.topic, message.payload))
                del device.telemetry[:-MOST_TELEMETRY]
                return []
            twin = _TWIN.fullmatch(message.topic)
            if twin is None:
                raise MqttError("A message was sent to a topic that this hub does not have.")
            request_id = properties_of(twin[2])["$rid"]
            if twin[1] == "GET":
                return [_twin_answer(200, request_id, device.twin["properties"])]
            return [_patched(device, request_id, message.payload)]


def _twin_answer(status: int, request_id: str, body: dict[str, Any] | None, version: int | None = None) -> Publish:
    told = "" if version is None else f"&$version={version}"
    return Publish(f"$iothub/twin/res/{status}/?$rid={request_id}{told}", b"" if body is None else json.dumps(body).encode())


def _patched(device: HubDevice, request_id: str, payload: bytes) -> Publish:
    """Takes a change of the reported properties over as a whole, or refuses it and changes nothing."""
    before = device.twin["properties"]["reported"]
    try:
        patch = json.loads(payload, parse_constant=_refused_constant)
        if not isinstance(patch, dict) or any(name.startswith("$") for name in patch):
            raise ValueError("Reported properties are a JSON object without names that begin with $.")
        reported = _merged(before, patch, DEEPEST_TWIN)
        reported["$version"] = before["$version"] + 1
        if len(json.dumps(reported)) > LARGEST_REPORTED:
            raise ValueError(f"Reported properties are over {LARGEST_REPORTED} bytes.")
    except (ValueError, RecursionError) as broken:
        return _twin_answer(400, request_id, {"errorCode": 400004, "message": str(broken)})
    device.twin["properties"]["reported"] = reported
    return _twin_answer(204, request_id, None, reported["$version"])


def _refused_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON.")


def _merged(before: dict[str, Any], patch: dict[str, Any], depth: int) -> dict[str, Any]:
    """RFC 7396, as far as the service goes: null takes a property away, objects are merged, all else is replaced."""
    if not depth:
        raise ValueError(f"Properties lie more than {DEEPEST_TWIN} objects deep.")
    after = copy.deepcopy(before)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            held = after.get(name)
            after[name] = _merged(held if isinstance(held, dict) else {}, value, depth - 1)
        else:
            after[name] = value
    return after
