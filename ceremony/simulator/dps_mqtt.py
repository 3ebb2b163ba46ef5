"""The Device Provisioning Service over MQTT: registration topics, each the same as a request of the device API over HTTPS.

Topics are those of Microsoft's page "Communicate with DPS using the MQTT protocol". The device face answers; faults strike and
the log tells what happens here as the HTTPS request that means the same: `PUT …/register` and `GET …/operations/ID`.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import quote

from ceremony.simulator.device_https import DeviceFace
from ceremony.simulator.exchange import Exchange, Request, answer_to
from ceremony.simulator.faults import Faults
from ceremony.simulator.mqtt_packets import Connect, MqttError, Publish, Refusal
from ceremony.simulator.state import DpsState
from ceremony.simulator.topics import properties_of

_USER_NAME = re.compile(r"(?P<scope>[^/]+)/registrations/(?P<id>[^/]+)/api-version=(?P<version>[0-9A-Za-z.-]+)(&.*)?")
_TOPIC = re.compile(r"\$dps/registrations/(PUT/iotdps-register|GET/iotdps-get-operationstatus)/\?(.*)")


class DpsSession:
    """One device's connection. It says nothing of itself: the server hands it what came and sends what it returns."""

    filters: tuple[str, ...] = ("$dps/registrations/res/#",)

    def __init__(self, state: DpsState, faults: Faults, record: Callable[[Exchange], None], chain: tuple[bytes, ...]) -> None:
        """`chain` is what the device sent in the TLS handshake (DER, leaf first); `record` takes each exchange for the log."""
        self._state, self._faults, self._record, self._chain = state, faults, record, chain
        self._face = DeviceFace(state)
        self._registration_id = self._api_version = ""

    def connect(self, packet: Connect) -> Refusal:
        """Whether the user name names this service and the client id. Who may register is asked later, so that it hears why not."""
        named = _USER_NAME.fullmatch(packet.user_name or "")
        if named is None:
            return Refusal.USER_NAME
        if named["scope"] != self._state.id_scope:
            # azure-iot-sdk-python issue 670: an unknown id scope is answered so, and not with a refusal.
            return Refusal.SERVER_UNAVAILABLE
        if named["id"] != packet.client_id:
            return Refusal.NOT_AUTHORIZED
        self._registration_id, self._api_version = packet.client_id, named["version"]
        return Refusal.ACCEPTED

    def received(self, message: Publish) -> list[Publish]:
        """The answer to a request. Raises MqttError for a topic that is none of this service's, ConnectionAbortedError for a fault."""
        topic = _TOPIC.fullmatch(message.topic)
        if topic is None:
            raise MqttError("A message was sent to a topic that this service does not have.")
        properties = properties_of(topic[2])
        request = self._request(topic[1], properties.get("operationId", ""), message.payload)
        answer, exchange = answer_to(self._face, request, self._faults)
        self._record(exchange)
        if exchange.dropped:
            raise ConnectionAbortedError
        retry_after = answer.headers.get("Retry-After")
        told = "" if retry_after is None else f"&retry-after={retry_after}"
        return [Publish(f"$dps/registrations/res/{answer.status}/?$rid={properties['$rid']}{told}", json.dumps(answer.body).encode())]

    def _request(self, asked: str, operation_id: str, payload: bytes) -> Request:
        """The HTTPS request that means the same."""
        path = f"/{self._state.id_scope}/registrations/{quote(self._registration_id, safe='')}"
        query = {"api-version": self._api_version}
        if asked.startswith("PUT"):
            return Request("PUT", f"{path}/register", query, {}, payload, self._chain)
        return Request("GET", f"{path}/operations/{quote(operation_id, safe='')}", query, {}, b"", self._chain)
