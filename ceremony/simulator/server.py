"""The simulator: one service, its faces, and how to start and stop them."""

import errno
import secrets
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from ceremony.simulator.access import TOKEN_PREFIX
from ceremony.simulator.arm import ArmFace
from ceremony.simulator.device_https import DeviceFace
from ceremony.simulator.exchange import Exchange, Face, Log
from ceremony.simulator.faults import Faults
from ceremony.simulator.http_server import HttpsServer, is_loopback, refuse_other_than_loopback
from ceremony.simulator.hub_registry import HubFace
from ceremony.simulator.identity import make_identity
from ceremony.simulator.mqtt_server import MqttServer
from ceremony.simulator.service import ServiceFace
from ceremony.simulator.state import DpsState, utc_now
from ceremony.simulator.tls import device_context, server_context

_PORTS_TRIED = 10


class Simulator:
    """A Device Provisioning Service on this machine's loopback: `with Simulator(folder) as simulator: ...`.

    `folder` takes the simulator's own TLS files. Ports are free ones unless given. Inside the `with`:
    `arm_url` (https://HOST:PORT), `service_host` and `device_host` (HOST:PORT), `mqtt_host` (HOST:PORT; hubs have the same port),
    `hub_port` (of each hub's registry over HTTPS, at the hub's address; None when no hub can be reached), `ca_file` (what clients must
    trust), `token` (a bearer token that is taken), `state`, `faults`, `requests` (the log).
    The state's clock is moved by `faults.clock_skew`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        state: DpsState | None = None,
        host: str = "127.0.0.1",
        ports: tuple[int, int, int] = (0, 0, 0),
        mqtt_port: int = 0,
        hub_port: int = 0,
        keeps_all: bool = False,
    ) -> None:
        """`ports` are those of the control plane, the service API and the device API over HTTPS. Hubs listen where `state.hubs` says.

        `keeps_all`: `requests` is every request of its life, and not the newest alone.

        Raises CeremonyError SIMULATOR-NOT-LOOPBACK, OSError.
        """
        refuse_other_than_loopback(host)
        self.faults = Faults()
        self.state = state or DpsState()
        self.state.clock = lambda: utc_now() + self.faults.clock_skew
        self.log = Log(keeps_all=keeps_all)
        self.token = TOKEN_PREFIX + secrets.token_urlsafe(24)
        self.identity = make_identity(folder, [host, *filter(is_loopback, self.state.hubs)])
        self.ca_file = self.identity.ca_file
        arm, service = ArmFace(self.state, self.faults), ServiceFace(self.state, self.faults)
        anchors = self.state.trust_anchors
        bearers, devices = server_context(self.identity), device_context(self.identity, anchors)
        faces: list[tuple[Face, ssl.SSLContext]] = [(arm, bearers), (service, bearers), (DeviceFace(self.state), devices)]
        self._servers: list[HttpsServer | MqttServer] = []
        try:
            for port, (face, context) in zip(ports, faces, strict=True):
                self._servers.append(HttpsServer((host, port), face, self.state, self.faults, self.log, context))
            mqtt = MqttServer(self.state, self.faults, self.log.add, devices, host, mqtt_port)
            self._servers.append(mqtt)
            registries = self._registries(mqtt, bearers, hub_port)
            self._servers += registries
        except (OSError, OverflowError):
            self.stop()
            raise
        shown = f"[{host}]" if ":" in host else host
        addresses = [f"{shown}:{server.port}" for server in self._servers[: len(faces) + 1]]
        self.hub_port = registries[0].port if registries else None
        self.arm_url, self.service_host, self.device_host, self.mqtt_host = f"https://{addresses[0]}", *addresses[1:]
        arm.url, arm.service_host, arm.device_host = self.arm_url, self.service_host, self.device_host

    def _registries(self, mqtt: MqttServer, context: ssl.SSLContext, port: int) -> list[HttpsServer]:
        """The registry of each hub at its address, all at one port; for 0, one that is free at all of them. Raises OSError."""
        tries = 1 if port else _PORTS_TRIED
        while True:
            made: list[HttpsServer] = []
            try:
                for hub in mqtt.hubs:
                    face = HubFace(self.state, self.faults, hub, mqtt)
                    address = (hub, made[0].port if made else port)
                    made.append(HttpsServer(address, face, self.state, self.faults, self.log, context))
                return made
            except (OSError, OverflowError) as failed:
                for server in made:
                    server.stop()
                tries -= 1
                if not tries or not isinstance(failed, OSError) or failed.errno != errno.EADDRINUSE:
                    raise

    @property
    def requests(self) -> list[Exchange]:
        """The newest requests (all with `keeps_all`) and their answers; one over MQTT stands as the HTTPS request that means the same."""
        return self.log.exchanges

    def start(self) -> None:
        """Answers from now on, in threads of its own."""
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """Ends every connection and gives the ports back."""
        for server in self._servers:
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
