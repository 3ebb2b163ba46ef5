"""The way of every call: where a token may not go, how long is waited, how much is read, and what a service may say without harm."""

import copy
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceremony.online import pipeline
from ceremony.online.answered import Patience, Watch
from ceremony.online.pipeline import PatientRetry
from ceremony.online.world import connected
from ceremony.simulator.errors import Refused
from ceremony.simulator.exchange import Answer, Request
from ceremony.simulator.faults import Fault
from tests.online.azure_stand_in import azure_cli, stand_in, token_for
from tests.online.held_service import QUICK, ROOT_NAME, SERVICE, HeldService, simulated
from tests.online.refusals import refused
from tests.simulator.api_description import problems_with

# at Azure's own names


@pytest.fixture
def production(tmp_path: Path) -> Iterator[HeldService]:
    with simulated(tmp_path / "production", rehearsal=False, software=False) as service:
        yield service


def test_whole_path_by_production_settings(production: HeldService, bare: pytest.MonkeyPatch) -> None:
    """As a person goes it: `az login`, no simulator in online.toml, a bundle that is no rehearsal's."""
    held, receipts = production, ("--receipts", production.folder / "receipts.jsonl")
    azure_cli(held.folder.parent / "path")
    with stand_in(held, bare, "public") as azure:
        first, second = held.folder / "plan-1", held.folder / "plan-2"
        anchors_1 = ("--fingerprint", held.fingerprint_1)
        commands: list[tuple[Any, ...]] = [
            ("plan", held.bundle_1, *anchors_1, "-o", first),
            ("apply", first),
            ("request", "-o", held.folder / "request", "--dps", SERVICE, "--bundle", held.bundle_1, *anchors_1, *receipts),
        ]
        for command in commands:
            ran = held.run(*command, "--auth", "azure-cli")
            assert ran.code == 0, ran.err
        held.second_session(held.state.certificates[ROOT_NAME].verification_code)
        anchors_2 = ("--fingerprint", held.fingerprint_2)
        for command in (
            ("plan", held.bundle_2, *anchors_2, "-o", second),
            ("apply", second),
            ("plan", held.bundle_2, *anchors_2, "--detailed-exitcode"),
        ):
            ran = held.run(*command, "--auth", "azure-cli")
            assert ran.code == 0, ran.err
        assert "Nothing is other than it should be." in held.run("status", *receipts, "--auth", "azure-cli").out
    assert sorted(held.state.groups) == ["alpha.1", "beta.1"]
    assert set(azure.connected_to) == {azure.manager, azure.service_host}
    assert azure.bearers == {
        (azure.manager, token_for("https://management.azure.com")), (azure.service_host, token_for("https://azure-devices-provisioning.net")),
    }  # fmt: skip
    assert problems_with(held.simulator.requests) == []


def faces(held: HeldService) -> list[Any]:
    """Of the control plane and the data plane."""
    servers: list[Any] = held.simulator._servers
    return [servers[0].face, servers[1].face]


@pytest.mark.parametrize("plane", [0, 1])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nothing_is_redirected(held: HeldService, bare: pytest.MonkeyPatch, plane: int, status: int) -> None:
    azure_cli(held.folder / "path")
    face = faces(held)[plane]
    bare.setattr(face, "answer", lambda _request: Answer(status, None, {"Location": "https://elsewhere.example/"}))
    with stand_in(held, bare, "public") as azure:
        told = refused(held.run("status", "--auth", "azure-cli"), "AZURE-REFUSED", 4)
    assert "points elsewhere" in told
    assert "elsewhere.example" not in azure.connected_to


