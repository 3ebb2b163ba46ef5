"""Plain HTTPS calls to the simulator, without any SDK in between."""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ceremony.simulator.server import Simulator
from tests.simulator.chains import Issued, issue, root

CERTIFICATES = "/certificates"
VERSIONS = {"arm": "2026-11-01", "service": "2021-10-01", "device": "2021-10-01", "hub": "2021-04-12"}


class Said(NamedTuple):
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def number(self) -> int:
        """The service's error number, of either form."""
        return int(self.body["errorCode" if "errorCode" in self.body else "code"])


class Caller:
    """Calls one simulator; `token` and `version` may be changed to be wrong."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.token: str | None = simulator.token
        self.version: str | None = None

    def arm(self, method: str, below: str, body: Any = None, etag: str | None = None) -> Said:
        state = self.simulator.state
        base = f"/subscriptions/{state.subscription_id}/resourceGroups/{state.resource_group}/providers/Microsoft.Devices"
        path = f"{base}/provisioningServices/{state.service_name}{below}"
        return self.call("arm", urlsplit(self.simulator.arm_url).netloc, method, path, body, {"If-Match": etag} if etag else {})

    def service(self, method: str, path: str, body: Any = None, etag: str | None = None, **headers: str) -> Said:
        given = {name.replace("_", "-"): value for name, value in headers.items()} | ({"If-Match": etag} if etag else {})
        return self.call("service", self.simulator.service_host, method, path, body, given)

    def device(self, method: str, below: str, files: tuple[Path, Path], body: Any = None, scope: str | None = None) -> Said:
        path = f"/{scope or self.simulator.state.id_scope}/registrations/{below}"
        return self.call("device", self.simulator.device_host, method, path, body, {}, files)

    def hub(self, method: str, device_id: str, body: Any = None, etag: str | None = None, hub: str = "127.0.0.2") -> Said:
        """Calls the registry of a hub; `etag` goes into If-Match as it is."""
        host = f"{hub}:{self.simulator.hub_port}"
        return self.call("hub", host, method, f"/devices/{device_id}", body, {} if etag is None else {"If-Match": etag})

    def call(
        self, face: str, host: str, method: str, path: str, body: Any, headers: Mapping[str, str], files: tuple[Path, Path] | None = None
    ) -> Said:
        context = ssl.create_default_context(cafile=str(self.simulator.ca_file))
        if files:
            context.load_cert_chain(*files)
        connection = http.client.HTTPSConnection(host, context=context, timeout=20)
        given = dict(headers)
        if self.token and face != "device":
            given["Authorization"] = f"Bearer {self.token}"
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        version = VERSIONS[face] if self.version is None else self.version
        try:
            connection.request(method, f"{path}?api-version={version}", octets or None, given)
            response = connection.getresponse()
            answered = response.read()
            return Said(response.status, json.loads(answered) if answered else None, dict(response.getheaders()))
        finally:
            connection.close()

    def upload(self, name: str, issued: Issued, etag: str | None = None, **properties: Any) -> Said:
        text = base64.b64encode(issued.pem.encode()).decode()
        return self.arm("PUT", f"{CERTIFICATES}/{name}", {"properties": {"certificate": text, **properties}}, etag)

    def etag(self, name: str) -> str:
        return str(self.arm("GET", f"{CERTIFICATES}/{name}").body["etag"])

    def code(self, name: str) -> str:
        said = self.arm("POST", f"{CERTIFICATES}/{name}/generateVerificationCode", etag=self.etag(name))
        return str(said.body["properties"]["verificationCode"])

    def prove(self, name: str, proof: Issued) -> Said:
        return self.arm("POST", f"{CERTIFICATES}/{name}/verify", {"certificate": proof.pem}, self.etag(name))

    def verified_root(self, name: str = "simulated-root", issued: Issued | None = None) -> Issued:
        """A root uploaded, and proved by a real proof."""
        found = issued or root()
        assert self.upload(name, found).status == 200
        assert self.prove(name, issue(self.code(name), found)).body["properties"]["isVerified"] is True
        return found

    def group(self, group_id: str, *certificates: Issued, etag: str | None = None, **members: Any) -> Said:
        signing = {place: {"certificate": issued.pem} for place, issued in zip(("primary", "secondary"), certificates, strict=False)}
        body = {"enrollmentGroupId": group_id, "attestation": {"type": "x509", "x509": {"signingCertificates": signing}}, **members}
        return self.service("PUT", f"/enrollmentGroups/{group_id}", body, etag)

    def register(self, registration_id: str, files: tuple[Path, Path]) -> Said:
        return self.device("PUT", f"{registration_id}/register", files, {"registrationId": registration_id})
