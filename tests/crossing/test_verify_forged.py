"""Bundles forged from the start, chain, manifest and sums made to fit: each fails by the name of the check that must find it."""

import copy
import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.crossing import verify
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import ledger_entries
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import ExitCode
from ceremony.pki.draft import Draft
from ceremony.pki.profiles import CertificateProfile, proof_profile
from ceremony.words import sha256_hex
from tests.crossing.chaining import DAY
from tests.crossing.forging import drop, failed, insert_after, lines_where, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, first_session, later_ceremony, new_csr, second_session, spki, whole_ceremony

ROOT = "root/example-root-g1.cert.pem"


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"))


# --- forged from the start: the chain, the manifest and the sums are made to fit


def order_after_the_signature(ceremony: HeldCeremony) -> None:
    order = lines_where(ceremony, "ordered", key="proofs/confirm")[0]
    ceremony.lines.remove(order)
    result = lines_where(ceremony, "result", key="proofs/sign/example-dps")[0]
    ceremony.lines.insert(ceremony.lines.index(result) + 1, order)


def signature_without_outcome(ceremony: HeldCeremony) -> None:
    drop("result", key="batch/1/sign/beta.1")(ceremony)


def second_order_missing(ceremony: HeldCeremony) -> None:
    result = lines_where(ceremony, "result", key="proofs/sign/example-dps")[0]
    recovered = {
        "type": "recovered",
        "step": result["step"],
        "actor": None,
        "data": {"key": "proofs/sign/example-dps", "verb": "sign", "how": "signed-again"},
    }
    ceremony.lines.insert(ceremony.lines.index(result), recovered)


def vouched_by_one(ceremony: HeldCeremony) -> None:
    put("confirmed", {"key": "vouch/1/alpha.1/witness-1"}, by="admin")(ceremony)


def another_csr(ceremony: HeldCeremony) -> None:
    """The CSR that was used is not the file that came in."""
    for line in lines_where(ceremony, "step-finished"):
        for csr in line["data"]["products"].get("csrs", {}).values():
            csr["sha256"] = "0" * 64


def skipped_step(ceremony: HeldCeremony) -> None:
    ceremony.lines = [line for line in ceremony.lines if line["step"] != 3]


def repeated_step(ceremony: HeldCeremony) -> None:
    again = [copy.deepcopy(line) for line in ceremony.lines if line["step"] == 3]
    place = ceremony.lines.index(next(line for line in ceremony.lines if line["step"] == 4))
    ceremony.lines[place:place] = again


def in_another_step(ceremony: HeldCeremony) -> None:
    lines_where(ceremony, "intent", key="generate")[0]["step"] = 2


def forged_previous_seal(ceremony: HeldCeremony) -> None:
    line = lines_where(ceremony, "sealed")[-1]
    line["forged"], line["data"]["previous_seal"] = True, "0" * 64


def dropped_from_second_seal(ceremony: HeldCeremony) -> None:
    sealed = lines_where(ceremony, "sealed")[-1]["data"]
    sealed["artifacts"] = [artifact for artifact in sealed["artifacts"] if artifact["path"] != ROOT]


def aborted_before(ceremony: HeldCeremony) -> None:
    ceremony.lines.insert(-1, {"type": "aborted", "step": ceremony.step, "actor": None, "data": {"text": "no more"}})


def override_by_one(ceremony: HeldCeremony) -> None:
    by = [{"id": "admin", "name": "Kari Holm"}, {"id": "admin", "name": "Kari Holm"}]
    ceremony.lines.insert(
        -1, {"type": "deviation", "step": ceremony.step, "actor": "admin", "data": {"class": "override", "text": "why not", "by": by}}
    )


def second_signature_in_the_dark(ceremony: HeldCeremony) -> None:
    """A signature that the record tells of, and no certificate for it."""
    place = ceremony.lines.index(lines_where(ceremony, "intent", key="proofs/machine/check/1")[0])
    before, after = ceremony.lines[:place], ceremony.lines[place:]
    ceremony.lines = before
    step, ceremony.step = ceremony.step, before[-1]["step"]
    profile = proof_profile("ANOTHER-CODE", ceremony.root_der, dt.date.fromisoformat(DAY))
    ceremony.signed("dark", "proof", [("example-dps", ceremony.draft("dark", profile, spki(ec.generate_private_key(ec.SECP256R1()))))])
    ceremony.lines, ceremony.step = ceremony.lines + after, step


