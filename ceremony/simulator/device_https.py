"""The device API over HTTPS, version 2021-10-01: a device registers with its client certificate."""

from urllib.parse import quote

from ceremony.simulator.errors import Refused, service_body
from ceremony.simulator.exchange import Answer, Request
from ceremony.simulator.registration import NOT_OURS, RETRY_AFTER, as_told, lookup, operation, register
from ceremony.simulator.state import DpsState

VERSIONS = ("2019-03-31", "2021-06-01", "2021-10-01")


class DeviceFace:
    """Registration for devices; it never takes a token."""

    name = "device"

    def __init__(self, state: DpsState) -> None:
        self._state = state

    def answer(self, request: Request) -> Answer:
        """One call. Raises Refused."""
        if request.query.get("api-version") not in VERSIONS:
            raise Refused(400, 400000, f"api-version must be one of {', '.join(VERSIONS)}.")
        segments = request.segments()
        if segments[:1] != [self._state.id_scope]:
            raise Refused(401, NOT_OURS, "The id scope is not that of a service.")
        match request.method, segments[1:]:
            case "PUT", ["registrations", registration_id, "register"]:
                return self._register(request, registration_id)
            case "GET", ["registrations", registration_id, "operations", operation_id]:
                return Answer(200, operation(self._state, request.chain, registration_id, operation_id).ended())
            case "POST", ["registrations", registration_id]:
                _same_id(request, registration_id)
                return Answer(200, lookup(self._state, request.chain, registration_id, self._state.now()))
        raise Refused(404, 404000, f"There is no {request.method} {request.path}.")

    def refusal(self, refused: Refused, request: Request) -> Answer:
        """ProvisioningServiceErrorDetails without `info`, as users report it of devices; its number also in a header."""
        told = as_told(self._state, refused)
        body = service_body(told, self._state.now())
        del body["info"]
        return Answer(told.status, body, {"x-ms-error-code": str(told.number)})

    def _register(self, request: Request, registration_id: str) -> Answer:
        _same_id(request, registration_id)
        outcome = register(self._state, request.chain, registration_id, self._state.now())
        path = request.path.removesuffix("/register") + f"/operations/{quote(outcome.operation_id, safe='')}"
        location = f"https://{request.headers.get('host', '')}{path}?api-version={request.query['api-version']}"
        return Answer(202, outcome.begun(), {"Retry-After": str(RETRY_AFTER), "Location": location})


def _same_id(request: Request, registration_id: str) -> None:
    if request.json().get("registrationId", registration_id) != registration_id:
        raise Refused(400, 400004, "The registration id of the body is not that of the path.")
