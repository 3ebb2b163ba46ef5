"""`ceremony online request --dps`: the code fetched, used again while it is good, asked for anew only when told so."""

import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from ceremony.crossing.request import InboundRequest, read_request
from ceremony.errors import CeremonyError
from ceremony.online.receipts import Receipt, Receipts
from ceremony.online.request_code import fetch_code
from ceremony.simulator import certificates
from ceremony.simulator.faults import Drop, Fault
from tests.crossing.held_ceremony import new_csr
from tests.online.held_service import AT_ONCE, ROOT_NAME, SERVICE, HeldService, Ran
from tests.online.refusals import azure_settings, refused
from tests.simulator.api_description import problems_with


def request(held: HeldService, folder: str, *more: Any) -> Ran:
    anchors = ("--bundle", held.bundle_1, "--fingerprint", held.fingerprint_1, "--receipts", held.folder / "receipts.jsonl")
    return held.run("request", "-o", held.folder / folder, "--dps", SERVICE, *anchors, *more)


def packed(held: HeldService, folder: str) -> InboundRequest:
    return read_request(held.folder / folder)


def codes_issued(held: HeldService) -> list[Receipt]:
    return [line for line in held.receipts() if line.kind == "code-issued"]


def current_code(held: HeldService) -> str | None:
    return held.state.certificates[ROOT_NAME].verification_code


def test_the_code_is_fetched_with_the_roots_fingerprint_and_the_services_time(held: HeldService) -> None:
    held.upload()
    csr = held.folder / "gamma.pem"
    csr.write_bytes(new_csr("CN=gamma.1,O=Example"))
    ran = request(held, "request-1", "--csr", f"gamma.1={csr}")
    assert ran.code == 0, ran.err
    found = packed(held, "request-1")
    (proof,) = found.proofs
    assert (proof.service, proof.certificate, proof.verification_code) == (SERVICE, ROOT_NAME, current_code(held))
    assert found.root_fingerprint == held.verified_1().root_fingerprint
    assert found.made_at[:13] == f"{held.server_time():%Y-%m-%dT%H}"
    assert [entry.name for entry in found.csrs] == ["gamma.1"]
    (receipt,) = codes_issued(held)
    assert receipt.data["verification_code"] == current_code(held)
    assert receipt.data["etag_after"] == held.state.certificates[ROOT_NAME].etag != receipt.data["etag_before"]
    assert problems_with(held.simulator.requests) == []
    assert receipt.data["request_id"] and receipt.data["bundle"] == held.fingerprint_1


def test_a_code_that_is_still_good_is_used_again(held: HeldService) -> None:
    held.upload()
    assert request(held, "request-1").code == 0
    held.simulator.requests.clear()
    ran = request(held, "request-2")
    assert (ran.code, "still good" in ran.err) == (0, True)
    assert packed(held, "request-2").proofs == packed(held, "request-1").proofs
    assert len(codes_issued(held)) == 1
    assert {made.request.method for made in held.simulator.requests} == {"GET"}


def test_a_new_code_only_by_the_flag(held: HeldService) -> None:
    held.upload()
    request(held, "request-1")
    assert request(held, "request-2", "--new-code").code == 0
    first, second = (packed(held, f"request-{n}").proofs[0].verification_code for n in (1, 2))
    assert first != second == current_code(held)
    assert len(codes_issued(held)) == 2
    request(held, "request-3")
    assert packed(held, "request-3").proofs[0].verification_code == second


def test_a_code_that_somebody_else_asked_for_is_not_made_void_unasked(held: HeldService) -> None:
    held.upload()
    request(held, "request-1")
    certificates.generate_code(held.state, ROOT_NAME, "*")
    theirs = current_code(held)
    ran = request(held, "request-2")
    assert (ran.code, "ONLINE-CODE-UNKNOWN" in ran.err, "--new-code" in ran.err) == (2, True, True)
    assert current_code(held) == theirs
    assert not (held.folder / "request-2").exists()


def test_without_receipts_no_code_is_asked_for_unasked(held: HeldService) -> None:
    held.upload()
    (held.folder / "receipts.jsonl").unlink()
    assert "ONLINE-CODE-UNKNOWN" in request(held, "request-1").err
    assert not (held.folder / "receipts.jsonl").exists()
    assert request(held, "request-1", "--new-code").code == 0
    assert held.receipts()[0].prev == held.fingerprint_1


