"""REST calls to one host: a token, an api-version, etags, JSON both ways. The data plane and the hubs' registries are called so."""

from typing import Any

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest, HttpResponse

from ceremony.online.answered import Patience, Watch
from ceremony.online.azure_errors import AzureFailure, azure_errors
from ceremony.online.config import OnlineConfig
from ceremony.online.pipeline import policies_for, transport_for


class RestClient:
    """One host, to which a token goes: who makes this has looked at it. Every call raises AzureFailure; `watch.last` tells of the last."""

    def __init__(
        self, config: OnlineConfig, host: str, credential: TokenCredential, patience: Patience, *, scope: str, api_version: str, role: str
    ) -> None:
        """`host` is HOST or HOST:PORT; `scope` is what the token is asked for; `role` is named when the caller lacks one."""
        self.watch = Watch()
        self._api_version, self._role = api_version, role
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            base_url=f"https://{host}", policies=policies_for(credential, scope, patience, self.watch), transport=transport_for(config)
        )

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def send(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        etag: str | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> HttpResponse:
        """The answer, which is one of success. `doing` completes "while ..."; `etag` goes into If-Match as it is."""
        sent = {"Accept": "application/json", **(headers or {})}
        if etag is not None:
            sent["If-Match"] = etag
        request = HttpRequest(method, self._client.format_url(path), params={"api-version": self._api_version}, headers=sent, json=body)
        with azure_errors(doing, self._role):
            response = self._client.send_request(request)
            if not 200 <= response.status_code < 300:
                raise HttpResponseError(response=response)
        return response

    def json(self, doing: str, method: str, path: str, **more: Any) -> Any:
        """The same call's answer, decoded."""
        return decoded(self.send(doing, method, path, **more), doing)


def decoded(response: HttpResponse, doing: str) -> Any:
    """The JSON of an answer. Raises AzureFailure AZURE-FAILED."""
    try:
        return response.json()
    except (ValueError, RecursionError) as broken:
        raise AzureFailure("AZURE-FAILED", f"While {doing} the service answered what is not JSON.", outcome_unknown=True) from broken
