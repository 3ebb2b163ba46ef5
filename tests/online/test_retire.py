"""`ceremony online retire`: only what has expired or stands alone, disabled before, the name typed, a receipt each."""

import dataclasses
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.errors import CeremonyError
from ceremony.online.acts import Act
from ceremony.online.depends import groups_on
from ceremony.online.retire import retire, retirement_of
from ceremony.simulator import certificates, groups
from ceremony.simulator.faults import Drop, Fault
from ceremony.simulator.state import DpsState, Registration
from tests.online.held_service import AT_ONCE, QUICK, ROOT_NAME, HeldService, Ran
from tests.simulator.api_description import problems_with
from tests.simulator.chains import intermediate, issue, root


def run(held: HeldService, name: str, *more: str, confirm: str | None = "same") -> Ran:
    confirmed = ("--confirm", name if confirm == "same" else confirm) if confirm is not None else ()
    return held.run("retire", name, "--receipts", held.folder / "receipts.jsonl", *confirmed, *more)


def kinds(held: HeldService) -> list[tuple[str, str]]:
    return [(line.kind, line.data["name"]) for line in held.receipts()[4:]]


def expired(held: HeldService) -> HeldService:
    """All as wanted, and alpha.1 holds a certificate that has ended."""
    held.settled()
    over = issue("over", root(), is_ca=True, ends=timedelta(days=1))
    held.state.groups["alpha.1"].signing_certificates = (over.der,)
    held.simulator.faults.clock_skew += over.certificate.not_valid_after_utc - held.server_time() + timedelta(minutes=1)
    return held


def settled(held: HeldService) -> HeldService:
    return held.settled()


def test_an_expired_group_is_disabled_then_deleted(held: HeldService) -> None:
    expired(held)
    ran = run(held, "alpha.1", "--json")
    assert ran.code == 0, ran.err
    assert "disable the group alpha.1" in ran.err and "delete the group alpha.1, for good" in ran.err
    assert [act["kind"] for act in json.loads(ran.out)["acts"]] == ["group-disabled", "group-deleted"]
    assert sorted(held.state.groups) == ["beta.1"]
    assert kinds(held) == [("group-disabled", "alpha.1"), ("group-deleted", "alpha.1")]
    assert held.receipts()[-1].data["etag_after"] is None
    last_writes = [made.request.method for made in held.simulator.requests if made.request.method in ("PUT", "DELETE")][-2:]
    assert last_writes == ["PUT", "DELETE"]
    assert problems_with(held.simulator.requests) == []