def certificate_in_the_dark(ceremony: HeldCeremony) -> None:
    """A certificate that the root signed, and no line tells of its signature."""
    ceremony.lines = [line for line in ceremony.lines if line["data"].get("key") != "batch/1/sign/beta.1"]


def unwritten_artifact(ceremony: HeldCeremony) -> None:
    drop("result", key="intermediates/beta.1.cert.pem/write")(ceremony)


def unsealed_artifact(ceremony: HeldCeremony) -> None:
    sealed = lines_where(ceremony, "sealed")[-1]["data"]
    sealed["artifacts"] = [artifact for artifact in sealed["artifacts"] if "beta" not in artifact["path"]]
    for path in ("intermediates/beta.1.cert.pem", "intermediates/beta.1.chain.pem"):
        del ceremony.artifacts[path]


def sealed_with_another_digest(ceremony: HeldCeremony) -> None:
    for line in (*lines_where(ceremony, "sealed")[-1:], *lines_where(ceremony, "result", key="intermediates/beta.1.cert.pem/write")):
        for artifact in line["data"].get("artifacts", [line["data"].get("value")]):
            if artifact["path"] == "intermediates/beta.1.cert.pem":
                artifact["subject"] = "CN=someone-else"


def another_signature(ceremony: HeldCeremony) -> None:
    put("result", {"key": "batch/1/sign/beta.1"}, value={"signature": "3006020101020101"})(ceremony)


def stolen_code(ceremony: HeldCeremony) -> None:
    """The code that people saw is another than the one the medium brought."""
    for line in lines_where(ceremony, "result", verb="import-request"):
        line["data"]["value"]["requests"][0]["proofs"][0]["verification_code"] = "F" * 40


def request_for_another_root(ceremony: HeldCeremony) -> None:
    lines_where(ceremony, "result", verb="import-request")[0]["data"]["value"]["requests"][0]["root_fingerprint"] = "0" * 64


def swapped_chain(ceremony: HeldCeremony) -> None:
    path = "intermediates/alpha.1.chain.pem"
    leaf, root = ceremony.artifacts["intermediates/alpha.1.cert.pem"], ceremony.artifacts[ROOT]
    ceremony.artifacts[path] = root + leaf
    for line in ceremony.lines:
        entries = line["data"].get("artifacts", [line["data"].get("value")]) if line["type"] in ("sealed", "result") else []
        for entry in entries:
            if entry and entry.get("path") == path:
                entry["sha256"] = sha256_hex(root + leaf)


