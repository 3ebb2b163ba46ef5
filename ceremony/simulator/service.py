"""The service API (data plane), version 2021-10-01: enrollment groups, their query, registrations."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from ceremony.simulator import groups
from ceremony.simulator.access import require_token
from ceremony.simulator.errors import Refused, service_body
from ceremony.simulator.exchange import Answer, Request
from ceremony.simulator.faults import Faults
from ceremony.simulator.registration import registration_result
from ceremony.simulator.state import DpsState, Registration

VERSION = "2021-10-01"
PAGE = 20
LARGEST_PAGE = 1000


class ServiceFace:
    """The data plane of one service."""

    name = "service"

    def __init__(self, state: DpsState, faults: Faults) -> None:
        self._state = state
        self._faults = faults

    def answer(self, request: Request) -> Answer:
        """One call. Raises Refused."""
        require_token(request, self._faults)
        if request.query.get("api-version") != VERSION:
            raise Refused(400, 400000, f"api-version must be {VERSION}.")
        state, if_match = self._state, request.headers.get("if-match")
        with state.lock:
            match request.method, request.segments():
                case "POST", ["enrollmentGroups", "query"]:
                    return self._groups(request)
                case "GET", ["enrollmentGroups", group_id]:
                    return Answer(200, groups.shown(state, groups.existing(state, group_id)))
                case "PUT", ["enrollmentGroups", group_id]:
                    return Answer(200, groups.shown(state, groups.put(state, group_id, request.json(), if_match)))
                case "DELETE", ["enrollmentGroups", group_id]:
                    groups.delete(state, group_id, if_match)
                    return Answer(204)
                case "POST", ["enrollmentGroups", group_id, "attestationmechanism"]:
                    return Answer(200, groups.attestation(state, groups.existing(state, group_id)))
                case "GET", ["registrations", registration_id]:
                    return Answer(200, _shown(self._registration(registration_id)))
                case "DELETE", ["registrations", registration_id]:
                    self._forget(registration_id, if_match)
                    return Answer(204)
                case "POST", ["registrations", group_id, "query"]:
                    return self._registrations(request, group_id)
        raise Refused(404, 404000, f"There is no {request.method} {request.path}.")

    def refusal(self, refused: Refused, request: Request) -> Answer:
        """ProvisioningServiceErrorDetails, its number also in a header."""
        headers = {"x-ms-error-code": str(refused.number)}
        if refused.status == 401:
            headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return Answer(refused.status, service_body(refused, self._state.now()), headers)

    def _groups(self, request: Request) -> Answer:
        query = request.json().get("query")
        if not isinstance(query, str) or " ".join(query.lower().split()) != "select * from enrollmentgroups":
            raise Refused(400, 400004, "The only query that is known is SELECT * FROM enrollmentGroups.")
        names = sorted(self._state.groups)
        return _page(request, names, [groups.shown(self._state, self._state.groups[name]) for name in names], "enrollmentGroup")

    def _registrations(self, request: Request, group_id: str) -> Answer:
        groups.existing(self._state, group_id)
        names = sorted(name for name, found in self._state.registrations.items() if found.group_id == group_id)
        return _page(request, names, [_shown(self._state.registrations[name]) for name in names], "deviceRegistration")

    def _registration(self, registration_id: str) -> Registration:
        key = registration_id.lower()
        if key not in self._state.registrations:
            raise Refused(404, 404201, f"Registration {registration_id} was not found.")
        return self._state.registrations[key]

    def _forget(self, registration_id: str, if_match: str | None) -> None:
        found = self._registration(registration_id)
        if if_match not in (None, "*", groups.quoted(found.etag)):
            raise Refused(412, 412002, "Precondition failed: ETag mismatch.")
        del self._state.registrations[registration_id.lower()]


def _shown(registration: Registration) -> dict[str, Any]:
    """DeviceRegistrationState: what the device gets, without how it attested."""
    return {name: value for name, value in registration_result(registration).items() if name != "x509"}


def _page(request: Request, names: Sequence[str], items: Sequence[dict[str, Any]], kind: str) -> Answer:
    """The items after the one that the continuation names: a page is right also when items came or went since the last one."""
    asked = request.headers.get("x-ms-max-item-count", str(PAGE))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10 and 0 < int(asked) <= LARGEST_PAGE):
        raise Refused(400, 400004, f"x-ms-max-item-count must be 1 to {LARGEST_PAGE}.")
    after = _continued(request.headers.get("x-ms-continuation", ""))
    waiting = [(name, item) for name, item in zip(names, items, strict=True) if name > after]
    page = waiting[: int(asked)]
    headers = {"x-ms-max-item-count": asked, "x-ms-item-type": kind}
    if len(waiting) > len(page):
        headers["x-ms-continuation"] = base64.b64encode(page[-1][0].encode()).decode()
    return Answer(200, [item for _, item in page], headers)


def _continued(continuation: str) -> str:
    try:
        return base64.b64decode(continuation, validate=True).decode()
    except (binascii.Error, ValueError) as broken:
        raise Refused(400, 400004, "x-ms-continuation is not one that was given out.") from broken
