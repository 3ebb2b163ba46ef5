"""`ceremony online status`: what is there, what ends when, what is not as it should be."""

import json
from datetime import timedelta
from typing import Any

from ceremony.canonical import canonical_json
from ceremony.online.receipts import Receipts
from ceremony.simulator import certificates, groups
from tests.online.held_service import ROOT_NAME, HeldService
from tests.simulator.chains import root


def told(held: HeldService) -> dict[str, Any]:
    ran = held.run("status", "--json", "--receipts", held.folder / "receipts.jsonl")
    assert ran.code == 0, ran.err
    value: dict[str, Any] = json.loads(ran.out)
    assert canonical_json(value) + b"\n" == ran.out.encode()
    return value


def findings(held: HeldService, *kinds: str) -> list[tuple[str, str]]:
    return [(found["kind"], found["name"]) for found in told(held)["findings"] if found["kind"] in (kinds or ("danger", "drift"))]


def text_of(held: HeldService) -> str:
    ran = held.run("status", "--receipts", held.folder / "receipts.jsonl")
    assert ran.code == 0, ran.err
    assert max(map(len, ran.out.splitlines())) <= 80
    return ran.out


def open_door(held: HeldService) -> None:
    attestation = {"type": "x509", "x509": {"caReferences": {"primary": ROOT_NAME}}}
    groups.put(held.state, "open-door", {"enrollmentGroupId": "open-door", "attestation": attestation}, None)


def change(held: HeldService, name: str, **members: Any) -> None:
    group = held.state.groups[name]
    groups.put(held.state, name, groups.shown(held.state, group) | members, groups.quoted(group.etag))


def test_all_is_well(held: HeldService) -> None:
    held.settled()
    value = told(held)
    (certificate,) = value["certificates"]
    assert (certificate["name"], certificate["verified"], certificate["groups"]) == (ROOT_NAME, True, ["alpha.1", "beta.1"])
    assert certificate["sha256"] == held.verified_1().root_fingerprint
    assert [(group["name"], group["enabled"], group["refers_to"]) for group in value["groups"]] == [
        ("alpha.1", True, []), ("beta.1", True, []),
    ]  # fmt: skip
    assert findings(held) == []
    out = text_of(held)
    assert "Certificates: 1 of at most 25" in out and "Groups: 2 of at most 100" in out
    assert "Nothing is other than it should be." in out


def test_nothing_there(held: HeldService) -> None:
    assert told(held)["certificates"] == []
    assert "Groups: 0 of at most 100" in text_of(held)


def test_that_there_are_no_receipts_is_said(held: HeldService) -> None:
    held.settled()
    for name, said in (("receipts.jsonl", False), ("typo.jsonl", True)):
        assert ("There are no receipts" in held.run("status", "--receipts", held.folder / name).err) == said


def test_status_writes_nothing(held: HeldService) -> None:
    held.settled()
    receipts, before = (held.folder / "receipts.jsonl").read_bytes(), held.end_state()
    held.simulator.requests.clear()
    told(held)
    assert all(made.request.method == "GET" or made.request.path.endswith("/query") for made in held.simulator.requests)
    assert (held.end_state(), (held.folder / "receipts.jsonl").read_bytes()) == (before, receipts)


def test_a_group_that_refers_to_the_root_is_a_danger_in_words(held: HeldService) -> None:
    held.settled()
    open_door(held)
    assert findings(held) == [("danger", "open-door")]
    out = " ".join(text_of(held).split())
    assert f"DANGER: open-door: the group refers to the CA certificate {ROOT_NAME} itself" in out
    assert "`ceremony online disable open-door`" in out
    change(held, "open-door", provisioningStatus="disabled")
    assert findings(held) == [("drift", "open-door")]


def test_settings_changed_by_hand_are_drift(held: HeldService) -> None:
    held.settled()
    change(held, "alpha.1", reprovisionPolicy={"updateHubAssignment": False, "migrateDeviceData": True})
    texts = [found["text"] for found in told(held)["findings"] if found["name"] == "alpha.1"]
    assert any("updateHubAssignment yes" in text or "updateHubAssignment no" in text for text in texts)
    assert any("was changed since receipt 3" in text for text in texts)


def test_what_is_gone_or_put_back_since_our_receipts_is_drift(held: HeldService) -> None:
    held.settled()
    groups.delete(held.state, "beta.1", "*")
    assert findings(held) == [("drift", "beta.1")]
    assert "is gone; receipt 4 left it there" in text_of(held)


def test_a_device_that_bears_the_name_of_a_certificate_is_another_thing(held: HeldService) -> None:
    held.settled()
    with Receipts(held.folder / "receipts.jsonl", None) as receipts:
        data = {"service": "example-dps", "name": ROOT_NAME, "hub": "127.0.0.2", "group": "alpha.1", "etag_after": "of the hub"}
        receipts.append("device-disabled", "2026-11-24T12:00:00Z", data)
    assert findings(held) == []
    certificates.generate_code(held.state, ROOT_NAME, "*")
    assert findings(held) == [("drift", ROOT_NAME)]


def test_another_root_and_one_that_waits_are_told(held: HeldService) -> None:
    held.upload()
    assert ("note", ROOT_NAME) in findings(held, "note")
    assert "NOT VERIFIED" in text_of(held)
    assert findings(held) == []


def test_what_ends_soon_and_what_has_ended_is_told(held: HeldService) -> None:
    held.settled()
    group = held.state.groups["alpha.1"]
    from tests.simulator.chains import issue

    short = issue("short", root(), is_ca=True, ends=timedelta(days=30))
    over = issue("over", root(), is_ca=True, ends=timedelta(days=30))
    group.signing_certificates = (short.der,)
    held.state.groups["beta.1"].signing_certificates = (over.der,)
    ends = short.certificate.not_valid_after_utc
    held.simulator.faults.clock_skew += ends - held.server_time() - timedelta(days=10, hours=-1)
    assert any(found["text"] == "ends in 9 days." for found in told(held)["findings"])
    held.simulator.faults.clock_skew += timedelta(days=11)
    out = text_of(held)
    assert "EXPIRED" in out and "`ceremony online retire beta.1`" in " ".join(out.split())


def test_shared_keys_and_a_wrong_clock_are_notes(held: HeldService) -> None:
    held.settled()
    held.state.disable_local_auth = False
    held.move_clock(timedelta(hours=3))
    assert {("note", "access"), ("note", "clocks")} <= set(findings(held, "note"))


def test_broken_receipts_are_said(held: HeldService) -> None:
    held.settled()
    path = held.folder / "receipts.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"done"', b'"gone"', 1))
    assert "RECEIPTS-BROKEN" in held.run("status", "--receipts", path).err
