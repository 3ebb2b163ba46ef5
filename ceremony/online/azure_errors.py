"""What Azure's errors mean and what to do about them, in our four parts."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

_ACTION = re.compile(r"action '([A-Za-z./]+)'")
_SECRET = re.compile(r"(?i)(bearer\s+|sig=|SharedAccessSignature\s+)\S+|eyJ[A-Za-z0-9_.-]{20,}|simulator-[A-Za-z0-9_-]{20,}")
# Windows' CERT_E_EXPIRED (0x800B0101), raised service-side for a certificate that is expired or not yet valid.
_NOT_VALID_NOW = "not within its validity period"
_PROOF_NUMBERS = ("400053",)
_LONGEST = 600

DATA_ROLE = "Device Provisioning Service Data Contributor"


class AzureFailure(CeremonyError):
    """A refusal or failure of Azure's. `status` is that of HTTP, 0 when there was no answer (then `outcome_unknown` may be True)."""

    def __init__(self, code: str, what: str, *, status: int = 0, do_now: str = "", outcome_unknown: bool = False) -> None:
        super().__init__(code, what, do_now=do_now, outcome_unknown=outcome_unknown)
        self.status = status


@contextmanager
def azure_errors(doing: str) -> Iterator[None]:
    """What is raised inside by the SDK leaves as an AzureFailure. `doing` completes "while ...": "reading the certificates"."""
    try:
        yield
    except AzureError as failed:
        raise translated(failed, doing) from None


def translated(failed: AzureError, doing: str) -> AzureFailure:
    """The failure in four parts. No token is in it: what looks like one is blotted out."""
    if isinstance(failed, HttpResponseError) and failed.status_code is not None:
        return _answered(failed, failed.status_code, doing)
    said = _clean(str(failed.message or failed))
    if isinstance(failed, ClientAuthenticationError):
        return AzureFailure("AZURE-AUTHENTICATION", f"No token for Azure while {doing}: {said}")
    if isinstance(failed, ServiceRequestError | ServiceResponseError | IncompleteReadError):
        unknown = not isinstance(failed, ServiceRequestError)
        return AzureFailure("AZURE-UNREACHABLE", f"No answer while {doing}: {said}", outcome_unknown=unknown)
    return AzureFailure("AZURE-FAILED", f"While {doing}: {said}", outcome_unknown=True)


def _answered(failed: HttpResponseError, status: int, doing: str) -> AzureFailure:
    response: Any = failed.response
    body, headers = _body(response), response.headers if response is not None else {}
    number, message = _number_and_message(body)
    tracking = body.get("trackingId") or headers.get("x-ms-request-id") or "none given"
    said = f"while {doing} the service answered {status}: {_clean(message or failed.reason or 'no reason')}"
    what = f"{said[0].upper()}{said[1:].rstrip('.')}. Error {number or 'without a number'}, tracking id {_clean(str(tracking))}."
    code, do_now = _meaning(status, f"{number} {message}")
    return AzureFailure(code, what, status=status, do_now=do_now, outcome_unknown=status >= 500)


def _meaning(status: int, said: str) -> tuple[str, str]:
    """Our code, and what to do when the table's own word does not name it."""
    if status == 401:
        return "AZURE-AUTHENTICATION", ""
    if status == 403:
        return "AZURE-ROLE-MISSING", _role(said)
    if status == 404:
        return "AZURE-NOT-FOUND", ""
    if status in (409, 412):
        return "AZURE-CONFLICT", ""
    if status == 429:
        return "AZURE-THROTTLED", ""
    if _NOT_VALID_NOW in said:
        clocks = "compare the clocks of the ceremony machine, of this one and of the service"
        return "AZURE-PROOF-REFUSED", f"By the service's clock the proof or the root is not valid now: {clocks}."
    if any(number in said for number in _PROOF_NUMBERS) or "Proof-Of-Possession" in said:
        return "AZURE-PROOF-REFUSED", ""
    return ("AZURE-FAILED" if status >= 500 else "AZURE-REFUSED"), ""


def _role(said: str) -> str:
    found = _ACTION.search(said)
    if found:
        return f"Have a role granted that holds the action {found[1]} (the role of docs/azure.md does)."
    return f"Have the role '{DATA_ROLE}' granted on this service; docs/azure.md has the command."


def _body(response: Any) -> dict[str, Any]:
    try:
        body = response.json() if response is not None else {}
    except (ValueError, AttributeError, AzureError):
        return {}
    return body if isinstance(body, dict) else {}


def _number_and_message(body: dict[str, Any]) -> tuple[str, str]:
    """Of `{"error": {...}}` (the manager), `{"code", "message"}` (the control plane) and `{"errorCode", "message"}` (the data plane)."""
    inner = body.get("error")
    found = inner if isinstance(inner, dict) else body
    number = found.get("errorCode", found.get("code", ""))
    return _clean(str(number)), str(found.get("message") or found.get("Message") or "")


def _clean(text: str) -> str:
    return shown_text(_SECRET.sub("[not shown]", " ".join(text.split())))[:_LONGEST]
