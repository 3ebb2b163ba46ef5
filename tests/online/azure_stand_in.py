"""Azure's own host names on loopback: a proxy that ends TLS for them, the simulator behind the managers, and an Entra ID of its own.

What runs against it is what runs against Azure: production settings, real credentials, real addresses. Only two variables of the
environment say otherwise: HTTPS_PROXY and REQUESTS_CA_BUNDLE.
"""

import base64
import json
import re
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ceremony.simulator.server import Simulator
from ceremony.simulator.state import utc_now
from tests.online.held_service import SERVICE, HeldService

TENANT, CLIENT = "99999999-8888-7777-6666-555555555555", "12121212-3434-5656-7878-909090909090"
SENTINEL = "simulator-SENTINELsentinelSENTINELsentinel"
"""How every token begins that is handed out. The simulator takes what begins with its first word."""
_AUTHORIZATION = re.compile(rb"(?im)^authorization: Bearer (\S+)\r?$")
NAMES = {
    "public": ("management.azure.com", "example-dps.azure-devices-provisioning.net", "login.microsoftonline.com"),
    "us-government": ("management.usgovcloudapi.net", "example-dps.azure-devices-provisioning.us", "login.microsoftonline.us"),
    "china": ("management.chinacloudapi.cn", "example-dps.azure-devices-provisioning.cn", "login.chinacloudapi.cn"),
}
"""Of each cloud: the manager, the service, Entra ID."""
_AZ = '''#!{python}
import json, sys, time
from urllib.parse import urlsplit

with open({asked!r}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
token = {sentinel!r} + "-" + urlsplit(sys.argv[sys.argv.index("--resource") + 1]).netloc
if {fails}:
    sys.exit({says!r})
print({says!r}.replace("TOKEN", token) or json.dumps({{"accessToken": token, "expires_on": int(time.time()) + 3600}}))
'''


def azure_cli(folder: Path, *, says: str = "", fails: bool = False) -> Path:
    """A program `az` in this folder that hands out tokens as Azure's own does; the file into which it writes what it is asked."""
    asked, program = folder / "asked", folder / "az"
    program.write_text(_AZ.format(python=sys.executable, asked=str(asked), sentinel=SENTINEL, says=says, fails=fails))
    program.chmod(0o700)
    return asked


def token_for(resource: str) -> str:
    """The token that is handed out for a scope or a resource: it says which."""
    return f"{SENTINEL}-{urlsplit(resource).netloc}"


def names_service_host(simulator: Simulator, host: str) -> None:
    """From now on the simulator says that enrollment groups are at this host."""
    arm: Any = simulator._servers[0]
    arm.face.service_host = host


class AzureStandIn:
    """The names of one cloud. `refusal` is what the authority answers in place of a token (RFC 6749, 5.2)."""

    def __init__(
        self, simulator: Simulator, folder: Path, *, manager: str, service_host: str, authority: str, hubs: Mapping[str, int]
    ) -> None:
        """`service_host` is what the simulator names from now on as the host for enrollment groups.

        `hubs` gives, by host name, the port of 127.0.0.1 at which a hub of the simulator has its registry.
        """
        self.manager, self.service_host, self.authority = manager, service_host, authority
        names_service_host(simulator, service_host)
        ports = [server.port for server in simulator._servers]
        self.behind = {manager: ports[0], service_host: ports[1], **hubs}
        self.refusal: Mapping[str, str] | None = None
        self.connected_to: list[str] = []
        """The host of every CONNECT."""
        self.bearers: set[tuple[str, str]] = set()
        """(host, token) of what was sent with a token."""
        self.device_scope = ""
        """What a device code was asked for."""
        self.grants: list[dict[str, str]] = []
        """The forms that were posted for a token, each with its path."""
        self.ca_file = folder / "stand-in-ca.pem"
        self.context = _server_context(self.ca_file, folder / "stand-in-server.pem", [*self.behind, authority])
        self.to_simulator = ssl.create_default_context(cafile=str(simulator.ca_file))
        # A ticket of TLS 1.3 looks like something to read, and is none.
        self.to_simulator.maximum_version = ssl.TLSVersion.TLSv1_2
        self._proxy = _Proxy(("127.0.0.1", 0), _Connection)
        self._proxy.there = self

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a process takes this for Azure."""
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self._proxy.server_address[1]}", "REQUESTS_CA_BUNDLE": str(self.ca_file)}

    def scopes(self) -> set[str]:
        """What tokens were asked for at the authority, without what OpenID adds."""
        return {scope for form in self.grants for scope in form.get("scope", "").split() if "/" in scope}

    def __enter__(self) -> Self:
        threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()


def stand_in(held: HeldService, bare: pytest.MonkeyPatch, cloud: str, hubs: Mapping[str, int] = MappingProxyType({})) -> AzureStandIn:
    """The names of this cloud lead to the simulator, and online.toml names that cloud and no simulator."""
    manager, service_host, authority = NAMES[cloud]
    there = AzureStandIn(held.simulator, held.folder, manager=manager, service_host=service_host, authority=authority, hubs=hubs)
    for name, value in there.environment.items():
        bare.setenv(name, value)
    held.toml.write_text(
        f'format = 1\nsubscription = "{held.state.subscription_id}"\nresource_group = "{held.state.resource_group}"\n'
        f'service = "{SERVICE}"\ncloud = "{cloud}"\n'
    )
    return there


class _Proxy(ThreadingTCPServer):
    daemon_threads, block_on_close = True, False
    there: AzureStandIn


class _Connection(StreamRequestHandler):
    """One CONNECT (RFC 9110, 9.3.6) and what follows it."""

    server: _Proxy

    def handle(self) -> None:
        there, line = self.server.there, self.rfile.readline().decode()
        while self.rfile.readline().strip():
            pass
        host = line.split()[1].rpartition(":")[0]
        there.connected_to.append(host)
        if host not in (*there.behind, there.authority):
            self.wfile.write(b"HTTP/1.1 502 Nobody Of That Name\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError), there.context.wrap_socket(self.request, server_side=True) as client:
            if host == there.authority:
                _Authority(client, self.client_address, self.server)
                return
            plain = socket.create_connection(("127.0.0.1", there.behind[host]))
            with there.to_simulator.wrap_socket(plain, server_hostname="127.0.0.1") as simulator:
                _relay(host, client, simulator, there.bearers)


def _relay(host: str, client: ssl.SSLSocket, simulator: ssl.SSLSocket, bearers: set[tuple[str, str]]) -> None:
    """Both ways until one side ends; a request's token is known before the request goes on."""
    other, sent = {client: simulator, simulator: client}, bytearray()
    while True:
        for source in [each for each in other if each.pending()] or select.select(list(other), [], [], 60)[0]:
            octets = source.recv(65536)
            if not octets:
                return
            if source is client:
                sent += octets
                bearers |= {(host, token.decode()) for token in _AUTHORIZATION.findall(sent)}
            other[source].sendall(octets)


