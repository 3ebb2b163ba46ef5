"""The way of every call to Azure: one list of policies, and a transport that takes no endless answer.

The list is ours and not the SDK's, so that a token goes nowhere but to the host that was meant: nothing is redirected, no resource
provider is registered on the way, no header and no body is logged.
"""

from collections.abc import Iterator
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.pipeline import PipelineResponse, policies
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from ceremony.online.answered import Patience, Watch
from ceremony.online.azure_errors import AzureFailure
from ceremony.online.config import OnlineConfig

RETRIED_METHODS = ["HEAD", "GET", "PUT", "DELETE", "POST"]
"""POST too: our POSTs are queries, or carry an etag, so that a second one of a kind is answered 412 and then compared."""
LARGEST_ANSWER = 32 << 20
"""Bytes of one answer, unpacked. A page of 100 groups, the largest that is asked for, has some 1 MiB."""


class PatientRetry(policies.RetryPolicy[HttpRequest, HttpResponse]):
    """Tries again as Patience says. An answer that asks for a longer wait than that is given back at once, with what it asks for."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(**patience.options())
        self._longest_wait = patience.seconds

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        """The settings of one call: every method of ours may be sent again."""
        return {**super().configure_retries(options), "methods": RETRIED_METHODS}

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """Seconds of Retry-After (RFC 9110, 10.2.3); None where there is none, and where it can't be read."""
        try:
            return super().get_retry_after(response)
        except ValueError:
            return None

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether the call is to be sent again after this answer."""
        return (self.get_retry_after(response) or 0) <= self._longest_wait and bool(super().is_retry(settings, response))


class BoundedTransport(RequestsTransport):  # type: ignore[misc]  # azure-core gives it no type
    """Reads an answer to its end as the SDK's own transport does, but not past LARGEST_ANSWER bytes."""

    def send(self, request: Any, **options: Any) -> Any:
        """The answer, read. Raises AzureFailure AZURE-FAILED for one that is too large."""
        response = super().send(request, **{**options, "stream": True})
        parts = response.iter_bytes

        def bounded() -> Iterator[bytes]:
            left = LARGEST_ANSWER
            for part in parts():
                left -= len(part)
                if left < 0:
                    raise AzureFailure("AZURE-FAILED", f"The service's answer is over {LARGEST_ANSWER} bytes.", outcome_unknown=True)
                yield part

        response.iter_bytes = bounded  # what read() goes through
        try:
            response.read()
        finally:
            response.close()
        return response


def policies_for(credential: TokenCredential, scope: str, patience: Patience, watch: Watch) -> list[Any]:
    """What a call goes through, outermost first. Retries stand before the token: one that has run out is renewed between them."""
    return [
        policies.RequestIdPolicy(),
        policies.HeadersPolicy(),
        policies.UserAgentPolicy("root-ceremony"),
        policies.ProxyPolicy(),
        policies.ContentDecodePolicy(),
        PatientRetry(patience),
        policies.BearerTokenCredentialPolicy(credential, scope),
        policies.CustomHookPolicy(raw_response_hook=watch.hook),
    ]


def transport_for(config: OnlineConfig) -> BoundedTransport:
    """Connections to Azure; or to the simulator: by its own root alone, and without a proxy, whatever the environment says."""
    options: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
    if config.is_simulator:
        options |= {"connection_verify": str(config.ca_file), "use_env_settings": False}
    return BoundedTransport(**options)
