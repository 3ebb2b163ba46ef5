"""HTTPS for one face: TLS, faults, the log. Loopback only."""

import ipaddress
import json
import socket
import ssl
import sys
import threading
import time
import uuid
from contextlib import suppress
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from ceremony.errors import CeremonyError
from ceremony.simulator.errors import Refused
from ceremony.simulator.exchange import Answer, Face, Log, answer_to, request_of
from ceremony.simulator.faults import Faults
from ceremony.simulator.state import DpsState
from ceremony.simulator.tls import peer_chain

LARGEST_BODY = 1 << 20
IDLE_SECONDS = 60.0
"""A connection on which nothing comes for so long is closed."""


def is_loopback(host: str) -> bool:
    """Whether this is an address that only this machine reaches; a name is none."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_other_than_loopback(host: str) -> None:
    """Raises CeremonyError SIMULATOR-NOT-LOOPBACK for an address that others could reach, and for a name."""
    if not is_loopback(host):
        raise CeremonyError("SIMULATOR-NOT-LOOPBACK", f"The simulator does not listen on {host}.", state="Nothing was started.")


class HttpsServer(ThreadingHTTPServer):
    """One face on one port of a loopback address; a thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], face: Face, state: DpsState, faults: Faults, log: Log, context: ssl.SSLContext) -> None:
        """Binds and begins to listen. Raises CeremonyError SIMULATOR-NOT-LOOPBACK, OSError."""
        refuse_other_than_loopback(address[0])
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.face, self.state, self.faults, self.log, self._context = face, state, faults, log, context
        self._open: set[ssl.SSLSocket] = set()
        self._open_lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Binds; without the base class's search for a name of the address, which would ask a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Answers from now on, in threads of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ends every connection and gives the port back."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """One connection: the TLS handshake, then its requests. Runs in the connection's own thread."""
        request.settimeout(IDLE_SECONDS)
        try:
            connection = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return
        with self._open_lock:
            self._open.add(connection)
        try:
            _Handler(connection, client_address, self)
        finally:
            with self._open_lock:
                self._open.discard(connection)
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; anything else is a fault of the simulator and is told on stderr, as the base class does."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "root-ceremony-simulator", ""
    # Headers and body are two writes: without this the second may wait for the client's acknowledgement of the first.
    disable_nagle_algorithm = True
    server: HttpsServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: the log is `Log`."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """`Date` by the service's clock, which a fault may have moved."""
        return format_datetime(self.server.state.now(), usegmt=True)

    def _any(self) -> None:
        server = self.server
        body = self._body()
        if body is None:
            return
        time.sleep(server.faults.latency)
        try:
            request = request_of(self.command, self.path, dict(self.headers.items()), body, peer_chain(self.connection))
        except Refused as refused:
            self.close_connection = True
            self.send_error(refused.status, refused.message)
            return
        answer, exchange = answer_to(server.face, request, server.faults)
        server.log.add(exchange)
        if exchange.dropped:
            self.close_connection = True
        else:
            self._send(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _any

    def _body(self) -> bytes | None:
        """What was sent; None when its length is not told or too large, after saying so and closing."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.send_error(411)
        elif len(length) > len(str(LARGEST_BODY)) or int(length) > LARGEST_BODY:
            self.send_error(413)
        else:
            return self.rfile.read(int(length))
        self.close_connection = True
        return None

    def _send(self, answer: Answer) -> None:
        octets = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("x-ms-request-id", str(uuid.uuid4()))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.body is not None:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)
