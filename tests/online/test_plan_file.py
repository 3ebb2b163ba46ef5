"""The plan file: exactly what was planned, from exactly those files, or nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ceremony.canonical import canonical_json
from ceremony.online.apply import refuse_other_files, refuse_other_service
from ceremony.online.plan import plan_bytes, read_plan
from ceremony.online.receipts import Receipts
from tests.online.held_service import ROOT_NAME, HeldService
from tests.online.refusals import apply, plan_2, refused, stopped


def test_plan_for_another_service(held: HeldService) -> None:
    held.proved()
    plan = plan_2(held)
    stopped(lambda: refuse_other_service(plan, replace(held.config(), service="another-dps")), "ONLINE-CONFIG")
    stopped(lambda: refuse_other_service(plan, replace(held.config(), endpoint=None)), "ONLINE-CONFIG")


def test_plan_whose_pin_was_changed(held: HeldService) -> None:
    held.proved()
    octets = plan_bytes(plan_2(held))
    pinned = held.verified_2().intermediates["alpha.1"].sha256
    changed = read_plan(octets.replace(pinned.encode(), b"0" * 64))
    stopped(lambda: refuse_other_files(changed, held.verified_2()), "PLAN-FILE-CHANGED")
    other = read_plan(octets.replace(held.fingerprint_2.encode(), held.fingerprint_1.encode()))
    stopped(lambda: refuse_other_files(other, held.verified_2()), "PLAN-FILE-CHANGED")


ROOT_FILE = f"root/{ROOT_NAME}.cert.pem"


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (1, {"file": ROOT_FILE}),  # a group of the root: whatever the root signs would come in
        (1, {"secondary": ROOT_FILE}),
        (1, {"file": "intermediates/beta.1.cert.pem"}),
        (1, {"secondary": "intermediates/alpha.1.cert.pem"}),
        (1, {"settings": {"attestation": {"type": "x509", "x509": {"caReferences": {"primary": ROOT_NAME}}}}}),
        (1, {"settings": {"enrollmentGroupId": "beta.1"}}),
        (1, {"name": "gamma.1"}),
        (0, {"kind": "upload"}),
        (0, {"sign": "+"}),
        (0, {"name": "another-root"}),
        (0, {"kind": "self-attest", "file": "intermediates/alpha.1.cert.pem"}),
    ],
)
def test_plan_that_was_changed_into_what_no_plan_does(held: HeldService, number: int, changes: dict[str, Any]) -> None:
    """Well-formed, with true digests: only what it would do is not what `plan` ever writes."""
    held.proved()
    value = json.loads(plan_bytes(plan_2(held)))
    files = {path: found.sha256 for path, found in held.verified_2().files.items()}
    pins = {key: {"path": path, "sha256": files[path]} for key, path in changes.items() if key in ("file", "secondary")}
    value["actions"][number] |= {**changes, **pins}
    changed = read_plan(canonical_json(value) + b"\n")
    held.simulator.requests.clear()
    stopped(lambda: apply(held, changed), "PLAN-BROKEN")
    assert {made.request.method for made in held.simulator.requests} == {"GET"}
    assert held.state.groups == {} and not held.state.certificates[ROOT_NAME].is_verified


def test_bundle_that_changed_after_the_plan(held: HeldService) -> None:
    plan = held.folder / "plan-1"
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan)
    place = held.bundle_1 / f"root/{ROOT_NAME}.cert.pem"
    place.write_bytes(place.read_bytes() + b"\n")
    refused(held.run("apply", plan), "BUNDLE-REFUSED", 1)


@pytest.mark.parametrize("spoilt", [b"", b"{}\n", b"not json\n", b'{"format":2}\n', b"\xff\n"])
def test_plan_that_is_none(held: HeldService, spoilt: bytes) -> None:
    plan = held.folder / "plan"
    plan.write_bytes(spoilt)
    refused(held.run("apply", plan), "PLAN-BROKEN", 2)


def test_plan_with_a_key_too_many(held: HeldService) -> None:
    plan = held.folder / "plan-1"
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan)
    value = json.loads(plan.read_bytes())
    plan.write_bytes(canonical_json(value | {"also": 1}) + b"\n")
    refused(held.run("apply", plan), "PLAN-BROKEN", 2)


def test_plan_is_never_written_over(held: HeldService) -> None:
    plan = held.folder / "plan-1"
    plan.write_bytes(b"mine")
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan), "FILE-EXISTS", 2)
    assert plan.read_bytes() == b"mine"


def test_receipts_of_another_bundle(held: HeldService) -> None:
    held.proved()
    plan = plan_2(held)
    (held.folder / "receipts.jsonl").unlink()
    with Receipts(held.folder / "receipts.jsonl", "ab" * 32) as receipts:
        receipts.append("code-issued", "2026-11-24T12:00:00Z", {"name": "x"})
    stopped(lambda: apply(held, plan), "RECEIPTS-BROKEN")
    assert not held.state.certificates[ROOT_NAME].is_verified
