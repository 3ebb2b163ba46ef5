"""The data plane: enrollment groups and registrations, api-version 2021-10-01, on azure-core's pipeline.

No package that is kept does this (docs/azure.md). Retries stand before authentication, so that a token that ran out is
renewed between them; nothing is redirected; headers and bodies are never logged.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import policies
from azure.core.rest import HttpRequest, HttpResponse

from ceremony.online.answered import RETRIED_METHODS, Patience, Watch, transport_options
from ceremony.online.azure_errors import AzureFailure, azure_errors
from ceremony.online.config import OnlineConfig

API_VERSION = "2021-10-01"
MOST_GROUPS = 100
"""The service's limit of X.509 enrollment groups."""
_PAGE = 100
_MOST_PAGES = 10_000

_DOMAINS = {
    "public": "azure-devices-provisioning.net",
    "us-government": "azure-devices-provisioning.us",
    "china": "azure-devices-provisioning.cn",
}


class DataPlane:
    """Enrollment groups and registrations of one service. Every method raises AzureFailure; `watch.last` tells of the last call."""

    def __init__(
        self, config: OnlineConfig, service_host: str, credential: TokenCredential, patience: Patience = Patience()  # noqa: B008 - frozen
    ) -> None:
        """`service_host` is HOST or HOST:PORT, from the control plane. Raises AzureFailure for one outside the cloud's domain."""
        domain = _DOMAINS[config.cloud]
        if not config.is_simulator and not service_host.endswith(f".{domain}"):
            raise AzureFailure("AZURE-REFUSED", f"The service names {service_host}, which is not below {domain}: no token is sent there.")
        self.watch = Watch()
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            base_url=f"https://{service_host}",
            policies=[
                policies.RequestIdPolicy(),
                policies.HeadersPolicy(),
                policies.UserAgentPolicy("root-ceremony"),
                policies.ProxyPolicy(),
                policies.ContentDecodePolicy(),
                policies.RetryPolicy(**patience.options()),
                policies.BearerTokenCredentialPolicy(credential, f"https://{domain}/.default"),
                policies.CustomHookPolicy(raw_response_hook=self.watch.hook),
            ],
            **transport_options(is_simulator=config.is_simulator, ca_file=config.ca_file),
        )

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def groups(self) -> list[dict[str, Any]]:
        """All enrollment groups as the service writes them, by id."""
        query = {"query": "SELECT * FROM enrollmentGroups"}
        found = self._pages("reading the enrollment groups", "/enrollmentGroups/query", query)
        return sorted(found, key=lambda record: str(record["enrollmentGroupId"]))

    def group(self, group_id: str) -> dict[str, Any] | None:
        """The enrollment group of this id as the service writes it; None when there is none."""
        try:
            found: dict[str, Any] = self._json(f"reading the group {group_id}", "GET", _path("enrollmentGroups", group_id))
        except AzureFailure as failed:
            if failed.status == 404:
                return None
            raise
        return found

    def put_group(self, record: dict[str, Any], etag: str | None) -> dict[str, Any]:
        """Makes a group (`etag` None), or puts the whole record in the place of the one of `etag` (verbatim, quotes and all)."""
        group_id = record["enrollmentGroupId"]
        verb = "making" if etag is None else "changing"
        doing, path = f"{verb} the group {group_id}", _path("enrollmentGroups", group_id)
        made: dict[str, Any] = self._json(doing, "PUT", path, etag=etag, body=record)
        return made

    def delete_group(self, group_id: str, etag: str) -> None:
        """Takes a group away. Its devices may then come in through a group above it: disable first."""
        self._send(f"deleting the group {group_id}", "DELETE", _path("enrollmentGroups", group_id), etag=etag)

    def registrations(self, group_id: str) -> list[dict[str, Any]]:
        """The registrations that a group let in, as the service writes them."""
        return list(self._pages(f"reading the registrations of {group_id}", f"{_path('registrations', group_id)}/query", None))

    def delete_registration(self, registration_id: str, etag: str | None = None) -> None:
        """Forgets a registration; the device's identity at its hub stays."""
        self._send(f"deleting the registration {registration_id}", "DELETE", _path("registrations", registration_id), etag=etag)

    def _pages(self, doing: str, path: str, body: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
        continuation: str | None = None
        for _ in range(_MOST_PAGES):
            headers = {"x-ms-max-item-count": str(_PAGE)}
            if continuation:
                headers["x-ms-continuation"] = continuation
            response = self._send(doing, "POST", path, body=body, headers=headers)
            with azure_errors(doing):
                yield from _decoded(response, doing)
            continuation = response.headers.get("x-ms-continuation")
            if not continuation:
                return
        raise AzureFailure("AZURE-FAILED", f"While {doing} the service gave page after page without an end.")

    def _json(self, doing: str, method: str, path: str, **more: Any) -> Any:
        return _decoded(self._send(doing, method, path, **more), doing)

    def _send(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        etag: str | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> HttpResponse:
        sent = {"Accept": "application/json", **(headers or {})}
        if etag is not None:
            sent["If-Match"] = etag
        request = HttpRequest(method, self._client.format_url(path), params={"api-version": API_VERSION}, headers=sent, json=body)
        with azure_errors(doing):
            response = self._client.send_request(request, retry_on_methods=RETRIED_METHODS)
            if not 200 <= response.status_code < 300:
                raise HttpResponseError(response=response)
        return response


def _decoded(response: HttpResponse, doing: str) -> Any:
    try:
        return response.json()
    except ValueError as broken:
        raise AzureFailure("AZURE-FAILED", f"While {doing} the service answered what is not JSON.") from broken


def _path(collection: str, name: str) -> str:
    return f"/{collection}/{quote(name, safe='')}"
