"""Azure Device Registry, bring your own root: CSR in, certificate out, the policy active; and what is refused on the way."""

import json
import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.verify import verify_bundle
from ceremony.online.answered import Patience
from ceremony.online.apply import refuse_odd_actions
from ceremony.online.verify_receipts import checks_of_receipts
from ceremony.pki.device_registry import DEMANDS
from ceremony.simulator import device_registry
from ceremony.simulator.faults import Fault
from ceremony.words import words_of
from tests.crossing.held_ceremony import new_csr
from tests.online.held_service import AT_ONCE, QUICK, HeldService
from tests.online.refusals import refused, stopped
from tests.online.registry_service import NAME, PLACE, policy_of, registry, signed
from tests.simulator.api_description import problems_with
from tests.simulator.registry_chains import chain_for


def writes(held: HeldService) -> list[str]:
    paths = [made.request.path for made in held.simulator.requests]
    return [path for path in paths if path.endswith("/activateBringYourOwnRoot")]


def apply(held: HeldService, patience: Patience = QUICK) -> Any:
    with held.connected(patience) as service:
        return held.apply(service, held.plan_2(service))


def planning(held: HeldService) -> tuple[Any, ...]:
    return ("plan", held.bundle_2, "--fingerprint", held.fingerprint_2)


def ask(held: HeldService, *more: Any) -> Any:
    return held.run("request", "-o", held.folder / "asked", "--adr", f"{NAME}={PLACE}", *more)


