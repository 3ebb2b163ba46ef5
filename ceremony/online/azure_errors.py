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

# What a hub says to who lacks the role, with 401 (azure-iot-sdk-csharp issue 3344); its 403 are of quota and tier.
_NOT_AUTHORIZED = "is not authorized for"
_HUB_NUMBER = re.compile(r"ErrorCode:([A-Za-z]+);?\s*(.*)", re.DOTALL)
_HUB_TRACKING = re.compile(r"Tracking ID:\s*([A-Za-z0-9]+)")

DATA_ROLE = "Device Provisioning Service Data Contributor"
HUB_ROLE = "IoT Hub Registry Contributor"
REGISTRY_ROLE = "Azure Device Registry Credentials Contributor"


class AzureFailure(CeremonyError):
    """A refusal or failure of Azure's. `status` is that of HTTP, 0 when there was no answer (then `outcome_unknown` may be True).

    `number` is the service's own number or name of the error, "" when it told none.
    """

    def __init__(
        self, code: str, what: str, *, status: int = 0, number: str = "", do_now: str = "", outcome_unknown: bool = False
    ) -> None:
        super().__init__(code, what, do_now=do_now, outcome_unknown=outcome_unknown)
        self.status, self.number = status, number


@contextmanager
def azure_errors(doing: str, role: str = DATA_ROLE) -> Iterator[None]:
    """What is raised inside by the SDK leaves as an AzureFailure. `doing` completes "while ...": "reading the certificates".

    `role` is the one to name when the caller lacks it and the service names no action.
    """
    try:
        yield
    except AzureError as failed:
        raise translated(failed, doing, role) from None
    except (ValueError, RecursionError) as odd:
        what = f"While {doing} the service answered what can't be read: {cleaned(str(odd))}"
        raise AzureFailure("AZURE-FAILED", what, outcome_unknown=True) from odd


def odd_answer(doing: str) -> AzureFailure:
    """The failure of an answer that is JSON, and not of the kind that the API description tells."""
    what = f"While {doing} the service answered JSON of another kind than its description has."
    return AzureFailure("AZURE-FAILED", what, outcome_unknown=True)


def translated(failed: AzureError, doing: str, role: str) -> AzureFailure:
    """The failure in four parts. No token is in it: what looks like one is blotted out."""
    if isinstance(failed, HttpResponseError) and failed.status_code is not None:
        return _answered(failed, failed.status_code, doing, role)
    said = cleaned(str(failed.message or failed))
    if isinstance(failed, ClientAuthenticationError):
        return AzureFailure("AZURE-AUTHENTICATION", f"No token for Azure while {doing}: {said}")
    if isinstance(failed, ServiceRequestError | ServiceResponseError | IncompleteReadError):
        unknown = not isinstance(failed, ServiceRequestError)
        return AzureFailure("AZURE-UNREACHABLE", f"No answer while {doing}: {said}", outcome_unknown=unknown)
    return AzureFailure("AZURE-FAILED", f"While {doing}: {said}", outcome_unknown=True)


def _answered(failed: HttpResponseError, status: int, doing: str, role: str) -> AzureFailure:
    response: Any = failed.response
    body, headers = _body(response), response.headers if response is not None else {}
    number, message = _number_and_message(body)
    tracking = body.get("trackingId") or _tracking_of_hub(body) or headers.get("x-ms-request-id") or "none given"
    said = f"while {doing} the service answered {status}: {cleaned(message or failed.reason or 'no reason')}"
    what = f"{said[0].upper()}{said[1:].rstrip('.')}. Error {number or 'without a number'}, tracking id {cleaned(str(tracking))}."
    if status == 429 and headers.get("Retry-After"):
        what += f" It asks to wait {cleaned(headers['Retry-After'])} (seconds, or until that time)."
    code, do_now = _meaning(status, f"{number} {message}", role)
    return AzureFailure(code, what, status=status, number=number, do_now=do_now, outcome_unknown=status >= 500)


def _meaning(status: int, said: str, role: str) -> tuple[str, str]:
    """Our code, and what to do when the table's own word does not name it."""
    if 300 <= status < 400:
        return "AZURE-REFUSED", "It points elsewhere, where nothing of ours is sent: check the service's name, and any proxy on the way."
    if (status == 403 and role != HUB_ROLE) or (status == 401 and _NOT_AUTHORIZED in said):
        return "AZURE-ROLE-MISSING", _role(said, role)
    if status == 401:
        return "AZURE-AUTHENTICATION", ""
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


def _role(said: str, role: str) -> str:
    found = _ACTION.search(said)
    if found:
        return f"Have a role granted that holds the action {found[1]} (the role of docs/azure.md does)."
    where = {HUB_ROLE: "hub", REGISTRY_ROLE: "namespace"}.get(role, "service")
    return f"Have the role '{role}' granted on this {where}; docs/azure.md has the command."


def _body(response: Any) -> dict[str, Any]:
    try:
        body = response.json() if response is not None else {}
    except (ValueError, AttributeError, AzureError):
        return {}
    return body if isinstance(body, dict) else {}


def _number_and_message(body: dict[str, Any]) -> tuple[str, str]:
    """Of `{"error": {...}}` (the manager), `{"code", "message"}` (the control plane), `{"errorCode", "message"}` (the data plane)
    and `{"Message": "ErrorCode:NAME;..."}` (a hub).
    """
    inner = body.get("error")
    found = inner if isinstance(inner, dict) else body
    number = found.get("errorCode", found.get("code", ""))
    message = str(found.get("message") or found.get("Message") or "")
    of_hub = _HUB_NUMBER.fullmatch(message)
    return (of_hub[1], of_hub[2]) if of_hub else (cleaned(str(number)), message)


def _tracking_of_hub(body: dict[str, Any]) -> str | None:
    found = _HUB_TRACKING.search(str(body.get("ExceptionMessage", "")))
    return found[1] if found else None


def cleaned(text: str, most: int = _LONGEST) -> str:
    """A message of Azure's or of its packages as it may be shown: one line of at most so many characters, no token in it."""
    return shown_text(_SECRET.sub("[not shown]", " ".join(text.split())))[:most]