FORGERIES: list[tuple[Callable[[HeldCeremony], None], str]] = [
    (drop("ordered", key="proofs/order"), "orders"),
    (drop("ordered", key="root/confirm"), "orders"),
    (put("ordered", {"key": "batch/1/confirm"}, by="officer"), "orders"),
    (put("ordered", {"key": "proofs/confirm"}, by="admin"), "orders"),
    (put("ordered", {"key": "proofs/order"}, digest="0" * 64), "orders"),
    (put("ordered", {"key": "proofs/order"}, value="aardvark adroitness aardvark adroitness"), "orders"),
    (order_after_the_signature, "orders"),
    (signature_without_outcome, "orders"),
    (second_order_missing, "orders"),
    (put("result", {"key": "batch/1/sign/beta.1"}, value={"given_up": True}), "orders"),
    (drop("result", key="proofs/machine/check/1"), "machine-checks"),
    (drop("confirmed", key="seen/witness-1"), "evidence"),
    (drop("confirmed", key="vouch/1/beta.1/admin"), "vouching"),
    (vouched_by_one, "vouching"),
    (skipped_step, "steps"),
    (repeated_step, "steps"),
    (in_another_step, "steps"),
    (put("step-started", {"kind": "check-clock"}, kind="attest"), "steps"),
    (forged_previous_seal, "seal"),
    (put("sealed", {"bundle": 2}, bundle=3), "seal"),
    (put("sealed", {"bundle": 2}, ceremony="0" * 32), "seal"),
    (dropped_from_second_seal, "seal"),
    (aborted_before, "seal"),
    (drop("signed-off", participant="witness-1"), "sign-offs"),
    (put("signed-off", {"participant": "admin"}, role="witness"), "sign-offs"),
    (put("signed-off", {"participant": "admin"}, name="Someone Else"), "sign-offs"),
    (put("signed-off", {"participant": "admin"}, ceremony="0" * 32), "sign-offs"),
    (put("signed-off", {"participant": "admin"}, rehearsal=False), "rehearsal"),
    (put("sealed", {}, rehearsal=False), "rehearsal"),
    (put("opened", {}, rehearsal=False), "rehearsal"),
    (put("sealed", {"bundle": 1}, root_certificate_sha256="0" * 64), "seal"),
    (override_by_one, "deviations"),
    (drop("result", key="root/confirm/signed"), "confirmations"),
    (put("confirmed", {"key": "present/admin"}, name="Someone Else"), "people"),
    (put("confirmed", {"key": "present/admin"}, role="witness"), "people"),
    (put("confirmed", {"key": "present/witness-1"}, name="Ida Moe"), "people"),
    (put("ordered", {"key": "root/order"}, by="witness-1"), "people"),
    (put("ordered", {"key": "root/order"}, by="nobody"), "people"),
    (put("resumed", {}, fingerprint_typed="0" * 64), "resumptions"),
    (put("resumed", {}, fingerprint_typed=None), "resumptions"),
    (put("resumed", {}, torn={"length": 3, "sha256": "0" * 64}), "resumptions"),
    (put("result", {"key": "copy"}, verb="lock"), "resumptions"),
    (drop("intent", key="generate"), "intents"),
    (put("intent", {"key": "generate"}, verb="random"), "intents"),
    (another_csr, "vouching"),
    (second_signature_in_the_dark, "artifacts-accounted"),
    (certificate_in_the_dark, "artifacts-accounted"),
    (unwritten_artifact, "artifacts-accounted"),
    (unsealed_artifact, "artifacts-accounted"),
    (sealed_with_another_digest, "artifacts-accounted"),
    (another_signature, "artifacts-accounted"),
    (drop("result", key="generate"), "root-certificate"),
    (put("sealed", {}, root_certificate_sha256="0" * 64), "root-certificate"),
    (stolen_code, "proofs"),
    (request_for_another_root, "proofs"),
    (drop("result", verb="proof-key"), "proofs"),
    (swapped_chain, "intermediates"),
]


@pytest.mark.parametrize(("forge", "check"), FORGERIES, ids=[f"{check}-{number}" for number, (_, check) in enumerate(FORGERIES)])
def test_a_forged_record_fails_by_name(held: HeldCeremony, tmp_path: Path, forge: Callable[[HeldCeremony], None], check: str) -> None:
    forged = held.forged()
    forge(forged)
    found = failed(verdict_on(forged, tmp_path))
    assert check in found
    assert not found & {"sums", "manifest", "transcript-chain"}


def test_every_check_of_the_record_is_found_red_here() -> None:
    found_elsewhere = {"window", "custody", "crl", "keys", "media", "ledger", "script", "transcript-chain", "manifest", "files"}
    found_elsewhere |= {"activation", "backup", "attachments", "attestation", "cross-certificates"}
    names = {name for name, _, _ in verify._CHECKS} | {"sign-offs", "deviations"}
    assert names == {check for _, check in FORGERIES} | found_elsewhere


def test_all_flags_changed_to_production_still_fail_by_module_and_subject(held: HeldCeremony, tmp_path: Path) -> None:
    forged = held.forged()
    for type in ("opened", "sealed", "signed-off"):
        put(type, {}, rehearsal=False)(forged)
    detail = next(check.detail for check in verdict_on(forged, tmp_path).checks if check.name == "rehearsal" and not check.passed)
    assert "its token was software" in detail
    assert "says REHEARSAL" in detail


def test_a_script_of_other_people_fails(held: HeldCeremony, tmp_path: Path) -> None:
    forged = held.forged()
    forged.script = held.script.replace(b"Kari Holm", b"Kari Olsen")
    assert "transcript-chain" in failed(verdict_on(forged, tmp_path))
    put("opened", {}, script={"id": "x", "title": "x", "sha256": sha256_hex(forged.script)})(forged)
    assert "sign-offs" in failed(verify_bundle(forged.write_bundle(tmp_path / "again")))


