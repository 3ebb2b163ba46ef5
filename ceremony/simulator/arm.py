"""Azure Resource Manager: the service as a resource, and the certificates' API of Microsoft.Devices, version 2026-11-01."""

from typing import Any

from ceremony.simulator import certificates, device_registry
from ceremony.simulator.access import require_token
from ceremony.simulator.errors import Refused, certificates_body, manager_body
from ceremony.simulator.exchange import Answer, Request
from ceremony.simulator.faults import Faults
from ceremony.simulator.state import DpsState

_ACTIONS = {"GET": "read", "PUT": "write", "DELETE": "delete"}
_TYPE = "Microsoft.Devices/provisioningServices"


class ArmFace:
    """The control plane of one service, and of the namespaces of Azure Device Registry beside it.

    `url` is where it listens itself; the hosts are the names that the resource tells: of the service API and the device API.
    """

    name = "arm"

    def __init__(self, state: DpsState, faults: Faults) -> None:
        self._state = state
        self._faults = faults
        self.url = ""
        self.service_host = ""
        self.device_host = ""

    def answer(self, request: Request) -> Answer:
        """One call. Raises Refused."""
        require_token(request, self._faults)
        if not request.query.get("api-version"):
            raise Refused(400, 400000, "The api-version query parameter (?api-version=) is required.", "MissingApiVersionParameter")
        if device_registry.is_for_us(request):
            with self._state.lock:
                return device_registry.answer(self._state, request, self.url)
        below = self._below_the_service(request)
        with self._state.lock:
            match request.method, below:
                case "GET", []:
                    return Answer(200, self._resource())
                case "GET", ["certificates"]:
                    return Answer(200, {"value": [self._shown(name) for name in sorted(self._state.certificates)]})
                case "GET", ["certificates", name]:
                    return Answer(200, self._shown(name))
                case "PUT", ["certificates", name]:
                    certificates.put(self._state, name, request.json(), request.headers.get("if-match"))
                    return Answer(200, self._shown(name))
                case "DELETE", ["certificates", name]:
                    certificates.delete(self._state, name, request.headers.get("if-match"))
                    return Answer(200)
                case "POST", ["certificates", name, "generateVerificationCode"]:
                    certificates.generate_code(self._state, name, request.headers.get("if-match"))
                    return Answer(200, self._shown_with_code(name))
                case "POST", ["certificates", name, "verify"]:
                    certificates.verify(self._state, name, request.json(), request.headers.get("if-match"))
                    return Answer(200, self._shown(name))
        raise Refused(404, 404000, f"No HTTP resource was found for {request.method} {request.path}.", "ResourceNotFound")

    def refusal(self, refused: Refused, request: Request) -> Answer:
        """In the manager's form when the manager itself refuses, else in the service's."""
        if refused.status == 401:
            body = manager_body(refused, refused.code or "ExpiredAuthenticationToken")
            return Answer(401, body, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if refused.status == 403:
            return Answer(403, manager_body(self._without_role(request), "AuthorizationFailed"))
        if refused.code or device_registry.is_for_us(request):
            return Answer(refused.status, manager_body(refused, refused.code or str(refused.number)))
        return Answer(refused.status, certificates_body(refused, self._state.now()))

    def _below_the_service(self, request: Request) -> list[str]:
        """What the path names below the service. Names of resources are compared without regard to case, as the manager does."""
        ours = self._id().split("/")[1:]
        found = request.segments()
        if [part.lower() for part in found[: len(ours)]] != [part.lower() for part in ours]:
            message = f"The Resource '{_TYPE}/{'/'.join(found[7:8])}' under resource group '{'/'.join(found[3:4])}' was not found."
            raise Refused(404, 404000, message, "ResourceNotFound")
        return found[len(ours) :]

    def _without_role(self, request: Request) -> Refused:
        last = request.path.rpartition("/")[2]
        kind = _TYPE + "/certificates" * ("/certificates" in request.path)
        if device_registry.is_for_us(request):
            kind = f"{device_registry.PROVIDER}/namespaces/credentials/policies"
        action = f"{kind}/{last}/action" if request.method == "POST" else f"{kind}/{_ACTIONS.get(request.method, 'read')}"
        return Refused(
            403,
            403000,
            f"The client 'simulated-operator' with object id '{'0' * 8}-0000-0000-0000-{'0' * 12}' does not have authorization to perform "
            f"action '{action}' over scope '{request.path}' or the scope is invalid.",
        )

    def _id(self) -> str:
        state = self._state
        return f"/subscriptions/{state.subscription_id}/resourceGroups/{state.resource_group}/providers/{_TYPE}/{state.service_name}"

    def _resource(self) -> dict[str, Any]:
        state = self._state
        masked = ";SharedAccessKeyName=iothubowner;SharedAccessKey=****"
        hubs = [{"name": hub, "connectionString": f"HostName={hub}{masked}", "location": "loopback"} for hub in state.hubs]
        return {
            "id": self._id(),
            "name": state.service_name,
            "type": _TYPE,
            "location": "loopback",
            "tags": {},
            "etag": "AAAAAAAAAAA=",
            "sku": {"name": "S1", "tier": "Standard", "capacity": 1},
            "properties": {
                "state": "Active",
                "provisioningState": "Succeeded",
                "iotHubs": hubs,
                "allocationPolicy": "Hashed",
                "idScope": state.id_scope,
                "serviceOperationsHostName": self.service_host,
                "deviceProvisioningHostName": self.device_host,
                "disableLocalAuth": state.disable_local_auth,
            },
        }

    def _shown(self, name: str) -> dict[str, Any]:
        """CertificateResponse."""
        uploaded = certificates.existing(self._state, name)
        shown = {"name": uploaded.name, "type": f"{_TYPE}/certificates", "id": f"{self._id()}/certificates/{uploaded.name}"}
        return {**shown, "etag": uploaded.etag, "properties": certificates.properties(uploaded)}

    def _shown_with_code(self, name: str) -> dict[str, Any]:
        """VerificationCodeResponse; without an etag, as in the published example."""
        uploaded = certificates.existing(self._state, name)
        shown = {key: value for key, value in self._shown(name).items() if key != "etag"}
        return {**shown, "properties": {**shown["properties"], "verificationCode": uploaded.verification_code}}
