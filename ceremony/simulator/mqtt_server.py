"""MQTT over TLS for devices: one asyncio thread, one listener for the provisioning service and one for each hub. Loopback only.

What a service answers is its session's; here are the connection's own rules: CONNECT first and once, keep-alive, subscriptions,
acknowledgements, one connection for a client id.
"""

import asyncio
import errno
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ceremony.simulator.dps_mqtt import DpsSession
from ceremony.simulator.exchange import Exchange
from ceremony.simulator.faults import Faults
from ceremony.simulator.http_server import is_loopback, refuse_other_than_loopback
from ceremony.simulator.hub import HubSession
from ceremony.simulator.mqtt import Reader, encode
from ceremony.simulator.mqtt_packets import (
    FAILURE,
    Connack,
    Connect,
    Disconnect,
    MqttError,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Refusal,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from ceremony.simulator.state import DpsState
from ceremony.simulator.tls import peer_chain

HANDSHAKE_SECONDS = 10.0
FIRST_PACKET_SECONDS = 10.0
"""How long a connection may be silent before CONNECT, and how long a client may not read what is sent to it."""
MOST_CONNECTIONS = 1000
"""Open connections of one listener; the next is closed at once."""
_PORTS_TRIED = 10


class Session(Protocol):
    """What one service says on one connection, without input or output of its own."""

    @property
    def filters(self) -> tuple[str, ...]:
        """The topic filters that a device may subscribe to, each ending in `/#`."""

    def connect(self, packet: Connect) -> Refusal:
        """Whether the service takes the client."""

    def received(self, message: Publish) -> list[Publish]:
        """The answers to a message. Raises MqttError or ConnectionAbortedError when the connection is to be closed."""


@dataclass
class _Listener:
    """One address, and the clients on it."""

    host: str
    socket: socket.socket
    new_session: Callable[[tuple[bytes, ...]], Session]
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    clients: dict[str, asyncio.StreamWriter] = field(default_factory=dict)


class MqttServer:
    """The device side over MQTT. The provisioning service listens on `host`, each hub of `state.hubs` on the address that it is named by.

    All have one port, as devices expect it (8883 at the real services). Nothing listens for a hub that is not named by a loopback
    address of its own: devices are assigned to it, and do not reach it. `hubs` are those that can be reached.
    """

    def __init__(
        self,
        state: DpsState,
        faults: Faults,
        record: Callable[[Exchange], None],
        context: ssl.SSLContext,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Binds and begins to listen; `port` 0 is a free one. Raises CeremonyError SIMULATOR-NOT-LOOPBACK, OSError."""
        self._context, self._faults = context, faults
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulator-mqtt", daemon=True)
        refuse_other_than_loopback(host)
        self.hubs = [hub for hub in state.hubs if hub != host and is_loopback(hub)]
        sockets = _bound([host, *self.hubs], port)
        self.port: int = sockets[0].getsockname()[1]
        self._listeners = [_Listener(host, sockets[0], partial(DpsSession, state, faults, record))]
        for hub, bound in zip(self.hubs, sockets[1:], strict=True):
            self._listeners.append(_Listener(hub, bound, partial(HubSession, state, hub)))
        self._at_hub = dict(zip(self.hubs, self._listeners[1:], strict=True))

    def start(self) -> None:
        """Answers from now on, in a thread of its own."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Ends every connection and gives the port back."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
        for listener in self._listeners:
            listener.socket.close()

    def is_open(self, hub: str, device_id: str) -> bool:
        """Whether this device is connected to this hub now. May be called from any thread."""
        return device_id in self._at_hub[hub].clients

    def drop(self, hub: str, device_id: str) -> None:
        """Ends the connection of this device to this hub, if there is one. May be called from any thread, and does not wait."""
        if self._loop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has ended between the look and the call
                self._loop.call_soon_threadsafe(self._abort, self._at_hub[hub], device_id)

    @staticmethod
    def _abort(listener: _Listener, device_id: str) -> None:
        writer = listener.clients.get(device_id)
        if writer is not None:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        try:
            servers = [await self._listen(listener) for listener in self._listeners]
        finally:
            self._ready.set()
        await self._end.wait()
        for server in servers:
            server.close()
        tasks = [task for listener in self._listeners for task in listener.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, listener: _Listener) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is None or len(listener.tasks) >= MOST_CONNECTIONS:
                writer.transport.abort()
                return
            listener.tasks.add(task)
            try:
                await _Connection(listener, self._faults, reader, writer).run()
            finally:
                listener.tasks.discard(task)

        return await asyncio.start_server(
            connected, sock=listener.socket, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS, ssl_shutdown_timeout=1.0
        )


class _Connection:
    """One client from TLS on to its end."""

    def __init__(self, listener: _Listener, faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._listener, self._faults, self._stream, self._writer = listener, faults, reader, writer
        self._session = listener.new_session(peer_chain(writer.get_extra_info("ssl_object")))
        self._client_id: str | None = None
        self._subscribed: set[str] = set()
        self._silence: float | None = FIRST_PACKET_SECONDS

    async def run(self) -> None:
        """Until the client goes, is silent for too long, says what is not MQTT, or the session ends it."""
        try:
            await self._packets()
        except (MqttError, OSError):
            pass  # 4.8: there is no way to tell a client of MQTT 3.1.1 why; the connection just ends.
        finally:
            if self._client_id is not None and self._listener.clients.get(self._client_id) is self._writer:
                del self._listener.clients[self._client_id]
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _packets(self) -> None:
        reader, loop = Reader(), asyncio.get_running_loop()
        deadline = self._deadline(loop)
        while True:
            async with asyncio.timeout_at(deadline):
                octets = await self._stream.read(65536)
            if not octets:
                return
            for packet in reader.feed(octets):
                await asyncio.sleep(self._faults.latency)
                goes_on = self._take(packet)
                async with asyncio.timeout(FIRST_PACKET_SECONDS):
                    await self._writer.drain()
                if not goes_on:
                    return
                deadline = self._deadline(loop)

    def _deadline(self, loop: asyncio.AbstractEventLoop) -> float | None:
        return None if self._silence is None else loop.time() + self._silence

    def _take(self, packet: Packet) -> bool:
        """Does what one packet asks for. False ends the connection."""
        if (self._client_id is None) != isinstance(packet, Connect):
            raise MqttError("CONNECT comes first, and once.")
        match packet:
            case Connect():
                return self._connect(packet)
            case Publish():
                answers = self._session.received(packet)
                if packet.packet_id is not None:
                    self._send(Puback(packet.packet_id))
                for answer in answers:
                    if any(answer.topic.startswith(name.removesuffix("#")) for name in self._subscribed):
                        self._send(answer)
            case Subscribe(packet_id, filters):
                granted = [(name, min(quality, 1)) if name in self._session.filters else (name, FAILURE) for name, quality in filters]
                self._subscribed.update(name for name, code in granted if code != FAILURE)
                self._send(Suback(packet_id, tuple(code for _, code in granted)))
            case Unsubscribe(packet_id, names):
                self._subscribed.difference_update(names)
                self._send(Unsuback(packet_id))
            case Pingreq():
                self._send(Pingresp())
            case Puback():
                pass
            case Disconnect():
                return False
            case _:
                raise MqttError("A client sent what only a server sends.")
        return True

    def _connect(self, packet: Connect) -> bool:
        if packet.level != 4:
            refusal = Refusal.PROTOCOL_VERSION
        elif not packet.client_id:
            refusal = Refusal.CLIENT_ID
        else:
            refusal = self._session.connect(packet)
        self._send(Connack(refusal))
        if refusal is not Refusal.ACCEPTED:
            return False
        self._client_id = packet.client_id
        # 3.1.2.10: one and a half times the keep-alive; 0 turns it off.
        self._silence = packet.keep_alive * 1.5 or None
        # 3.1.4: a client id that connects again ends its older connection.
        older = self._listener.clients.get(packet.client_id)
        if older is not None:
            older.transport.abort()
        self._listener.clients[packet.client_id] = self._writer
        return True

    def _send(self, packet: Packet) -> None:
        self._writer.write(encode(packet))


def _bound(hosts: list[str], port: int) -> list[socket.socket]:
    """A listening socket on each host, all with one port; for 0, one that is free on all of them. Raises OSError."""
    tries = 1 if port else _PORTS_TRIED
    while True:
        try:
            return _bound_once(hosts, port)
        except OSError as failed:
            tries -= 1
            if not tries or failed.errno != errno.EADDRINUSE:
                raise


def _bound_once(hosts: list[str], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sockets.append(socket.create_server((host, port), family=family))
            port = sockets[0].getsockname()[1]
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets
