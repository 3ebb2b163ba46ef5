"""A managed identity's endpoint on loopback: that of App Service, and that of a virtual machine."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.online.azure_stand_in import token_for


class IdentityEndpoint:
    """Hands out tokens, or answers `status`. `asked` has the query, the path and the two headers that matter of each request."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.asked = status, list[dict[str, str]]()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.there = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    there: IdentityEndpoint


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        there, parts = self.server.there, urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name: self.headers.get(name, "") for name in ("X-IDENTITY-HEADER", "Metadata")}
        there.asked.append({**asked, **headers, "path": parts.path})
        body: dict[str, Any] = {"error": "refused", "error_description": "No such identity."}
        if there.status == 200:
            until = int(time.time()) + 3600
            body = {"access_token": token_for(asked["resource"]), "expires_on": str(until), "resource": asked["resource"]}
            body |= {"token_type": "Bearer", "expires_in": "3600"}
        octets = json.dumps(body).encode()
        self.send_response(there.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)