def test_no_resource_provider_is_registered_on_the_way(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    """What azure-mgmt-core's own pipeline does on this answer, in the whole subscription."""

    def unregistered(_request: Request) -> Answer:
        said = "The subscription is not registered to use namespace 'Microsoft.Devices'."
        raise Refused(409, 409000, said, "MissingSubscriptionRegistration")

    monkeypatch.setattr(faces(held)[0], "answer", unregistered)
    refused(held.run("status"), "AZURE-CONFLICT", 4)
    assert [made.request.method for made in held.simulator.requests] == ["GET"]


def test_what_the_environment_says_of_the_way_is_not_heeded_towards_the_simulator(held: HeldService, bare: pytest.MonkeyPatch) -> None:
    bare.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    bare.setenv("REQUESTS_CA_BUNDLE", "/dev/null")
    assert held.run("status").code == 0


# how long, how much


@pytest.mark.parametrize("face", ["arm", "service"])
def test_a_wait_longer_than_our_patience_is_told_and_not_slept_through(held: HeldService, face: str) -> None:
    held.simulator.faults.add(Fault(status=429, retry_after=3600, face=face))
    begun = time.monotonic()
    told = refused(held.run("status"), "AZURE-THROTTLED", 4)
    assert "It asks to wait 3600" in told
    assert time.monotonic() - begun < 5


def test_a_wait_that_can_not_be_read_is_none(held: HeldService) -> None:
    odd: Any = "soon"
    held.simulator.faults.add(Fault(status=429, retry_after=odd, times=2))
    with held.connected(QUICK) as service:
        service.observe()
    assert [made.status for made in held.simulator.requests][:3] == [429, 429, 200]


@given(st.text(st.characters(codec="latin-1")) | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,5} \d\d:\d\d:\d\d [+-]?\w{1,5}", fullmatch=True))
def test_headers_of_any_kind_are_read_or_passed_over(text: str) -> None:
    class Http:
        status_code = 429
        headers = {"Date": text, "Retry-After": text}

    class Given:
        http_response = Http()

    given_back: Any = Given()
    found = PatientRetry(Patience()).get_retry_after(given_back)
    assert found is None or found >= 0
    watch = Watch()
    watch.hook(given_back)
    assert watch.last.status == 429


@pytest.mark.parametrize("plane", [0, 1])
def test_an_endless_answer_is_not_read_to_its_end(held: HeldService, monkeypatch: pytest.MonkeyPatch, plane: int) -> None:
    monkeypatch.setattr(pipeline, "LARGEST_ANSWER", 10_000)
    monkeypatch.setattr(faces(held)[plane], "answer", lambda _request: Answer(200, {"value": ["x" * 100] * 200}))
    told = refused(held.run("status"), "AZURE-FAILED", 4)
    assert "over 10000 bytes" in told
    assert len(held.simulator.requests) <= 3


# tokens that run out


class ShortLived:
    """Hands out a new token for each request, and has the simulator refuse every older one."""

    def __init__(self, held: HeldService) -> None:
        self.held, self.given = held, list[str]()

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        for older in self.given:
            self.held.simulator.faults.expire(older)
        self.given.append(f"simulator-{len(self.given):032}")
        return AccessTokenInfo(self.given[-1], int(time.time()) + 1)


def test_a_token_that_runs_out_is_renewed_in_the_middle_of_an_apply(held: HeldService) -> None:
    held.proved()
    credential = ShortLived(held)
    with connected(held.config(), credential, QUICK) as service:  # type: ignore[arg-type]  # the newer half of what a credential is
        held.apply(service, held.plan_2(service))
        assert held.plan_2(service).changes == []
    assert len(credential.given) > 10
    assert {made.status for made in held.simulator.requests} == {200, 404}


# what a service may say


KEYS = """value properties name etag thumbprint subject certificate expiry isVerified iotHubs idScope serviceOperationsHostName
enrollmentGroupId attestation type x509 signingCertificates caReferences primary info notAfterUtc initialTwin reprovisionPolicy
capabilities tags error code message""".split()
atoms = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("x509") | st.just("127.0.0.1:1")
json_values = st.recursive(
    atoms, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4), max_leaves=12
)


def spoilt(choice: random.Random, whole: Any, odd: Any) -> Any:
    """The same with one part of it, anywhere, replaced by `odd`."""
    if not (isinstance(whole, dict | list) and whole) or choice.random() < 0.1:
        return odd
    key = choice.choice(list(whole) if isinstance(whole, dict) else range(len(whole)))
    changed = copy.copy(whole)
    changed[key] = spoilt(choice, whole[key], odd)
    return changed


@pytest.mark.parametrize("plane", [0, 1])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=json_values, seed=st.integers(0, 10**6), spared=st.sampled_from(["/example-dps", "/certificates", "/query", "/beta.1"]))
def test_whatever_json_a_service_answers_there_is_a_word_for_it(held: HeldService, plane: int, odd: Any, seed: int, spared: str) -> None:
    """Every answer but those to one path is spoilt somewhere."""
    if not held.state.groups:
        held.settled()
    face, choice = faces(held)[plane], random.Random(seed)
    whole = face.answer

    def answer(request: Request) -> Answer:
        said: Answer = whole(request)
        return said if request.path.endswith(spared) else Answer(200, spoilt(choice, said.body, odd))

    face.answer = answer
    try:
        for command in (("status",), ("disable", "beta.1"), ("retire", "beta.1", "--confirm", "beta.1")):
            ran = held.run(*command, "--receipts", held.folder / "receipts.jsonl")
            assert "INTERNAL" not in ran.err, ran.err
            assert ran.code == 0 or "Do now:" in ran.err
    finally:
        face.answer = whole


def test_an_answer_about_another_group_is_written_nowhere(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    held.settled()
    face = faces(held)[1]
    whole = face.answer

    def answer(request: Request) -> Answer:
        said: Answer = whole(request)
        return Answer(200, {**said.body, "enrollmentGroupId": "beta.1"}) if request.path.endswith("/alpha.1") else said

    monkeypatch.setattr(face, "answer", answer)
    held.simulator.requests.clear()
    refused(held.run("disable", "alpha.1", "--receipts", held.folder / "receipts.jsonl"), "AZURE-FAILED", 4)
    assert all(made.request.method == "GET" or made.request.path.endswith("/query") for made in held.simulator.requests)


@pytest.mark.parametrize("octets", [b"<html>", b"[" * 100_000, b"\xff", b""])
@pytest.mark.parametrize("plane", [0, 1])
def test_an_answer_that_is_no_json(held: HeldService, monkeypatch: pytest.MonkeyPatch, plane: int, octets: bytes) -> None:
    monkeypatch.setattr("ceremony.simulator.http_server.json.dumps", lambda _body: octets.decode("latin-1"))
    monkeypatch.setattr(faces(held)[plane], "answer", lambda _request: Answer(200, "odd"))
    told = held.run("status")
    stopped_well = told.code == 4 and "Do now:" in told.err
    assert stopped_well, told.err
