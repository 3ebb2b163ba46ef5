"""The control plane: a certificate's life from upload to proof, and every refusal on its way."""

import base64
import hashlib
from datetime import timedelta

import pytest

from ceremony.simulator.server import Simulator
from ceremony.simulator.state import MOST_CERTIFICATES
from tests.simulator.calling import CERTIFICATES, Caller
from tests.simulator.chains import Issued, intermediate, issue, root

NAME = f"{CERTIFICATES}/simulated-root"


def test_the_resource_tells_where_the_other_faces_are(simulator: Simulator, caller: Caller) -> None:
    said = caller.arm("GET", "")
    assert said.status == 200
    assert said.body["properties"] | {"iotHubs": None} == {
        "state": "Active",
        "provisioningState": "Succeeded",
        "allocationPolicy": "Hashed",
        "idScope": simulator.state.id_scope,
        "serviceOperationsHostName": simulator.service_host,
        "deviceProvisioningHostName": simulator.device_host,
        "disableLocalAuth": True,
        "iotHubs": None,
    }


def test_from_absent_to_verified(caller: Caller) -> None:
    assert caller.arm("GET", NAME).status == 404
    assert caller.arm("GET", CERTIFICATES).body == {"value": []}
    uploaded = caller.upload("simulated-root", root()).body
    assert uploaded["properties"]["isVerified"] is False
    assert uploaded["properties"]["thumbprint"] == hashlib.sha1(root().der).hexdigest().upper()
    code = caller.arm("POST", f"{NAME}/generateVerificationCode", etag=uploaded["etag"]).body
    assert len(code["properties"]["verificationCode"]) == 48
    assert "etag" not in code
    after = caller.arm("GET", NAME).body
    assert after["etag"] != uploaded["etag"]
    proof = issue(code["properties"]["verificationCode"], root())
    verified = caller.arm("POST", f"{NAME}/verify", {"certificate": proof.pem}, after["etag"])
    assert verified.body["properties"]["isVerified"] is True
    assert verified.body["etag"] != after["etag"]
    assert caller.arm("GET", CERTIFICATES).body["value"] == [verified.body]
    assert caller.prove("simulated-root", proof).number == 400053


@pytest.mark.parametrize("form", ["pem", "base64 of pem", "base64 of der"])
def test_the_three_ways_to_send_a_certificate(caller: Caller, form: str) -> None:
    octets = {"base64 of pem": root().pem.encode(), "base64 of der": root().der}.get(form)
    text = root().pem if octets is None else base64.b64encode(octets).decode()
    said = caller.arm("PUT", NAME, {"properties": {"certificate": text}})
    assert said.status == 200
    assert base64.b64decode(said.body["properties"]["certificate"]) == root().der


WRONG_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "no properties": {},
    "no certificate": {"properties": {}},
    "a number": {"properties": {"certificate": 1}},
    "no certificate's bytes": {"properties": {"certificate": "AAAA"}},
    "no base64": {"properties": {"certificate": "?"}},
    "two of them": {"properties": {"certificate": root().pem + intermediate("A").pem}},
    "no CA": {"properties": {"certificate": issue("device", root()).pem}},
    "isVerified as text": {"properties": {"certificate": root().pem, "isVerified": "yes"}},
}


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES.keys())
def test_what_is_no_certificate_is_refused(caller: Caller, body: object) -> None:
    assert caller.arm("PUT", NAME, body).status == 400
    assert caller.arm("GET", NAME).status == 404


@pytest.mark.parametrize("name", ["a%20b", "x" * 65, "a%2Fb", "%C3%A4"])
def test_a_name_that_the_service_does_not_take(caller: Caller, name: str) -> None:
    assert caller.upload(name, root()).status == 400


def test_another_certificate_under_the_name_is_taken_by_etag_alone_and_is_not_verified(caller: Caller) -> None:
    caller.verified_root()
    other = root("Another Root")
    assert caller.upload("simulated-root", other).status == 412
    assert caller.upload("simulated-root", other, etag="AAAA").status == 412
    said = caller.upload("simulated-root", other, etag=caller.etag("simulated-root"))
    assert said.status == 200
    assert said.body["properties"]["isVerified"] is False


def test_the_operators_word_is_taken_for_a_proof_when_it_is_given(caller: Caller) -> None:
    assert caller.upload("simulated-root", root(), isVerified=True).body["properties"]["isVerified"] is True


def test_one_certificate_has_one_name(caller: Caller) -> None:
    caller.upload("simulated-root", root())
    assert caller.upload("again", root()).status == 409


def test_the_26th_certificate_is_refused(caller: Caller) -> None:
    for number in range(MOST_CERTIFICATES):
        assert caller.upload(f"root-{number}", root(f"Root {number}")).status == 200
    said = caller.upload("one-more", root("One More"))
    assert said.status == 400
    assert "25 certificates" in said.body["message"]


@pytest.mark.parametrize("operation", ["generateVerificationCode", "verify"])
@pytest.mark.parametrize(("etag", "status"), [(None, 400), ("AAAA", 412)])
def test_etags_are_demanded_and_compared(caller: Caller, operation: str, etag: str | None, status: int) -> None:
    caller.upload("simulated-root", root())
    body = {"certificate": root().pem} if operation == "verify" else None
    assert caller.arm("POST", f"{NAME}/{operation}", body, etag).status == status
    assert caller.arm("DELETE", NAME, etag=etag).status == status


