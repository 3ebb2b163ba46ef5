"""A small MQTT client for the tests: a blocking socket on the simulator's own packets, and what a device does with it."""

import json
import socket
import ssl
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ceremony.simulator.mqtt import Reader, encode
from ceremony.simulator.mqtt_packets import Connack, Connect, Packet, Puback, Publish, Refusal, Suback, Subscribe

SCOPE = "0ne00SIMULA"
HUB = "127.0.0.2"


def context_of(ca_file: Path, files: tuple[Path, Path] | None) -> ssl.SSLContext:
    """As a device has it: the simulator's TLS root, and chain and key of its own."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if files is not None:
        context.load_cert_chain(*files)
    return context


class Client:
    """One TLS connection. `receive` gives the next packet, None when the other side has ended it."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        raw = socket.create_connection((host, port), timeout=10)
        try:
            self.socket = context.wrap_socket(raw, server_hostname=host, session=session)
        except OSError:
            raw.close()
            raise
        self._reader, self._waiting = Reader(), deque[Packet]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def send(self, *packets: Packet) -> None:
        self.socket.sendall(b"".join(encode(packet) for packet in packets))

    def receive(self) -> Packet | None:
        while not self._waiting:
            try:
                octets = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return None
            if not octets:
                return None
            self._waiting.extend(self._reader.feed(octets))
        return self._waiting.popleft()

    def connect(self, client_id: str, user_name: str | None, **details: Any) -> Refusal:
        self.send(Connect(client_id, user_name, **details))
        answer = self.receive()
        assert isinstance(answer, Connack)
        return answer.refusal

    def subscribe(self, *names: str) -> tuple[int, ...]:
        self.send(Subscribe(1, tuple((name, 1) for name in names)))
        answer = self.receive()
        assert isinstance(answer, Suback)
        return answer.codes

    def ask(self, topic: str, body: Any = None) -> tuple[str, Any]:
        """Sends a request (quality of service 1) and gives the answer's topic and body; "" when the connection was ended."""
        self.send(Publish(topic, b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(), 7))
        while (packet := self.receive()) is not None:
            if isinstance(packet, Publish):
                return packet.topic, json.loads(packet.payload) if packet.payload else None
            assert packet == Puback(7)
        return "", None


def dps(client: Client, name: str) -> None:
    """Connects as a device to the provisioning service."""
    assert client.connect(name, f"{SCOPE}/registrations/{name}/api-version=2019-03-31&ClientVersion=test") is Refusal.ACCEPTED
    assert client.subscribe("$dps/registrations/res/#") == (1,)


def register(client: Client, name: str) -> tuple[str, Any]:
    """Asks to be registered; gives the topic and body of the answer."""
    return client.ask("$dps/registrations/PUT/iotdps-register/?$rid=1", {"registrationId": name})


def status(client: Client, operation_id: str) -> tuple[str, Any]:
    """Asks how the registration stands."""
    return client.ask(f"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={operation_id}")


def hub(client: Client, name: str) -> Refusal:
    """Connects as a device to its hub."""
    return client.connect(name, f"{HUB}/{name}/?api-version=2019-10-01&DeviceClientType=test")