def test_whole_path_then_nothing_to_do(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        csr = x509.load_pem_x509_csr(held.csrs[NAME])
        assert csr == x509.load_der_x509_csr(policy_of(held).csr_der)
        planned = held.run(*planning(held), "-o", held.folder / "plan-2", "--detailed-exitcode")
        lines = [line for line in planned.out.splitlines() if line[:2] in ("+ ", "~ ", "= ")]
        assert planned.code == 5, planned.err
        # No enrollment group is made for it: devices are let in by its policy.
        assert [line[0] for line in lines] == ["~", "+", "~"] and lines[2].startswith(f"~ {PLACE}")
        assert "status: PendingActivation -> Active" in planned.out and "preview" in planned.out
        applied = held.run("apply", held.folder / "plan-2")
        assert applied.code == 0, applied.err
        issued = held.verified_2().intermediates[NAME]
        assert policy_of(held).certificate_der == issued.der
        assert issued.certificate.subject == csr.subject
        assert sorted(held.state.groups) == ["alpha.1"]
        again = held.run(*planning(held), "--detailed-exitcode")
        assert (again.code, again.out.count("\n= ")) == (0, 3), again.out
        last = held.receipts()[-1]
        assert (last.kind, last.data["name"], last.data["how"], last.data["status"]) == ("policy-activated", PLACE, "done", 202)
        assert last.data["file_sha256"] == issued.sha256
        assert all(check.passed for check in checks_of_receipts(held.bundle_2, held.folder / "receipts.jsonl"))
        assert all(check.passed for check in verify_bundle(held.bundle_2, fingerprint=held.fingerprint_2).checks)
        again = held.run("apply", held.folder / "plan-2")
        assert (again.code, again.out) == (0, "Nothing to do.\n")
        assert len(writes(held)) == 1
        assert problems_with(held.simulator.requests) == []
        assert not any("simulator-" in made.request.headers.get("authorization", "") for made in held.simulator.requests)


def test_the_request_says_what_goes_onto_the_paper_form(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        ran = ask(held, "--json")
        assert ran.code == 0, ran.err
        told = json.loads(ran.out)
        (csr,) = told["csrs"]
        assert (csr["name"], csr["words"]) == (NAME, words_of(csr["spki_sha256"]))
        assert told["made_at"].startswith(held.server_time().strftime("%Y-%m-%dT"))
        assert "No --bundle" in ran.err and "preview" in ran.err
        assert {made.request.path.split("/")[6] for made in held.simulator.requests} == {"Microsoft.DeviceRegistry"}


def test_rsa_root_is_refused_before_anything_is_sent_and_again_by_the_plan(tmp_path: Path) -> None:
    with registry(tmp_path, rsa_root=True) as held:
        told = refused(ask(held, "--bundle", held.bundle_1, "--fingerprint", held.fingerprint_1), "REGISTRY-DEMANDS", 7)
        assert held.simulator.requests == []
        assert not (held.folder / "asked").exists()
        assert "its key is rsa:3072" in told and all(demand in told for demand in DEMANDS)
        # Somebody fetched the CSR without a bundle, and a ceremony of another make signed it: the plan still refuses.
        ran = ask(held)
        assert ran.code == 0, ran.err
        held.csrs = {NAME: (held.folder / "asked" / "csr" / f"{NAME}.csr.pem").read_bytes()}
        held.upload()
        held.second_session()
        before = len(held.receipts())
        told = refused(held.run(*planning(held)), "REGISTRY-DEMANDS", 7)
        assert "its key is rsa:3072" in told and all(demand in told for demand in DEMANDS)
        assert (writes(held), len(held.receipts())) == ([], before)


def test_each_demand_on_the_issuing_ca_is_looked_at_by_the_plan(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        key = ec.generate_private_key(ec.SECP384R1())
        policy_of(held).csr_der = x509.load_pem_x509_csr(new_csr("CN=as asked for", key)).public_bytes(Encoding.DER)
        signed(held)
        held.move_clock(timedelta(days=1825 - 364))
        told = refused(held.run(*planning(held), "--self-attest", "example-root-g1"), "REGISTRY-DEMANDS", 7)
        assert "at least 365 must be left" in told
        held.move_clock(timedelta())
        policy_of(held).csr_der = x509.load_pem_x509_csr(new_csr("CN=somebody else", key)).public_bytes(Encoding.DER)
        told = refused(held.run(*planning(held)), "REGISTRY-DEMANDS", 7)
        assert "its subject is CN=as asked for, and the CSR asks for CN=somebody else" in told
        policy_of(held).csr_der = device_registry.new_csr()
        told = refused(held.run(*planning(held)), "ONLINE-POLICY", 1)
        assert "waits for a certificate of the key" in told
        assert writes(held) == []


def test_what_stands_in_the_way(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        policy_of(held).brings_own_root = False
        refused(held.run(*planning(held)), "ONLINE-POLICY", 1)
        refused(ask(held), "ONLINE-POLICY", 1)
        policy_of(held).brings_own_root = True
        other, root = chain_for(x509.load_der_x509_csr(policy_of(held).csr_der))
        csr, policy_of(held).csr_der, policy_of(held).certificate_der = policy_of(held).csr_der, b"", other.public_bytes(Encoding.DER)
        planned = held.run(*planning(held))
        assert planned.code == 0 and f"! {PLACE} is Active with another certificate" in planned.out.replace("\n      ", " ")
        refused(ask(held), "ONLINE-POLICY", 1)
        del held.state.policies[PLACE]
        told = refused(held.run(*planning(held)), "AZURE-NOT-FOUND", 4)
        assert "az iot adr ns policy create" in told
        assert (writes(held), bool(csr), bool(root)) == ([], True, True)


def test_renewal_by_the_same_way(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        csr, policy = x509.load_der_x509_csr(policy_of(held).csr_der), policy_of(held)
        ends_soon, _ = chain_for(csr, of_ca=lambda ca: replace(ca, ends=timedelta(days=30)))
        policy.certificate_der, policy.csr_der = ends_soon.public_bytes(Encoding.DER), b""
        planned = signed(held).run(*planning(held))
        assert "status: ActiveButPendingRenewal -> Active" in planned.out, planned.err
        apply(held)
        assert policy.certificate_der == held.verified_2().intermediates[NAME].der
        assert x509.load_pem_x509_csr(held.csrs[NAME]).public_key() != csr.public_key()
        assert held.run(*planning(held), "--detailed-exitcode").code == 0


def test_policy_that_changed_after_the_plan(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        plan = held.folder / "plan-2"
        held.run(*planning(held), "-o", plan)
        policy_of(held).csr_der = device_registry.new_csr()
        assert f"the policy {PLACE}" in refused(held.run("apply", plan), "PLAN-STALE", 1)
        assert writes(held) == []


def test_policy_that_is_being_worked_on_is_left_to_that(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        held.state.reads_until_active = 1_000_000
        with held.connected(Patience(retries=0, backoff=0.01, seconds=1)) as service:
            stopped(lambda: held.apply(service, held.plan_2(service)), "AZURE-FAILED")
        planned = held.run(*planning(held), "--detailed-exitcode")
        assert (planned.code, "in the making" in planned.out) == (0, True), planned.out


def test_answer_that_was_lost_is_found_and_told(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        held.simulator.faults.add(Fault(drop="after", method="POST", part="activateBringYourOwnRoot"))
        apply(held)
        # The hand-over went out twice, the second one was refused: it was taken the first time.
        assert (len(writes(held)), held.receipts()[-1].data["how"]) == (2, "found")
        assert policy_of(held).certificate_der == held.verified_2().intermediates[NAME].der


@pytest.mark.parametrize("how", ["at-once", "as-error", "as-status"])
def test_chain_that_the_service_does_not_take(tmp_path: Path, how: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_registry, "problems_with_chain", lambda *_given: ["something that nobody foresaw"])
    with registry(tmp_path) as held:
        signed(held)
        held.state.refuses_chains = how
        failed = stopped(lambda: apply(held), "AZURE-REFUSED")
        assert "something that nobody foresaw" in failed.what
        assert held.receipts()[-1].kind == "group-made"
        monkeypatch.undo()
        apply(held)
        assert held.receipts()[-1].kind == "policy-activated"


def test_activation_that_takes_longer_than_we_wait(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        held.state.reads_until_active = 1_000_000
        with held.connected(Patience(retries=0, backoff=0.01, seconds=1)) as service:
            plan = held.plan_2(service)
            failed = stopped(lambda: held.apply(service, plan), "AZURE-FAILED")
            assert failed.outcome_unknown and "has not ended" in failed.what
            policy_of(held).reads_until_active = 0
            held.apply(service, plan)
        assert (held.receipts()[-1].kind, held.receipts()[-1].data["how"], len(writes(held))) == ("policy-activated", "found", 1)


def test_no_token_goes_where_an_operation_points_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ceremony.simulator.arm.device_registry.answer",
        lambda state, request, _url, _answer=device_registry.answer: _answer(state, request, "https://example.invalid"),
    )
    with registry(tmp_path) as held:
        apply(signed(held))
        assert held.receipts()[-1].kind == "policy-activated"


def test_role_that_is_missing_is_named(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        held.simulator.faults.add(Fault(status=403, part="/policies/"))
        told = refused(ask(held), "AZURE-ROLE-MISSING", 4)
        assert "Microsoft.DeviceRegistry/namespaces/credentials/policies/read" in told


ODD = {"certificate": {"certificateAuthorityConfiguration": {"bringYourOwnRoot": {"status": 1}}}}


@pytest.mark.parametrize("odd", [{}, {"properties": []}, {"properties": ODD}])
def test_answer_of_another_kind(tmp_path: Path, odd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(tmp_path) as held:
        monkeypatch.setattr(device_registry, "_shown", lambda _state, _key: odd)
        refused(ask(held), "AZURE-FAILED", 4)


def test_without_its_package_only_what_needs_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(tmp_path) as held:
        signed(held)
        for name in ("azure.mgmt.deviceregistry", "ceremony.online.device_registry"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, "azure.mgmt.deviceregistry", None)
        assert held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1).code == 0
        (held.folder / "request").rename(held.folder / "moved")
        for ran in (ask(held), held.run(*planning(held))):
            assert "extra `adr`" in refused(ran, "ONLINE-PACKAGES", 2)


def test_plan_that_was_changed_by_hand(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        signed(held)
        with held.connected(AT_ONCE) as service:
            plan = held.plan_2(service)
        bundle = held.verified_2()
        refuse_odd_actions(plan, bundle)
        activate = next(action for action in plan.actions if action.kind == "activate")
        group = next(action for action in plan.actions if action.kind == "group")
        for changed in (
            {"name": "example-registry/another"}, {"file": group.file}, {"secondary": group.file}, {"sign": "+"},
            {"kind": "group", "name": NAME, "sign": "+"},
        ):  # fmt: skip
            odd = msgspec.structs.replace(plan, actions=(msgspec.structs.replace(activate, **changed),))
            stopped(partial(refuse_odd_actions, odd, bundle), "PLAN-BROKEN")


def test_status_tells_of_renewal_and_of_another_certificate(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        apply(signed(held))
        arguments = ("status", "--receipts", held.folder / "receipts.jsonl", "--json")
        told = json.loads(held.run(*arguments).out)
        assert [(found["name"], found["state"]) for found in told["policies"]] == [(PLACE, "Active")]
        assert not [found for found in told["findings"] if found["name"] == PLACE]
        held.move_clock(timedelta(days=1825 - 60))
        told = json.loads(held.run(*arguments).out)
        found = [(finding["kind"], finding["text"]) for finding in told["findings"] if finding["name"] == PLACE]
        assert [kind for kind, _ in found] == ["note", "note"] and "--adr" in found[0][1] + found[1][1]
        assert max(map(len, held.run(*arguments[:-1]).out.splitlines())) <= 80
        other, _ = chain_for(x509.load_der_x509_csr(policy_of(held).csr_der))
        policy_of(held).certificate_der = other.public_bytes(Encoding.DER)
        told = json.loads(held.run(*arguments).out)
        assert "drift" in [finding["kind"] for finding in told["findings"] if finding["name"] == PLACE]
        held.state.policies.clear()
        told = json.loads(held.run(*arguments).out)
        assert "is gone" in " ".join(finding["text"] for finding in told["findings"] if finding["name"] == PLACE)


def test_namespace_in_another_resource_group(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        held.toml.write_text(held.toml.read_text() + '[device_registry]\nresource_group = "another"\n')
        refused(ask(held), "AZURE-NOT-FOUND", 4)
        assert held.simulator.requests[-1].request.path.split("/")[4] == "another"
        held.toml.write_text(held.toml.read_text().replace('"another"', '"no/group"'))
        refused(ask(held), "ONLINE-CONFIG", 2)


def test_usage(tmp_path: Path) -> None:
    with registry(tmp_path) as held:
        asked = ("request", "-o", held.folder / "asked")
        for arguments in (
            ("--adr", PLACE), ("--adr", f"{NAME}=no-policy"), ("--adr", f"{NAME}={PLACE}", "--adr", f"{NAME}={PLACE}"),
            ("--adr", f"{NAME}={PLACE}", "--csr", f"{NAME}=x.pem"), ("--adr", f"{NAME}={PLACE}", "--bundle", held.bundle_1),
        ):  # fmt: skip
            refused(held.run(*asked, *arguments), "USAGE", 2)
        refused(held.run("request", "-o", held.folder, "--adr", f"{NAME}={PLACE}"), "REQUEST-EXISTS", 2)
        assert held.simulator.requests == []
        assert replace(held.config(), registry_resource_group="x").registry_resource_group == "x"