def test_an_answer_that_was_lost_says_what_to_do(held: HeldService) -> None:
    held.upload()
    with held.connected(AT_ONCE) as service, Receipts(held.folder / "receipts.jsonl", held.fingerprint_1) as receipts:
        held.simulator.faults.add(Fault(drop="after", method="POST", part="generateVerificationCode"))
        with pytest.raises(CeremonyError) as lost:
            fetch_code(service, held.verified_1(), receipts, new_code=False)
    assert (lost.value.code, "--new-code" in lost.value.do_now, "lost" in lost.value.state) == ("AZURE-UNREACHABLE", True, True)
    assert current_code(held) and codes_issued(held) == []
    ran = request(held, "request-1")
    assert (ran.code, "ONLINE-CODE-UNKNOWN" in ran.err) == (2, True)
    assert request(held, "request-1", "--new-code").code == 0
    assert packed(held, "request-1").proofs[0].verification_code == current_code(held)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_cut_at_each_request_no_second_code_is_asked_for_unasked(held: HeldService, drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    held.upload()
    receipts, uploaded = (held.folder / "receipts.jsonl").read_bytes(), held.state.certificates[ROOT_NAME]
    asked: list[str] = []
    generate = certificates.generate_code

    def counted(*given: Any) -> None:
        generate(*given)
        asked.append("code")

    monkeypatch.setattr(certificates, "generate_code", counted)

    def fetched() -> str:
        with held.connected(AT_ONCE) as service, Receipts(held.folder / "receipts.jsonl", held.fingerprint_1) as lines:
            return fetch_code(service, held.verified_1(), lines, new_code=False).proof.verification_code

    nth = 0
    while True:
        nth += 1
        held.state.certificates[ROOT_NAME] = copy.copy(uploaded)
        (held.folder / "receipts.jsonl").write_bytes(receipts)
        held.simulator.requests.clear()
        asked.clear()
        held.simulator.faults.clear()
        held.move_clock(timedelta())
        held.simulator.faults.cut(nth, drop)
        try:
            assert fetched() == current_code(held)
            break
        except CeremonyError as cut:
            assert cut.code == "AZURE-UNREACHABLE"
        try:
            assert fetched() == current_code(held)
        except CeremonyError as unknown:
            assert unknown.code == "ONLINE-CODE-UNKNOWN"
        assert len(asked) <= 1
    assert nth > 4


def test_a_certificate_changed_at_the_same_moment_says_what_to_do(held: HeldService) -> None:
    held.upload()
    held.simulator.faults.add(Fault(status=412, method="POST", part="generateVerificationCode"))
    ran = request(held, "request-1")
    assert (ran.code, "AZURE-CONFLICT" in ran.err, "--new-code" in ran.err) == (4, True, True)
    assert not (held.folder / "request-1").exists()
    assert request(held, "request-1").code == 0


def test_the_proof_of_a_fetched_code_is_taken(held: HeldService) -> None:
    held.upload()
    request(held, "request-1")
    held.second_session(packed(held, "request-1").proofs[0].verification_code)
    plan = held.folder / "plan-2"
    assert held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2, "-o", plan).code == 0
    assert held.run("apply", plan).code == 0
    assert held.state.certificates[ROOT_NAME].is_verified
    ran = request(held, "request-2")
    assert (ran.code, "ONLINE-ALREADY-VERIFIED" in ran.err) == (2, True)


def test_what_is_refused_before_anything_is_asked(held: HeldService) -> None:
    assert "AZURE-NOT-FOUND" in request(held, "r").err
    held.upload()
    held.simulator.requests.clear()
    anchors = ("--bundle", held.bundle_1, "--fingerprint", held.fingerprint_1)
    for arguments, code, said in (
        (("--dps", SERVICE), 2, "--bundle and --fingerprint"),
        (("--dps", SERVICE, "--bundle", held.bundle_1, "--fingerprint", "ab"), 2, "ANCHOR-INCOMPLETE"),
        (("--dps", SERVICE, "--bundle", held.bundle_1, "--fingerprint", "0" * 64), 1, "BUNDLE-REFUSED"),
        (("--dps", SERVICE, "--service", "another-dps", *anchors), 2, "two services"),
        (("--dps", SERVICE, "--code", f"{SERVICE}=ABC", *anchors), 2, "Either --code"),
        (("--new-code", *anchors), 2, "Either --code"),
    ):
        ran = held.run("request", "-o", held.folder / "r", *arguments)
        assert (ran.code, said in ran.err) == (code, True), ran.err
    assert held.simulator.requests == []
    assert not (held.folder / "r").exists()


def test_a_service_that_the_script_does_not_name_is_refused(held: HeldService) -> None:
    held.upload()
    held.state.service_name = "another-dps"
    anchors = ("--bundle", held.bundle_1, "--fingerprint", held.fingerprint_1, "--receipts", held.folder / "receipts.jsonl")
    ran = held.run("request", "-o", held.folder / "r", "--dps", "another-dps", *anchors)
    assert (ran.code, "ONLINE-NAME" in ran.err) == (2, True)


def test_for_a_root_that_is_not_valid_by_the_services_clock_no_code_is_asked(held: HeldService) -> None:
    held.upload()
    held.move_clock(timedelta(hours=-40))
    assert "The root is valid from" in refused(request(held, "r"), "ONLINE-CLOCK", 1)
    assert current_code(held) is None


def test_another_certificate_under_the_roots_name_gets_no_code(held: HeldService) -> None:
    from tests.simulator.chains import root

    held.upload()
    held.state.certificates[ROOT_NAME].certificate_der = root().der
    ran = request(held, "r", "--new-code")
    assert (ran.code, "ONLINE-CERTIFICATE-DIFFERS" in ran.err, current_code(held)) == (7, True, None)


def test_json(held: HeldService) -> None:
    held.upload()
    assert json.loads(request(held, "request-1", "--json").out)["csrs"] == []


@pytest.mark.parametrize("endpoint", ["https://192.0.2.1:443", "https://example.org"])
def test_a_rehearsals_bundle_reaches_no_other_host(held: HeldService, endpoint: str) -> None:
    held.settings(endpoint=endpoint)
    refused(request(held, "r"), "ONLINE-NOT-LOOPBACK", 7)


def test_a_rehearsals_bundle_asks_azure_for_no_code(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    azure_settings(held, monkeypatch)
    refused(request(held, "r"), "ONLINE-REHEARSAL", 7)
    assert not (held.folder / "r").exists()
