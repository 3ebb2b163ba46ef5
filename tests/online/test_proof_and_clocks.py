"""A proof that the service would not take: for another code, or not valid now. Which clock is wrong then, and by how much."""

from datetime import timedelta

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.clocks import refuse_invalid_now
from ceremony.online.receipts import Receipts
from ceremony.simulator import certificates
from ceremony.simulator.errors import Refused
from tests.online.held_service import ROOT_NAME, SERVICE, HeldService
from tests.online.refusals import apply, plan_2, refused, stopped
from tests.simulator.chains import issue

PROOF = issue("code", begins=timedelta(), ends=timedelta(days=30)).certificate
START, END = PROOF.not_valid_before_utc, PROOF.not_valid_after_utc
HOUR, DAY, AGREED = timedelta(hours=1), timedelta(days=1), timedelta(minutes=5)
VALID_HERE = "and by this machine's clock it would be valid: one of these two clocks is wrong."


@pytest.mark.parametrize(
    ("service_time", "ahead", "said"),
    [
        (START - 2 * HOUR, AGREED, "2 h too early. These two agree, so the clock of the ceremony machine was ahead, by at least 2 h."),
        (END + DAY + HOUR, -AGREED, "1 d 1 h too late. These two agree: it has expired, or the clock of the ceremony machine was behind."),
        (START - 2 * HOUR, -3 * HOUR, f"early. This machine's clock is 3 h ahead of the service's, {VALID_HERE}"),
        (END + DAY, 2 * DAY, f"too late. This machine's clock is 2 d behind the service's, {VALID_HERE}"),
        (END + 3 * DAY, DAY, "3 d too late. This machine's clock is 1 d behind the service's."),
    ],
)
def test_the_clock_that_is_wrong_is_named_with_how_much(service_time, ahead, said):
    with pytest.raises(CeremonyError) as refused:
        refuse_invalid_now("The proof of possession", PROOF, service_time, ahead)
    assert refused.value.code == "ONLINE-CLOCK"
    here = service_time - ahead
    told = refused.value.what.replace(f" This machine's clock says {here:%Y-%m-%dT%H:%M:%SZ}.", "", 1)
    assert said in told
    assert all(f"{moment:%Y-%m-%dT%H:%M:%SZ}" in refused.value.what for moment in (START, END, service_time, here))


def test_both_ends_of_the_window_are_in_it():
    for moment in (START, END):
        refuse_invalid_now("The proof of possession", PROOF, moment, timedelta())


def test_proof_for_another_code_is_refused_by_the_service(held: HeldService) -> None:
    held.upload()
    held.second_session(code="A" * 48)
    held.code()
    caught = stopped(lambda: apply(held, plan_2(held)), "AZURE-PROOF-REFUSED")
    assert "tracking id" in caught.what
    assert "--new-code" in caught.do_now
    assert held.state.groups == {}


def test_proof_for_another_code_is_refused_here_where_the_receipts_know_the_code(held: HeldService) -> None:
    held.upload()
    held.second_session(code="A" * 48)
    code, etag = held.code(), held.state.certificates[ROOT_NAME].etag
    named = {"service": SERVICE, "name": ROOT_NAME}
    with Receipts(held.folder / "receipts.jsonl", held.fingerprint_1) as receipts:
        receipts.append("code-issued", "2026-11-24T12:00:00Z", {**named, "verification_code": code, "etag_after": etag})
    plan = plan_2(held)
    held.simulator.requests.clear()
    caught = stopped(lambda: apply(held, plan), "AZURE-PROOF-REFUSED")
    assert code in caught.what
    assert all(not made.request.path.endswith("/verify") for made in held.simulator.requests)


@pytest.mark.parametrize("options", [(), ("--self-attest", ROOT_NAME)])
def test_root_that_is_not_valid_by_the_services_clock_is_not_uploaded(held: HeldService, options: tuple[str, ...]) -> None:
    held.move_clock(timedelta(hours=-40))
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, *options), "ONLINE-CLOCK", 1)
    assert "The root is valid from" in told
    assert held.state.certificates == {}


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (timedelta(hours=-40), "too early"),
        (timedelta(days=40), "too late"),
    ],
)
def test_proof_that_is_not_valid_by_the_services_clock(held: HeldService, by: timedelta, said: str) -> None:
    held.proved()
    held.move_clock(by)
    caught = stopped(lambda: plan_2(held), "ONLINE-CLOCK")
    assert said in caught.what
    assert caught.what.count("T") >= 4
    held.move_clock(timedelta())
    plan = plan_2(held)
    held.move_clock(by)
    stopped(lambda: apply(held, plan), "ONLINE-CLOCK")
    assert all(not made.request.path.endswith("/verify") for made in held.simulator.requests)


def test_clock_error_of_the_service_itself_is_explained(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its `Date` was right and its check was not: then its words are told with what they mean."""
    held.proved()
    plan = plan_2(held)

    def expired(*_arguments: object) -> None:
        raise Refused(400, 400053, "Proof-Of-Possession failed. A required certificate is not within its validity period when verifying.")

    monkeypatch.setattr(certificates, "verify", expired)
    caught = stopped(lambda: apply(held, plan), "AZURE-PROOF-REFUSED")
    assert "not within its validity period" in caught.what
    assert "compare the clocks" in caught.do_now
