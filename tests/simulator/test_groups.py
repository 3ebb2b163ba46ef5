"""The service API: enrollment groups by etag, their query page by page, registrations."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import pytest

from ceremony.simulator.server import Simulator
from ceremony.simulator.state import MOST_GROUPS
from tests.simulator.calling import Caller
from tests.simulator.chains import device, intermediate, issue, root


def test_a_new_group_has_defaults_and_what_the_service_adds(caller: Caller) -> None:
    said = caller.group("factory-a", intermediate("A"))
    assert said.status == 200
    info = said.body["attestation"]["x509"]["signingCertificates"]["primary"]["info"]
    assert info["sha256Thumbprint"] == sha256(intermediate("A").der).hexdigest().upper()
    assert info["issuerName"] == "CN=Simulated Root"
    assert said.body["provisioningStatus"] == "enabled"
    assert said.body["reprovisionPolicy"] == {"updateHubAssignment": True, "migrateDeviceData": True}
    assert said.body["etag"].startswith('"')
    assert said.body["etag"].endswith('"')
    assert caller.service("GET", "/enrollmentGroups/factory-a").body == said.body


def test_a_group_is_replaced_by_its_etag_alone_verbatim(caller: Caller) -> None:
    first = caller.group("factory-a", intermediate("A")).body
    assert caller.group("factory-a", intermediate("A")).status == 409
    assert caller.group("factory-a", intermediate("A"), etag=first["etag"].strip('"')).status == 412
    second = caller.group("factory-a", intermediate("A"), etag=first["etag"], provisioningStatus="disabled")
    assert (second.status, second.body["provisioningStatus"]) == (200, "disabled")
    assert second.body["etag"] != first["etag"]
    assert second.body["createdDateTimeUtc"] == first["createdDateTimeUtc"]
    stale = caller.group("factory-a", intermediate("A"), etag=first["etag"])
    assert (stale.status, stale.number, stale.headers["x-ms-error-code"]) == (412, 412002, "412002")


def test_an_etag_for_a_group_that_is_not_there(caller: Caller) -> None:
    assert caller.group("factory-a", intermediate("A"), etag='"x"').status == 412


@pytest.mark.parametrize("shows_certificates", [True, False])
def test_what_was_got_can_be_put_back_changed(simulator: Simulator, caller: Caller, shows_certificates: bool) -> None:
    simulator.state.shows_certificates = shows_certificates
    made = caller.group("factory-a", intermediate("A"), intermediate("B")).body
    assert ("certificate" in made["attestation"]["x509"]["signingCertificates"]["primary"]) is shows_certificates
    back = caller.service("PUT", "/enrollmentGroups/factory-a", made | {"provisioningStatus": "disabled"}, made["etag"])
    assert back.status == 200
    assert back.body["attestation"] == made["attestation"]


def _attested(**x509: Any) -> dict[str, Any]:
    return {"enrollmentGroupId": "g", "attestation": {"type": "x509", "x509": x509}}


GOOD = {"primary": {"certificate": intermediate("A").pem}}
WRONG = {
    "nothing": {},
    "no attestation": {"enrollmentGroupId": "g"},
    "another id": _attested(signingCertificates=GOOD) | {"enrollmentGroupId": "h"},
    "an empty certificate": _attested(signingCertificates={"primary": {"certificate": ""}}),
    "no certificate": _attested(signingCertificates={"primary": {"certificate": "x"}}),
    "a leaf": _attested(signingCertificates={"primary": {"certificate": device("d", intermediate("A")).pem}}),
    "a secondary alone": _attested(signingCertificates={"secondary": GOOD["primary"]}),
    "the same twice": _attested(signingCertificates={"primary": GOOD["primary"], "secondary": GOOD["primary"]}),
    "both kinds": _attested(signingCertificates=GOOD, caReferences={"primary": "root"}),
    "a root that is not there": _attested(caReferences={"primary": "root"}),
    "client certificates": _attested(clientCertificates=GOOD),
    "a wrong status": _attested(signingCertificates=GOOD) | {"provisioningStatus": "off"},
    "half a policy": _attested(signingCertificates=GOOD) | {"reprovisionPolicy": {"migrateDeviceData": True}},
    "a hub that is not linked": _attested(signingCertificates=GOOD) | {"iotHubs": ["elsewhere.example"]},
    "hubs as text": _attested(signingCertificates=GOOD) | {"iotHubs": "hub"},
    "numbers": _attested(signingCertificates=GOOD) | {"initialTwin": 1},
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_group_is_refused(caller: Caller, body: dict[str, Any]) -> None:
    said = caller.service("PUT", "/enrollmentGroups/g", body)
    assert said.status == 400
    assert caller.service("GET", "/enrollmentGroups/g").status == 404


@pytest.mark.parametrize("group_id", ["a%20b", "ends-with.", "x" * 129])
def test_an_id_that_the_service_does_not_take(caller: Caller, group_id: str) -> None:
    body = _attested(signingCertificates=GOOD) | {"enrollmentGroupId": unquote(group_id)}
    assert caller.service("PUT", f"/enrollmentGroups/{group_id}", body).status == 400


def test_a_certificate_is_in_one_group(caller: Caller) -> None:
    caller.group("factory-a", intermediate("A"))
    assert caller.group("factory-b", intermediate("B"), intermediate("A")).status == 409
    assert caller.group("factory-b", intermediate("B")).status == 200


def test_a_group_by_root_needs_a_verified_one(caller: Caller) -> None:
    caller.upload("simulated-root", root())
    body = _attested(caReferences={"primary": "simulated-root"})
    assert caller.service("PUT", "/enrollmentGroups/g", body).status == 400
    assert caller.prove("simulated-root", issue(caller.code("simulated-root"), root())).status == 200
    said = caller.service("PUT", "/enrollmentGroups/g", body)
    assert said.status == 200
    assert said.body["attestation"]["x509"] == {"caReferences": {"primary": "simulated-root"}}
    assert caller.service("PUT", "/enrollmentGroups/h", body | {"enrollmentGroupId": "h"}).status == 409


def test_the_limit_of_groups_and_every_page_of_them(caller: Caller, simulator: Simulator) -> None:
    ids = [f"group-{number:03}" for number in range(MOST_GROUPS)]
    for number, group_id in enumerate(ids):
        assert caller.group(group_id, intermediate(f"I {number}")).status == 200
    assert "100 X.509" in caller.group("one-more", intermediate("More")).body["message"]
    query = {"query": "SELECT * FROM enrollmentGroups"}
    found: list[str] = []
    continuation: dict[str, str] = {}
    pages = 0
    while True:
        page = caller.service("POST", "/enrollmentGroups/query", query, x_ms_max_item_count="30", **continuation)
        found += [group["enrollmentGroupId"] for group in page.body]
        pages += 1
        if "x-ms-continuation" not in page.headers:
            break
        continuation = {"x_ms_continuation": page.headers["x-ms-continuation"]}
        simulator.state.groups.pop(found[-1])
    assert (found, pages) == (ids, 4)


@pytest.mark.parametrize("count", ["0", "-1", "x", "1001", "9" * 5000])
def test_a_page_size_that_is_none(caller: Caller, count: str) -> None:
    query = {"query": "SELECT * FROM enrollmentGroups"}
    assert caller.service("POST", "/enrollmentGroups/query", query, x_ms_max_item_count=count).status == 400


def test_a_query_or_a_continuation_that_is_none(caller: Caller) -> None:
    assert caller.service("POST", "/enrollmentGroups/query", {"query": "SELECT id FROM devices"}).status == 400
    query = {"query": "select  *\nfrom enrollmentGroups"}
    assert caller.service("POST", "/enrollmentGroups/query", query, x_ms_continuation="?").status == 400
    assert caller.service("POST", "/enrollmentGroups/query", query).body == []


def test_delete_by_etag_or_without(caller: Caller) -> None:
    caller.group("factory-a", intermediate("A"))
    assert caller.service("DELETE", "/enrollmentGroups/factory-a", etag='"x"').status == 412
    assert caller.service("DELETE", "/enrollmentGroups/factory-a").status == 204
    assert caller.service("DELETE", "/enrollmentGroups/factory-a").status == 404


def test_the_attestation_can_be_asked_for(caller: Caller) -> None:
    made = caller.group("factory-a", intermediate("A")).body
    assert caller.service("POST", "/enrollmentGroups/factory-a/attestationmechanism").body == made["attestation"]


def test_no_token_no_group(caller: Caller) -> None:
    caller.token = None
    said = caller.group("factory-a", intermediate("A"))
    assert (said.status, said.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_another_version_is_refused(caller: Caller) -> None:
    caller.version = "2026-11-01"
    assert caller.service("GET", "/enrollmentGroups/x").status == 400


def test_of_many_operators_at_once_one_wins_each_time(caller: Caller) -> None:
    made = caller.group("factory-a", intermediate("A")).body
    with ThreadPoolExecutor(8) as operators:
        changes = [{"initialTwin": {"tags": {"operator": str(number)}}} for number in range(8)]
        said = list(operators.map(lambda change: caller.group("factory-a", intermediate("A"), etag=made["etag"], **change), changes))
    assert sorted(one.status for one in said) == [200] + [412] * 7
    winner = next(one for one in said if one.status == 200)
    assert caller.service("GET", "/enrollmentGroups/factory-a").body == winner.body