def test_of_two_roots_of_one_name_a_group_stands_on_the_one_that_signed(held: HeldService) -> None:
    held.settled()
    with held.connected() as service:
        world = service.observe()
    (ours,) = world.certificates
    other = issue("another key", is_ca=True).certificate
    assert ours.shown is not None
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder().subject_name(ours.shown.subject).issuer_name(ours.shown.subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(other.not_valid_before_utc).not_valid_after(other.not_valid_after_utc)
    successor = dataclasses.replace(ours, name="successor", sha256="0" * 64, shown=builder.sign(key, hashes.SHA256()))
    both = dataclasses.replace(world, certificates=(ours, successor))
    assert len(groups_on(both, ours)) == 2 and groups_on(both, successor) == []
    hidden = tuple(dataclasses.replace(found, shown=None) for found in (ours, successor))
    assert [len(groups_on(dataclasses.replace(world, certificates=hidden), found)) for found in hidden] == [2, 2]


def test_a_disabled_one_is_only_deleted(held: HeldService) -> None:
    expired(held)
    held.run("disable", "alpha.1", "--receipts", held.folder / "receipts.jsonl")
    assert run(held, "alpha.1").code == 0
    assert kinds(held) == [("group-disabled", "alpha.1"), ("group-deleted", "alpha.1")]


def test_a_group_that_is_good_stays(held: HeldService) -> None:
    settled(held)
    ran = run(held, "alpha.1")
    assert (ran.code, "ONLINE-STILL-NEEDED" in ran.err, "is good until 2031-" in ran.err) == (7, True, True)
    assert "alpha.1" in held.state.groups


def test_a_group_whose_second_certificate_is_good_stays(held: HeldService) -> None:
    expired(held)
    held.state.groups["alpha.1"].signing_certificates += (intermediate("second").der,)
    held.state.groups["alpha.1"].record["attestation"]["x509"]["signingCertificates"]["secondary"] = {}
    assert "ONLINE-STILL-NEEDED" in run(held, "alpha.1").err
    assert "alpha.1" in held.state.groups


def test_compromised_is_for_roots(held: HeldService) -> None:
    settled(held)
    assert run(held, "alpha.1", "--compromised").code == 2
    assert "alpha.1" in held.state.groups


def test_a_root_with_enabled_groups_stays(held: HeldService) -> None:
    settled(held)
    ran = run(held, ROOT_NAME)
    assert (ran.code, "Enabled groups stand on example-root-g1: alpha.1, beta.1." in ran.err) == (7, True)
    assert ROOT_NAME in held.state.certificates


def test_a_root_whose_groups_are_disabled_goes(held: HeldService) -> None:
    settled(held)
    for name in held.names:
        held.run("disable", name, "--receipts", held.folder / "receipts.jsonl")
    assert run(held, ROOT_NAME).code == 0
    assert held.state.certificates == {}
    assert held.receipts()[-1].kind == "certificate-deleted"


def test_a_compromised_root_goes_after_its_groups_are_disabled(held: HeldService) -> None:
    settled(held)
    assert run(held, ROOT_NAME, "--compromised").code == 0
    assert held.state.certificates == {}
    assert [group.is_enabled for group in held.state.groups.values()] == [False, False]
    assert kinds(held) == [("group-disabled", "alpha.1"), ("group-disabled", "beta.1"), ("certificate-deleted", ROOT_NAME)]
    assert problems_with(held.simulator.requests) == []


def test_groups_of_another_root_are_left_alone(held: HeldService) -> None:
    settled(held)
    from tests.simulator.calling import Caller

    held.simulator.faults.clock_skew *= 0
    caller = Caller(held.simulator)
    caller.verified_root("another", root("Another Root"))
    caller.group("gamma.1", intermediate("gamma.1", of="Another Root"))
    assert run(held, ROOT_NAME, "--compromised").code == 0
    assert (list(held.state.certificates), held.state.groups["gamma.1"].is_enabled) == (["another"], True)


def test_a_group_of_an_unknown_issuer_counts_as_standing_on_it(held: HeldService) -> None:
    held.upload()
    from tests.simulator.calling import Caller

    Caller(held.simulator).group("gamma.1", intermediate("gamma.1", of="Nobody Knows"))
    ran = run(held, ROOT_NAME)
    assert (ran.code, "gamma.1" in ran.err) == (7, True)


def test_a_root_that_a_disabled_group_refers_to_stays_and_the_others_are_disabled(held: HeldService) -> None:
    settled(held)
    attestation = {"type": "x509", "x509": {"caReferences": {"primary": ROOT_NAME}}}
    groups.put(held.state, "open-door", {"enrollmentGroupId": "open-door", "attestation": attestation}, None)
    ran = run(held, ROOT_NAME, "--compromised")
    assert (ran.code, "ONLINE-STILL-NEEDED" in ran.err, "open-door" in ran.err) == (7, True, True)
    assert not any(group.is_enabled for group in held.state.groups.values())
    assert ROOT_NAME in held.state.certificates
    assert len(kinds(held)) == 3


# a group that refers to a CA certificate itself


def open_door(held: HeldService, reference: str = ROOT_NAME, name: str = "open-door") -> None:
    attestation = {"type": "x509", "x509": {"caReferences": {"primary": reference}}}
    groups.put(held.state, name, {"enrollmentGroupId": name, "attestation": attestation}, None)


def disabled(held: HeldService, *names: str) -> None:
    for name in names:
        assert held.run("disable", name, "--receipts", held.folder / "receipts.jsonl").code == 0


def test_an_open_door_is_closed_listed_and_taken_away_and_then_the_root_can_go(held: HeldService) -> None:
    settled(held)
    open_door(held)
    now = held.server_time()
    held.state.registrations["d-1"] = Registration("d-1", "open-door", "d-1", held.state.hubs[0], "initialAssignment", now, now, "00")
    ran = run(held, "open-door", "--confirm", ROOT_NAME)
    assert (ran.code, "and is enabled" in ran.err, "`ceremony online disable open-door`" in ran.err) == (7, True, True)
    disabled(held, "open-door", *held.names)
    assert run(held, ROOT_NAME).code == 7
    ran = run(held, "open-door", "--confirm", ROOT_NAME)
    assert ran.code == 0, ran.err
    assert f"delete the group open-door, for good; it let in whatever {ROOT_NAME} signs" in ran.err
    assert ran.out.split()[:3] == ["d-1", held.state.hubs[0], "d-1"]
    assert "open-door" not in held.state.groups
    last = held.receipts()[-1]
    assert (last.kind, last.data["open_to"], last.data["registrations"]) == ("group-deleted", [ROOT_NAME], 1)
    assert run(held, ROOT_NAME).code == 0
    assert held.state.certificates == {}
    assert problems_with(held.simulator.requests) == []


@pytest.mark.parametrize("shown", [True, False])
def test_a_group_that_holds_the_root_itself_is_an_open_door_too(held: HeldService, shown: bool) -> None:
    settled(held)
    held.state.shows_certificates = shown
    signing = {"primary": {"certificate": held.verified_2().root.pem.decode()}}
    attestation = {"type": "x509", "x509": {"signingCertificates": signing}}
    groups.put(held.state, "open-door", {"enrollmentGroupId": "open-door", "attestation": attestation}, None)
    told = held.run("status", "--json", "--receipts", held.folder / "receipts.jsonl").out
    (danger,) = [found for found in json.loads(told)["findings"] if found["kind"] == "danger"]
    assert (danger["name"], f"holds the CA certificate {ROOT_NAME} itself" in danger["text"]) == ("open-door", True)
    planned = held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2)
    assert (planned.code, f"! DANGER: the group open-door holds the CA certificate {ROOT_NAME}" in planned.out) == (0, True)
    assert run(held, "open-door", "--confirm", ROOT_NAME).code == 7
    disabled(held, "open-door")
    assert run(held, "open-door").code == 6
    assert run(held, "open-door", "--confirm", ROOT_NAME).code == 0
    assert sorted(held.state.groups) == ["alpha.1", "beta.1"]


@pytest.mark.parametrize("more", [(), ("--confirm", "another"), ("--confirm", "open-door")])
def test_of_an_open_door_the_certificates_name_is_typed_too(held: HeldService, more: tuple[str, ...]) -> None:
    settled(held)
    open_door(held)
    disabled(held, "open-door")
    ran = run(held, "open-door", *more)
    assert (ran.code, "ONLINE-NOT-CONFIRMED" in ran.err) == (6, True)
    assert "open-door" in held.state.groups


def test_whom_an_open_door_let_in_is_told_also_when_its_end_is_not_known(held: HeldService) -> None:
    settled(held)
    open_door(held)
    disabled(held, "open-door")
    now = held.server_time()
    held.state.registrations["d-1"] = Registration("d-1", "open-door", "d-1", held.state.hubs[0], "initialAssignment", now, now, "00")
    held.simulator.faults.add(Fault(status=403, method="DELETE"))
    ran = run(held, "open-door", "--confirm", ROOT_NAME, "--json")
    assert ran.code == 4
    told = json.loads(ran.out)
    assert (told["acts"], [entry["registration_id"] for entry in told["registrations"]]) == ([], ["d-1"])


def test_registrations_that_can_not_be_read_keep_an_open_door_there(held: HeldService) -> None:
    settled(held)
    open_door(held)
    disabled(held, "open-door")
    held.simulator.faults.add(Fault(status=403, method="POST", part="registrations"))
    assert run(held, "open-door", "--confirm", ROOT_NAME).code == 4
    assert "open-door" in held.state.groups


def test_an_open_door_that_is_opened_again_meanwhile_stays(held: HeldService) -> None:
    settled(held)
    open_door(held)
    disabled(held, "open-door")
    with held.connected(QUICK) as service:
        wanted = retirement_of(service.observe(), "open-door", only=None, compromised=False)
        group = held.state.groups["open-door"]
        body = groups.shown(held.state, group) | {"provisioningStatus": "enabled"}
        groups.put(held.state, "open-door", body, groups.quoted(group.etag))
        with pytest.raises(CeremonyError) as opened:
            retire(service, wanted, compromised=False, tell=lambda act: None)
    assert opened.value.code == "ONLINE-STILL-NEEDED"
    assert held.state.groups["open-door"].is_enabled