def test_production_needs_a_machine_without_findings_or_an_override_by_two(tmp_path: Path) -> None:
    held = whole_ceremony(tmp_path / "held", rehearsal=False, software=False)
    assert failed(verdict_on(held, tmp_path)) == set()
    finding = {"check": "routes", "verdict": "found", "detail": "default"}
    put("result", {"key": "proofs/machine/check/1"}, value={"findings": [finding]})(held)
    assert failed(verify_bundle(held.write_bundle(tmp_path / "unfit"))) == {"machine-checks"}
    result = lines_where(held, "result", key="proofs/machine/check/1")[0]
    insert_after(held, result, lambda held: held.overridden("known route", "officer", "witness-1"))
    bundle = held.write_bundle(tmp_path / "overridden")
    assert failed(verify_bundle(bundle)) == set()
    assert verify_bundle(bundle).deviations == ("override: known route",)
    assert failed(verify_bundle(bundle, no_deviations=True)) == {"no-deviations"}


def test_production_outside_the_window_fails_and_a_rehearsal_does_not(tmp_path: Path) -> None:
    for rehearsal, expected in ((False, {"window"}), (True, set())):
        folder = tmp_path / str(rehearsal)
        held = whole_ceremony(folder / "held", rehearsal=rehearsal, software=rehearsal)
        held.script = held.script.replace(b"from = 2026-11-24", b"from = 2026-11-25")
        put("opened", {}, script={"id": "x", "title": "x", "sha256": sha256_hex(held.script)})(held)
        assert failed(verdict_on(held, folder)) == expected


def test_a_refused_sign_off_is_told_and_is_a_deviation(held: HeldCeremony, tmp_path: Path) -> None:
    forged = held.forged()
    for line in lines_where(forged, "signed-off", participant="witness-1"):
        line["data"]["statement"] = "refused"
    for line in lines_where(forged, "intent", key="sign-off/witness-1/signed"):
        line["data"]["args"]["statement"]["statement"] = "refused"
    bundle = forged.write_bundle(tmp_path / "refused")
    verdict = verify_bundle(bundle)
    assert failed(verdict) == set()
    assert verdict.deviations == ("signed off refused by Eva Lund",)
    assert verify_bundle(bundle, no_deviations=True).exit_code == ExitCode.CHECK_FAILED


def test_a_signature_given_up_is_in_order_and_stands_in_the_ledger(tmp_path: Path) -> None:
    held = first_session(tmp_path / "held")
    held.cross()
    second_session_without(held, "beta.1")
    bundle = held.write_bundle(tmp_path / "bundle")
    assert failed(verify_bundle(bundle)) == set()
    states = {entry.subject: entry.state for entry in ledger_entries((bundle / LEDGER).read_bytes())}
    assert states["CN=beta.1,O=Example"] == "possibly-signed"
    assert states["CN=alpha.1,O=Example"] == "issued"


def second_session_without(ceremony: HeldCeremony, given_up: str) -> None:
    """The second session, in which one signature was interrupted and given up."""
    second_session(ceremony)
    ceremony.lines.pop()
    for line in [line for line in ceremony.lines if f"intermediates/{given_up}" in line["data"].get("key", "")]:
        ceremony.lines.remove(line)
    ceremony.artifacts = {path: octets for path, octets in ceremony.artifacts.items() if given_up not in path}
    key = f"batch/1/sign/{given_up}"
    result = lines_where(ceremony, "result", key=key)[0]
    result["data"]["value"] = {"given_up": True}
    recovered = {"type": "recovered", "step": result["step"], "actor": "officer", "data": {"key": key, "verb": "sign", "how": "given-up"}}
    ceremony.lines.insert(ceremony.lines.index(result), recovered)
    ceremony.lines = [line for line in ceremony.lines if line["step"] != ceremony.step]
    ceremony.step -= 1
    ceremony.seal("close")


def test_the_same_bytes_signed_again_after_a_new_order_are_in_order(held: HeldCeremony, tmp_path: Path) -> None:
    forged = held.forged()
    second_order_missing(forged)
    recovered = lines_where(forged, "recovered")[0]
    intent = lines_where(forged, "intent", key="proofs/sign/example-dps")[0]
    before = forged.lines[forged.lines.index(recovered) - 1]
    insert_after(forged, before, lambda held: held.ordered("proofs/sign/example-dps", intent["data"]["args"]["sha256"], "-again"))
    assert failed(verdict_on(forged, tmp_path)) == set()


# --- certificates that the script does not allow, signed by the root's own key


def test_a_proof_that_the_root_did_not_sign_itself_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = HeldCeremony.draft

    def by_whoever_signs(self: HeldCeremony, key: str, profile: CertificateProfile, public_key: bytes) -> Draft:
        return draft(self, key, dataclasses.replace(profile, issuer_public_key_der=spki(self.root_key)), public_key)

    monkeypatch.setattr(HeldCeremony, "draft", by_whoever_signs)
    held = first_session(tmp_path / "held")
    held.cross()
    root_key = held.root_key
    held.prepare()
    held.import_request({name: new_csr(f"CN={name},O=Example") for name in ("alpha.1", "beta.1")}, proof=True)
    held.root_key = ec.generate_private_key(ec.SECP384R1())
    held.prove()
    held.root_key = root_key
    held.sign_intermediates()
    held.seal("close")
    verdict = verdict_on(held, tmp_path)
    assert failed(verdict) == {"proofs"}
    assert any("not signed by the root itself" in check.detail for check in verdict.checks)


@pytest.mark.parametrize("change", ["more usages", "no usage", "a day longer"])
def test_an_intermediate_of_another_profile_fails(tmp_path: Path, change: str) -> None:
    held = first_session(tmp_path / "held")
    held.cross()
    table = held.tables.profiles["factory"]
    held.tables.profiles["factory"] = {
        "more usages": msgspec.structs.replace(table, extended_key_usage=("clientAuth", "serverAuth")),
        "no usage": msgspec.structs.replace(table, extended_key_usage=()),
        "a day longer": msgspec.structs.replace(table, not_after=table.not_after + dt.timedelta(days=1)),
    }[change]
    second_session(held)
    assert failed(verdict_on(held, tmp_path)) == {"intermediates"}


def test_an_intermediate_on_another_key_than_its_csr_fails(tmp_path: Path) -> None:
    held = first_session(tmp_path / "held")
    held.cross()
    held.prepare()
    held.import_request({name: new_csr(f"CN={name},O=Example") for name in ("alpha.1", "beta.1")}, proof=True)
    held.prove()
    held.products = copy.deepcopy(held.products)
    held.products["csrs"]["alpha.1"]["pem"] = new_csr("CN=alpha.1,O=Example").decode()
    held.sign_intermediates()
    held.seal("close")
    assert failed(verdict_on(held, tmp_path)) == {"intermediates"}


def test_a_name_outside_the_pattern_fails(tmp_path: Path) -> None:
    held = first_session(tmp_path / "held")
    held.cross()
    held.prepare()
    held.import_request({"alpha.1": new_csr("CN=alpha.1,O=Example"), "beta.1": new_csr("CN=beta.1,O=Another")}, proof=True)
    held.prove()
    held.sign_intermediates()
    held.seal("close")
    assert failed(verdict_on(held, tmp_path)) == {"intermediates"}


def test_a_serial_used_twice_fails(held: HeldCeremony, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = int(ledger_entries(held.bundle_files()[LEDGER])[-1].serial, 16)
    draft = HeldCeremony.draft
    monkeypatch.setattr(HeldCeremony, "draft", lambda self, key, profile, public_key: draft(self, key, profile, public_key, used))
    assert failed(verdict_on(later_ceremony(tmp_path / "later", held), tmp_path)) == {"ledger"}


def test_a_private_key_in_the_script_fails(tmp_path: Path, private_key_pem: bytes) -> None:
    held = whole_ceremony(tmp_path / "held")
    held.script += b"".join(b"# " + line for line in private_key_pem.splitlines(keepends=True))
    put("opened", {}, script={"id": "x", "title": "x", "sha256": sha256_hex(held.script)})(held)
    assert failed(verdict_on(held, tmp_path)) == {"private-keys"}
