"""Azure's own library against the simulator, over TLS: its classes take every answer, and every request it makes fits the description."""

import asyncio
import base64
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from azure.core import AsyncPipelineClient, MatchConditions
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy
from azure.core.pipeline.transport import AsyncioRequestsTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.iothubprovisioningservices import IotDpsClient, models
from azure.mgmt.iothubprovisioningservices.aio import IotDpsClient as AsyncIotDpsClient

from ceremony.simulator.faults import Fault
from ceremony.simulator.server import Simulator
from tests.simulator.api_description import problems_with
from tests.simulator.calling import Caller
from tests.simulator.chains import device, intermediate, issue, root, write_chain


class Bearer:
    """A credential of the simulator's."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        return AccessTokenInfo(self._token, int(time.time()) + 3600)

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)


class AsyncBearer:
    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        return AccessTokenInfo(self._token, int(time.time()) + 3600)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None, trace: TracebackType | None = None
    ) -> None:
        """Nothing to close."""


def named(simulator: Simulator) -> dict[str, Any]:
    return {"resource_group_name": simulator.state.resource_group, "provisioning_service_name": simulator.state.service_name}


def client(simulator: Simulator, token: str | None = None, **options: Any) -> IotDpsClient:
    credential = Bearer(token or simulator.token)
    given: dict[str, Any] = {"connection_verify": str(simulator.ca_file), **options}
    return IotDpsClient(credential, simulator.state.subscription_id, base_url=simulator.arm_url, **given)


DESCRIPTION = models.CertificateResponse(properties=models.CertificateProperties(certificate=root().pem.encode()))


def test_the_whole_life_of_a_certificate(simulator: Simulator) -> None:
    names = {**named(simulator), "certificate_name": "simulated-root"}
    with client(simulator) as azure:
        resource = azure.iot_dps_resource.get(**named(simulator))
        assert (resource.properties.id_scope, resource.properties.disable_local_auth) == (simulator.state.id_scope, True)
        assert resource.properties.service_operations_host_name == simulator.service_host
        certificates = azure.dps_certificate
        made = certificates.create_or_update(**names, certificate_description=DESCRIPTION)
        assert made.properties is not None
        assert made.properties.expiry == root().certificate.not_valid_after_utc
        assert made.properties.certificate == root().der
        etag: dict[str, Any] = {"etag": made.etag, "match_condition": MatchConditions.IfNotModified}
        coded = certificates.generate_verification_code(**names, **etag)
        assert coded.properties is not None
        assert coded.properties.verification_code is not None
        with pytest.raises(ResourceModifiedError):
            certificates.generate_verification_code(**names, **etag)
        proof = issue(coded.properties.verification_code, root())
        request = models.VerificationCodeRequest(certificate=base64.b64encode(proof.pem.encode()).decode())
        bare: dict[str, Any] = {"etag": "*", "match_condition": MatchConditions.Unconditionally}
        now = certificates.get(**names)
        etag = {"etag": now.etag, "match_condition": MatchConditions.IfNotModified}
        verified = certificates.verify_certificate(**names, **etag, request=request)
        assert verified.properties is not None
        assert verified.properties.is_verified is True
        assert [found.name for found in certificates.list(**named(simulator)).value or []] == ["simulated-root"]
        certificates.delete(**names, **bare, headers={"If-Match": verified.etag})
        with pytest.raises(ResourceNotFoundError):
            certificates.get(**names)
    assert problems_with(simulator.requests) == []


# Asynchronously. Azure's usual transport for it is aiohttp's, which nothing of ours needs; this one comes with azure-core.


def asynchronous(simulator: Simulator) -> AsyncioRequestsTransport:
    return AsyncioRequestsTransport(connection_verify=str(simulator.ca_file))


async def verified_root(azure: AsyncIotDpsClient, names: dict[str, Any]) -> str:
    """A root from absent to verified; where enrollment groups are."""
    certificates = azure.dps_certificate
    resource = await azure.iot_dps_resource.get(**{name: value for name, value in names.items() if name != "certificate_name"})
    made = await certificates.create_or_update(**names, certificate_description=DESCRIPTION)
    etag: dict[str, Any] = {"etag": made.etag, "match_condition": MatchConditions.IfNotModified}
    coded = await certificates.generate_verification_code(**names, **etag)
    assert coded.properties is not None
    request = models.VerificationCodeRequest(certificate=issue(str(coded.properties.verification_code), root()).pem)
    with pytest.raises(ResourceModifiedError):
        await certificates.verify_certificate(**names, **etag, request=request)
    now = await certificates.get(**names)
    etag = {"etag": now.etag, "match_condition": MatchConditions.IfNotModified}
    verified = await certificates.verify_certificate(**names, **etag, request=request)
    assert verified.properties is not None
    assert verified.properties.is_verified is True
    return str(resource.properties.service_operations_host_name)


async def sent(
    groups: AsyncPipelineClient[Any, Any], method: str, path: str, body: Any = None, etag: str | None = None, **headers: str
) -> AsyncHttpResponse:
    given = {name.replace("_", "-"): value for name, value in headers.items()} | ({"If-Match": etag} if etag else {})
    request = HttpRequest(method, groups.format_url(path), params={"api-version": "2021-10-01"}, json=body, headers=given)
    response: AsyncHttpResponse = await groups.send_request(request)
    return response


def test_the_whole_path_asynchronously(simulator: Simulator, tmp_path: Path) -> None:
    """Root, code, proof, groups, a device, what status reads, and the disabled group, each by Azure's own asynchronous classes."""
    names = {**named(simulator), "certificate_name": "simulated-root"}
    files = write_chain(tmp_path, "device-1", device("device-1", intermediate("alpha.1")), [intermediate("alpha.1")])

    async def whole_path() -> None:
        credential, subscription = AsyncBearer(simulator.token), simulator.state.subscription_id
        transport = asynchronous(simulator)
        async with AsyncIotDpsClient(credential, subscription, base_url=simulator.arm_url, transport=transport) as azure:
            host = await verified_root(azure, names)
            assert [found.name for found in (await azure.dps_certificate.list(**named(simulator))).value or []] == ["simulated-root"]
        policies = [
            AsyncRetryPolicy(retry_backoff_factor=0.01),
            AsyncBearerTokenCredentialPolicy(credential, "https://azure-devices-provisioning.net/.default"),
        ]
        client = AsyncPipelineClient[Any, Any](f"https://{host}", policies=policies, transport=asynchronous(simulator))
        async with client as groups:
            simulator.faults.throttle(2, 0, face="service")
            for name in ("alpha.1", "beta.1"):
                signing = {"primary": {"certificate": intermediate(name).pem}}
                attestation = {"type": "x509", "x509": {"signingCertificates": signing}}
                made = await sent(groups, "PUT", f"/enrollmentGroups/{name}", {"enrollmentGroupId": name, "attestation": attestation})
                assert made.json()["attestation"]["x509"]["signingCertificates"]["primary"]["info"]["subjectName"] == f"CN={name}"
            assert Caller(simulator).register("device-1", files).status == 202
            query, path, one = {"query": "SELECT * FROM enrollmentGroups"}, "/enrollmentGroups/query", {"x_ms_max_item_count": "1"}
            first = await sent(groups, "POST", path, query, **one)
            rest = await sent(groups, "POST", path, query, **one, x_ms_continuation=first.headers["x-ms-continuation"])
            assert [page.json()[0]["enrollmentGroupId"] for page in (first, rest)] == ["alpha.1", "beta.1"]
            let_in = await sent(groups, "POST", "/registrations/alpha.1/query")
            assert [entry["registrationId"] for entry in let_in.json()] == ["device-1"]
            there = (await sent(groups, "GET", "/enrollmentGroups/alpha.1")).json()
            read_only = ("etag", "createdDateTimeUtc", "lastUpdatedDateTimeUtc")
            body = {key: value for key, value in there.items() if key not in read_only} | {"provisioningStatus": "disabled"}
            assert (await sent(groups, "PUT", "/enrollmentGroups/alpha.1", body, there["etag"])).json()["provisioningStatus"] == "disabled"
            stale = await sent(groups, "PUT", "/enrollmentGroups/alpha.1", body, there["etag"])
            assert (stale.status_code, stale.json()["errorCode"]) == (412, 412002)

    asyncio.run(whole_path())
    assert Caller(simulator).register("device-1", files).status == 401
    assert [made.status for made in simulator.requests].count(429) == 2
    assert problems_with(simulator.requests) == []


