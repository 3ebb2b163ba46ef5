"""Whatever a client sends, the faces answer: a refusal, or a result that the API description allows. Nothing falls over."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceremony.simulator.access import TOKEN_PREFIX
from ceremony.simulator.arm import ArmFace
from ceremony.simulator.device_https import DeviceFace
from ceremony.simulator.errors import Refused
from ceremony.simulator.exchange import Answer, Exchange, Face, request_of
from ceremony.simulator.faults import Faults
from ceremony.simulator.service import ServiceFace
from ceremony.simulator.state import DpsState
from tests.simulator.api_description import problems_with
from tests.simulator.calling import VERSIONS
from tests.simulator.chains import device, intermediate, root

BASE = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/simulator/providers/Microsoft.Devices/provisioningServices"
PATHS = {
    "arm": ["", "/certificates", "/certificates/a", "/certificates/a/verify", "/certificates/a/generateVerificationCode"],
    "service": ["/enrollmentGroups/g", "/enrollmentGroups/query", "/enrollmentGroups/g/attestationmechanism", "/registrations/d/query"],
    "device": ["/0ne00SIMULA/registrations/d/register", "/0ne00SIMULA/registrations/d", "/0ne00SIMULA/registrations/d/operations/o"],
}
MEMBERS = [
    "properties", "certificate", "isVerified", "enrollmentGroupId", "attestation", "type", "x509", "signingCertificates", "caReferences",
    "primary", "secondary", "provisioningStatus", "reprovisionPolicy", "iotHubs", "initialTwin", "query", "registrationId", "payload",
]  # fmt: skip
TEXTS = st.sampled_from([root().pem, intermediate("A").pem, "g", "d", "x509", "enabled", "a", "SELECT * FROM enrollmentGroups"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=12,
)
GROUPS = st.fixed_dictionaries(
    {"enrollmentGroupId": st.just("g"), "attestation": st.fixed_dictionaries({"type": st.just("x509"), "x509": VALUES})},
    optional={"iotHubs": VALUES, "initialTwin": VALUES, "capabilities": VALUES, "reprovisionPolicy": VALUES},
)
UPLOADS = st.fixed_dictionaries({"properties": st.fixed_dictionaries({"certificate": TEXTS}, optional={"isVerified": VALUES})})
CHAINS = st.sampled_from([(), (b"\x30\x00",), (device("d", intermediate("A")).der, intermediate("A").der), (root().der,)])


def answered(face: Face, method: str, target: str, headers: dict[str, str], body: bytes, chain: tuple[bytes, ...]) -> Exchange:
    """What the server does with a request, without the server."""
    request = request_of(method, target, headers, body, chain)
    try:
        answer: Answer = face.answer(request)
    except Refused as refused:
        answer = face.refusal(refused, request)
    return Exchange(face.name, request, answer.status, json.loads(json.dumps(answer.body)), answer.headers)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_answer_is_one_that_the_description_allows(data: Any) -> None:
    state, faults = DpsState(), Faults()
    faces: dict[str, Face] = {"arm": ArmFace(state, faults), "service": ServiceFace(state, faults), "device": DeviceFace(state)}
    exchanges = []
    for _ in range(data.draw(st.integers(1, 5))):
        name = data.draw(st.sampled_from(sorted(faces)))
        method = data.draw(st.sampled_from(["GET", "PUT", "POST", "DELETE"]))
        path = (f"{BASE}/simulator-dps" if name == "arm" else "") + data.draw(st.sampled_from(PATHS[name]))
        body = data.draw(st.binary(max_size=40) | (VALUES | GROUPS | UPLOADS).map(lambda value: json.dumps(value).encode()))
        headers = {"Authorization": f"Bearer {TOKEN_PREFIX}x"}
        headers |= data.draw(st.fixed_dictionaries({}, optional={"If-Match": st.sampled_from(["*", '"x"', ""])}))
        headers |= data.draw(st.fixed_dictionaries({}, optional={"x-ms-max-item-count": TEXTS, "x-ms-continuation": TEXTS}))
        exchanges.append(answered(faces[name], method, f"{path}?api-version={VERSIONS[name]}", headers, body, data.draw(CHAINS)))
    answers = [Exchange(one.face, one.request, one.status, one.answer, one.answer_headers) for one in exchanges]
    assert [problem for problem in problems_with(answers, refused_too=False) if ": answer" in problem or "status" in problem] == []
    assert all(exchange.status < 500 for exchange in exchanges)