def test_under_another_ca_an_open_door_stays_while_a_group_could_take_its_devices(held: HeldService) -> None:
    """An intermediate that was uploaded as a CA: were its disabled group gone, that of its issuer would decide, and say yes."""
    settled(held)
    above = intermediate("above")
    below = issue("below", above, is_ca=True, ends=timedelta(days=900))
    certificates.put(held.state, "below", {"properties": {"certificate": below.pem, "isVerified": True}}, None)
    open_door(held, "below")
    disabled(held, "open-door")
    ran = run(held, "open-door", "--confirm", "below")
    assert (ran.code, "could come in through one of alpha.1, beta.1" in ran.err) == (7, True)
    assert "open-door" in held.state.groups
    disabled(held, *held.names)
    assert run(held, "open-door", "--confirm", "below").code == 0


def test_a_ca_that_the_service_does_not_show_may_stand_below_another(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(held)
    open_door(held)
    disabled(held, "open-door")
    whole = certificates.properties
    monkeypatch.setattr(certificates, "properties", lambda uploaded: {**whole(uploaded), "certificate": None})
    assert "ONLINE-STILL-NEEDED" in run(held, "open-door", "--confirm", ROOT_NAME).err
    assert "open-door" in held.state.groups


@pytest.mark.parametrize("confirm", [None, "alpha", "ALPHA.1", ""])
def test_without_the_name_nothing_happens(held: HeldService, confirm: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    expired(held)
    ran = run(held, "alpha.1", confirm=confirm)
    assert (ran.code, "ONLINE-NOT-CONFIRMED" in ran.err) == (6, True)
    assert held.state.groups["alpha.1"].is_enabled and kinds(held) == []


def test_at_a_terminal_the_name_is_typed(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    expired(held)
    monkeypatch.setattr("sys.stdin", Terminal("beta.1\n"))
    assert run(held, "alpha.1", confirm=None).code == 6
    monkeypatch.setattr("sys.stdin", Terminal("alpha.1\n"))
    assert run(held, "alpha.1", confirm=None).code == 0


def test_unknown_and_double_names(held: HeldService) -> None:
    settled(held)
    assert "AZURE-NOT-FOUND" in run(held, "nobody").err
    held.state.certificates["alpha.1"] = held.state.certificates[ROOT_NAME]
    held.state.certificates["alpha.1"].name = "alpha.1"
    assert "add --only" in run(held, "alpha.1").err
    assert "good until" in run(held, "alpha.1", "--only", "group").err


def test_changed_while_the_person_was_asked(held: HeldService) -> None:
    expired(held)
    with held.connected(QUICK) as service:
        wanted = retirement_of(service.observe(), "alpha.1", only=None, compromised=False)
        held.state.groups["alpha.1"].etag = "another"
        with pytest.raises(CeremonyError) as moved:
            retire(service, wanted, compromised=False, tell=lambda act: None)
    assert moved.value.code == "AZURE-CONFLICT"
    assert held.state.groups["alpha.1"].is_enabled


@pytest.mark.parametrize("drop", ["before", "after"])
def test_cut_at_each_request_only_what_is_disabled_is_deleted(
    held: HeldService, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired(held)
    kept, delete, were_enabled = held.state.groups["alpha.1"], groups.delete, []

    def seen(state: DpsState, group_id: str, if_match: str | None) -> None:
        were_enabled.append(state.groups[group_id].is_enabled)
        delete(state, group_id, if_match)

    monkeypatch.setattr(groups, "delete", seen)

    def whole() -> list[Act]:
        acts: list[Act] = []
        with held.connected(AT_ONCE) as service:
            wanted = retirement_of(service.observe(), "alpha.1", only=None, compromised=False)
            retire(service, wanted, compromised=False, tell=acts.append)
        return acts

    held.simulator.requests.clear()
    assert [act.kind for act in whole()] == ["group-disabled", "group-deleted"]
    count = len(held.simulator.requests)
    assert count > 8
    for nth in range(1, count + 1):
        held.state.groups["alpha.1"] = kept
        held.simulator.faults.cut(nth, drop)
        try:
            whole()
        except CeremonyError as cut:
            assert cut.code == "AZURE-UNREACHABLE"
            if "alpha.1" in held.state.groups:
                whole()
        assert "alpha.1" not in held.state.groups
    assert len(were_enabled) > count
    assert not any(were_enabled)