def test_its_errors_hold_what_the_service_said(simulator: Simulator) -> None:
    names = {**named(simulator), "certificate_name": "simulated-root"}
    with client(simulator) as azure:
        azure.dps_certificate.create_or_update(**names, certificate_description=DESCRIPTION)
        request = models.VerificationCodeRequest(certificate=issue("x", root()).pem)
        with pytest.raises(HttpResponseError) as refused:
            azure.dps_certificate.verify_certificate(**names, request=request, etag="*", match_condition=MatchConditions.IfPresent)
    assert refused.value.status_code == 400
    assert "Proof-Of-Possession failed" in str(refused.value)
    with client(simulator, "stranger", retry_total=0) as azure, pytest.raises(ClientAuthenticationError) as stranger:
        azure.dps_certificate.list(**named(simulator))
    assert stranger.value.error is not None
    assert stranger.value.error.code == "InvalidAuthenticationToken"


def test_it_waits_out_a_burst_and_a_cut_connection(simulator: Simulator) -> None:
    simulator.faults.throttle(2, 0)
    simulator.faults.add(Fault(drop="after", method="GET"))
    simulator.faults.add(Fault(status=503, method="GET"))
    with client(simulator, retry_backoff_factor=0.01) as azure:
        assert azure.dps_certificate.list(**named(simulator)).value == []
    assert [exchange.status for exchange in simulator.requests] == [429, 429, 0, 503, 200]
    assert problems_with(simulator.requests) == []


def test_without_the_simulators_own_root_no_connection(simulator: Simulator) -> None:
    with client(simulator, connection_verify=True, retry_total=0) as azure, pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        azure.dps_certificate.list(**named(simulator))
    assert simulator.requests == []