class _Authority(BaseHTTPRequestHandler):
    """Entra ID, as far as azure-identity asks it: discovery, device codes, tokens."""

    protocol_version = "HTTP/1.1"
    server: _Proxy

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        host = self.server.there.authority
        if self.path.startswith("/common/discovery/instance"):
            names = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
            self._say(200, {"tenant_discovery_endpoint": f"https://{host}/{TENANT}/v2.0/.well-known", "metadata": [names]})
            return
        tenant = f"https://{host}/{self.path.split('/')[1]}"
        ends = {"token": "token", "device_authorization": "devicecode", "authorization": "authorize"}
        self._say(200, {f"{name}_endpoint": f"{tenant}/oauth2/v2.0/{path}" for name, path in ends.items()} | {"issuer": f"{tenant}/v2.0"})

    def do_POST(self) -> None:
        there = self.server.there
        octets = self.rfile.read(int(self.headers["Content-Length"]))
        form = {name: values[0] for name, values in parse_qs(octets.decode()).items()}
        if self.path.endswith("/devicecode"):
            there.device_scope = form["scope"]
            told = {"device_code": "device", "user_code": "ABC-\x1b[31mDEF", "verification_uri": "https://device.example"}
            self._say(200, {**told, "interval": 1, "expires_in": 900, "message": "…"})
            return
        there.grants.append({**form, "path": self.path})
        if there.refusal is not None:
            self._say(401 if there.refusal["error"] == "invalid_client" else 400, there.refusal)
            return
        asked = form.get("scope", there.device_scope)
        resource = next(scope for scope in asked.split() if "/" in scope)
        said: dict[str, Any] = {"token_type": "Bearer", "expires_in": 3600, "access_token": token_for(resource), "scope": asked}
        if "openid" in asked:
            said |= {"id_token": self._id_token(form["client_id"]), "refresh_token": f"{SENTINEL}-refresh"}
        self._say(200, said)

    def _id_token(self, client: str) -> str:
        now = int(time.time())
        issuer = f"https://{self.server.there.authority}/{TENANT}/v2.0"
        claims: dict[str, Any] = {"aud": client, "iss": issuer, "iat": now, "exp": now + 3600, "tid": TENANT}
        claims |= {"sub": "somebody", "oid": "somebody", "preferred_username": "operator@example.org"}
        parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."

    def _say(self, status: int, body: Mapping[str, Any]) -> None:
        octets = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)


def _server_context(ca_file: Path, server_file: Path, names: list[str]) -> ssl.SSLContext:
    """TLS for these names by a CA of this run."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in for Azure")])
    start = utc_now() - timedelta(days=1)
    end = start + timedelta(days=30)
    builder = x509.CertificateBuilder().issuer_name(ca_name).not_valid_before(start).not_valid_after(end)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = builder.subject_name(ca_name).public_key(ca_key.public_key()).serial_number(1)
    ca = ca.add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)
    leaf = builder.subject_name(x509.Name([])).public_key(key.public_key()).serial_number(2).add_extension(authority, False)
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), True)
    ca_file.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server_file.write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server_file)
    return context