@pytest.mark.parametrize("form", ["{}", '"{}"', "*"])
def test_an_etag_is_taken_bare_quoted_and_as_a_star(caller: Caller, form: str) -> None:
    etag = caller.upload("simulated-root", root()).body["etag"]
    assert caller.arm("DELETE", NAME, etag=form.replace("{}", etag)).status == 200
    assert caller.arm("GET", NAME).status == 404


def test_a_new_code_voids_the_one_before(caller: Caller) -> None:
    caller.upload("simulated-root", root())
    first = caller.code("simulated-root")
    second = caller.code("simulated-root")
    assert first != second
    assert caller.prove("simulated-root", issue(first, root())).status == 400
    assert caller.prove("simulated-root", issue(second, root())).status == 200


def wrong_proofs(code: str) -> dict[str, tuple[Issued, str]]:
    day = timedelta(days=1)
    return {
        "another code": (issue("0" * 48, root()), "not the verification code"),
        "lower case": (issue(code.lower(), root()), "not the verification code"),
        "a space": (issue(f"{code} ", root()), "not the verification code"),
        "by an intermediate": (issue(code, intermediate("A")), "cannot be found in the certificate chain"),
        "by another root of the same name": (issue(code, issue("Simulated Root", is_ca=True)), "cannot be found in the certificate chain"),
        "by itself": (issue(code), "cannot be found in the certificate chain"),
        "expired": (issue(code, root(), begins=-2 * day, ends=-day), "not within its validity period"),
        "not yet valid": (issue(code, root(), begins=day, ends=2 * day), "not within its validity period"),
    }


@pytest.mark.parametrize("wrong", wrong_proofs("0" * 48))
def test_a_wrong_proof_is_refused_with_the_services_number(caller: Caller, wrong: str) -> None:
    caller.upload("simulated-root", root())
    proof, why = wrong_proofs(caller.code("simulated-root"))[wrong]
    said = caller.prove("simulated-root", proof)
    assert (said.status, said.number) == (400, 400053)
    assert why in said.body["message"]
    assert "errorcode: IH400053" in said.body["message"]
    assert caller.arm("GET", NAME).body["properties"]["isVerified"] is False


def test_the_services_clock_decides_whether_a_proof_is_valid(simulator: Simulator, caller: Caller) -> None:
    caller.upload("simulated-root", root())
    proof = issue(caller.code("simulated-root"), root(), begins=timedelta(hours=-1))
    simulator.faults.clock_skew = timedelta(hours=-2)
    assert "not within its validity period" in caller.prove("simulated-root", proof).body["message"]
    simulator.faults.clock_skew = timedelta()
    assert caller.prove("simulated-root", proof).status == 200


def test_a_root_that_has_ended_can_not_be_proved(simulator: Simulator, caller: Caller) -> None:
    ended = issue("Simulated Root", is_ca=True, ends=timedelta(days=1))
    caller.upload("simulated-root", ended)
    proof = issue(caller.code("simulated-root"), ended)
    simulator.faults.clock_skew = timedelta(days=2)
    assert "not within its validity period" in caller.prove("simulated-root", proof).body["message"]


def test_no_proof_before_a_code(caller: Caller) -> None:
    caller.upload("simulated-root", root())
    assert caller.prove("simulated-root", issue("x", root())).number == 400053


def test_a_certificate_that_a_group_refers_to_stays(caller: Caller) -> None:
    caller.verified_root()
    references = {"type": "x509", "x509": {"caReferences": {"primary": "simulated-root"}}}
    body = {"enrollmentGroupId": "by-root", "attestation": references}
    assert caller.service("PUT", "/enrollmentGroups/by-root", body).status == 200
    assert caller.arm("DELETE", NAME, etag="*").status == 409
    assert caller.service("DELETE", "/enrollmentGroups/by-root").status == 204
    assert caller.arm("DELETE", NAME, etag="*").status == 200


def test_another_service_is_not_found_and_case_does_not_matter(simulator: Simulator, caller: Caller) -> None:
    simulator.state.resource_group = simulator.state.resource_group.upper()
    assert caller.arm("GET", CERTIFICATES).status == 200
    simulator.state.service_name = "renamed"
    said = caller.arm("GET", CERTIFICATES)
    assert said.status == 200
    base = simulator.arm_url.removeprefix("https://")
    other = "/subscriptions/x/resourceGroups/y/providers/Microsoft.Devices/provisioningServices/z"
    refused = caller.call("arm", base, "GET", other, None, {})
    assert (refused.status, refused.body["error"]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(("token", "code"), [(None, "AuthenticationFailed"), ("eyJ0", "InvalidAuthenticationToken")])
def test_without_a_token_of_ours_nothing_is_told(caller: Caller, token: str | None, code: str) -> None:
    caller.token = token
    said = caller.arm("GET", "")
    assert (said.status, said.body["error"]["code"]) == (401, code)
    assert said.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_call_without_an_api_version(caller: Caller) -> None:
    caller.version = ""
    said = caller.arm("GET", "")
    assert (said.status, said.body["error"]["code"]) == (400, "MissingApiVersionParameter")
