"""Bad input, and what it gets: the code, the exit code, and that nothing was sent."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ceremony.online.azure_errors import AzureFailure
from ceremony.online.data_plane import DataPlane
from ceremony.online.plan import make_plan
from ceremony.simulator import certificates, groups
from ceremony.simulator.faults import Drop, Fault
from tests.crossing.held_ceremony import first_session, whole_ceremony
from tests.online.azure_stand_in import names_service_host
from tests.online.held_service import AT_ONCE, QUICK, ROOT_NAME, SERVICE, HeldService, simulated
from tests.online.refusals import apply, azure_settings, plan_2, refused, stopped
from tests.simulator.chains import issue

# the bundle


def test_other_fingerprint_than_the_paper_says(held: HeldService) -> None:
    other = "0" * 64
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", other), "BUNDLE-REFUSED", 1)
    assert "fingerprint" in told
    assert held.simulator.requests == []


def test_part_of_a_fingerprint(held: HeldService) -> None:
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1[:16]), "ANCHOR-INCOMPLETE", 2)
    assert held.simulator.requests == []


def test_bundle_with_another_root_in_it(held: HeldService) -> None:
    path = f"root/{ROOT_NAME}.cert.pem"
    (held.bundle_1 / path).write_bytes(first_session(held.folder / "other").artifacts[path])
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "BUNDLE-REFUSED", 1)
    assert held.simulator.requests == []


def test_rehearsal_bundle_to_any_host_but_loopback(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    azure_settings(held, monkeypatch)
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-REHEARSAL", 7)


def test_rehearsal_plan_is_refused_by_apply_too(held: HeldService, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = held.folder / "plan-1"
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan)
    azure_settings(held, monkeypatch)
    refused(held.run("apply", plan), "ONLINE-REHEARSAL", 7)


@pytest.mark.parametrize("endpoint", ["https://management.azure.com", "http://127.0.0.1:1", "https://127.0.0.1.example.org", "https://10.0.0.1"])
def test_simulator_elsewhere_than_on_this_machine(held: HeldService, endpoint: str) -> None:
    held.settings(endpoint=endpoint)
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-NOT-LOOPBACK", 7)


@pytest.mark.parametrize(
    "host", ["dps.example.org:443", "127.0.0.1:443@example.org", "127.0.0.1:443/@example.org:1", "example.org/127.0.0.1:443", "127.0.0.1"]
)
def test_simulator_that_points_elsewhere_gets_no_second_call(held: HeldService, host: str) -> None:
    names_service_host(held.simulator, host)
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-NOT-LOOPBACK", 7)
    assert len(held.simulator.requests) == 1


def test_azure_host_outside_the_clouds_domain_gets_no_token(held: HeldService) -> None:
    config = replace(held.config(), endpoint=None, ca_file=None)
    stopped(lambda: DataPlane(config, "dps.example.org", held.credential), "AZURE-REFUSED")
    DataPlane(config, "mydps.azure-devices-provisioning.net", held.credential).close()


# what is at the service already


def test_root_there_with_other_bytes_is_never_written_over(held: HeldService, tmp_path: Path) -> None:
    other = first_session(tmp_path / "other")
    pem = other.artifacts[f"root/{ROOT_NAME}.cert.pem"].decode()
    certificates.put(held.state, ROOT_NAME, {"properties": {"certificate": pem}}, None)
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-CERTIFICATE-DIFFERS", 7)
    assert {made.request.method for made in held.simulator.requests} <= {"GET", "POST"}


def test_root_put_there_with_other_bytes_after_the_plan(held: HeldService, tmp_path: Path) -> None:
    plan = held.folder / "plan-1"
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plan)
    pem = first_session(tmp_path / "other").artifacts[f"root/{ROOT_NAME}.cert.pem"].decode()
    certificates.put(held.state, ROOT_NAME, {"properties": {"certificate": pem}}, None)
    told = refused(held.run("apply", plan), "PLAN-STALE", 1)
    assert f"the certificate {ROOT_NAME}" in told
    assert all(made.request.method != "PUT" for made in held.simulator.requests)
    assert not (held.folder / "receipts.jsonl").exists()


def test_root_put_there_between_read_and_write(held: HeldService, tmp_path: Path) -> None:
    """Nobody could confirm that the live service refuses a PUT without an etag: what was written is read again and compared."""
    pem = first_session(tmp_path / "other").artifacts[f"root/{ROOT_NAME}.cert.pem"].decode()
    with held.connected() as service:
        plan = make_plan(held.verified_1(), service.config, service.observe())

        def other_operator() -> None:
            if held.simulator.requests[-1].request.path.endswith(ROOT_NAME) and not held.state.certificates:
                certificates.put(held.state, ROOT_NAME, {"properties": {"certificate": pem}}, None)

        held.simulator.log.after_each = other_operator
        stopped(lambda: held.apply(service, plan, held.verified_1()), "AZURE-CONFLICT")
    assert not (held.folder / "receipts.jsonl").exists()


def test_a_name_in_other_letters_is_taken_too(held: HeldService, tmp_path: Path) -> None:
    """Nobody could confirm whether case counts: a name that differs in case alone is taken for the same."""
    other = first_session(tmp_path / "other").artifacts[f"root/{ROOT_NAME}.cert.pem"].decode()
    certificates.put(held.state, ROOT_NAME.upper(), {"properties": {"certificate": other}}, None)
    refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-CERTIFICATE-DIFFERS", 7)
    held.state.certificates.clear()
    held.proved()
    another = whole_ceremony(tmp_path / "another").artifacts["intermediates/alpha.1.cert.pem"]
    groups.put(held.state, "ALPHA.1", {"enrollmentGroupId": "ALPHA.1", "attestation": signing(another)}, None)
    stopped(lambda: plan_2(held), "ONLINE-GROUP-DIFFERS")


def test_root_there_under_another_name(held: HeldService) -> None:
    pem = held.verified_1().root.pem.decode()
    certificates.put(held.state, "somebody-elses", {"properties": {"certificate": pem}}, None)
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-CERTIFICATE-DIFFERS", 7)
    assert "somebody-elses" in told


def signing(pem: bytes) -> dict[str, object]:
    return {"type": "x509", "x509": {"signingCertificates": {"primary": {"certificate": pem.decode()}}}}


def test_group_name_taken_by_another_certificate(held: HeldService, tmp_path: Path) -> None:
    held.proved()
    other = whole_ceremony(tmp_path / "other").artifacts["intermediates/alpha.1.cert.pem"]
    groups.put(held.state, "alpha.1", {"enrollmentGroupId": "alpha.1", "attestation": signing(other)}, None)
    stopped(lambda: plan_2(held), "ONLINE-GROUP-DIFFERS")


def test_intermediate_in_another_group_already(held: HeldService) -> None:
    held.proved()
    pem = held.verified_2().intermediates["alpha.1"].pem
    groups.put(held.state, "by-hand", {"enrollmentGroupId": "by-hand", "attestation": signing(pem)}, None)
    assert "by-hand" in stopped(lambda: plan_2(held), "ONLINE-GROUP-DIFFERS").what


def test_world_that_moved_is_named_and_nothing_is_written(held: HeldService) -> None:
    held.proved()
    plan = plan_2(held)
    pem = held.verified_2().intermediates["beta.1"].pem
    groups.put(held.state, "new-one", {"enrollmentGroupId": "new-one", "attestation": signing(pem)}, None)
    caught = stopped(lambda: apply(held, plan), "PLAN-STALE")
    assert "the group new-one" in caught.what
    assert list(held.state.groups) == ["new-one"]
    assert not held.state.certificates[ROOT_NAME].is_verified


def test_another_service_under_the_same_name_is_not_the_planned_one(held: HeldService) -> None:
    held.proved()
    plan = plan_2(held)
    held.state.id_scope = "0ne00ANOTHER"
    assert "the service itself" in stopped(lambda: apply(held, plan), "PLAN-STALE").what
    assert not held.state.certificates[ROOT_NAME].is_verified


def test_no_group_when_the_root_is_no_longer_verified(held: HeldService) -> None:
    """Somebody takes it back after the plan was compared with the world, and before the group is written."""
    held.settled()
    groups.delete(held.state, "alpha.1", None)
    plan = plan_2(held)
    assert [(action.sign, action.name) for action in plan.changes] == [("+", "alpha.1")]

    def other_operator() -> None:
        if held.simulator.requests[-1].request.path == "/enrollmentGroups/query":
            held.state.certificates[ROOT_NAME].is_verified = False

    held.simulator.log.after_each = other_operator
    assert "is not verified" in stopped(lambda: apply(held, plan), "AZURE-CONFLICT").what
    assert list(held.state.groups) == ["beta.1"]


def test_no_group_before_the_root_is_verified(held: HeldService) -> None:
    held.upload()
    held.second_session()
    del held.state.certificates[ROOT_NAME]
    plan = plan_2(held)
    assert [(action.sign, action.kind) for action in plan.actions] == [("+", "upload")]
    assert "alpha.1 waits: a group is made when the root is verified." in plan.notes
    assert any("a new code is needed" in note for note in plan.notes)


def test_a_plan_tells_that_the_clocks_differ_and_that_no_hub_is_linked(held: HeldService) -> None:
    held.state.hubs = []
    out = " ".join(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1).out.split())
    assert "! The clocks differ: this machine's clock is" in out
    assert "! No hub is linked to the service" in out
    held.state.hubs, held.simulator.faults.clock_skew = ["127.0.0.2"], timedelta()
    with held.connected() as service:
        notes = " ".join(make_plan(held.verified_1(), service.config, service.observe()).notes)
    assert "clocks" not in notes and "hub" not in notes


# limits and names


def with_others(held: HeldService, *, roots: int = 0, others: int = 0) -> None:
    for number in range(len(held.state.certificates), roots):
        pem = issue(f"Other root {number}", is_ca=True).pem
        certificates.put(held.state, f"other-{number}", {"properties": {"certificate": pem}}, None)
    for number in range(len(held.state.groups), others):
        name, pem = f"other-{number}", issue(f"Other {number}", is_ca=True).pem
        groups.put(held.state, name, {"enrollmentGroupId": name, "attestation": signing(pem.encode())}, None)


def test_25_certificates_are_seen_at_plan_time(held: HeldService) -> None:
    with_others(held, roots=24)
    ran = held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1)
    assert "! The service will hold 25 of at most 25 certificates." in ran.out
    with_others(held, roots=25)
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-LIMIT", 1)
    assert "holds 25 certificates; 1 more would be 26" in told


def test_100_groups_are_seen_at_plan_time(held: HeldService) -> None:
    held.proved()
    with_others(held, others=77)
    assert not any("groups" in note for note in plan_2(held).notes)
    with_others(held, others=78)
    assert "The service will hold 80 of at most 100 X.509 enrollment groups." in plan_2(held).notes
    with_others(held, others=99)
    assert "2 more would be 101" in stopped(lambda: plan_2(held), "ONLINE-LIMIT").what


def test_names_that_the_service_does_not_take(tmp_path: Path) -> None:
    with simulated(tmp_path, names=("ends.with.a.dot.",)) as held:
        held.proved()
        assert "ends.with.a.dot." in stopped(lambda: plan_2(held), "ONLINE-NAME").what


@pytest.mark.parametrize("label", ["x" * 65, "two words", "under/score", "..", "", "r\u00f8t"])
def test_a_root_label_that_can_not_be_a_certificates_name(held: HeldService, label: str) -> None:
    with held.connected() as service:
        bundle = replace(held.verified_1(), label=label)
        stopped(lambda: make_plan(bundle, service.config, service.observe()), "ONLINE-NAME")
    assert {made.request.method for made in held.simulator.requests} <= {"GET", "POST"}


def test_dots_alone_are_the_name_of_nothing_and_reach_no_address(held: HeldService) -> None:
    for name in (".", ".."):
        refused(held.run("disable", name, "--receipts", held.folder / "receipts.jsonl"), "AZURE-NOT-FOUND", 4)
    assert {made.request.path.rpartition("/")[2] for made in held.simulator.requests} <= {SERVICE, "query"}


def test_flags_that_name_nothing(held: HeldService) -> None:
    held.proved()
    for option in (["--enable", "gamma.1"], ["--self-attest", "another-root"]):
        told = refused(held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2, *option), "USAGE", 2)
        assert option[1].split("-")[0] in told


def test_hub_that_is_not_linked(held: HeldService) -> None:
    held.settings('hubs = ["elsewhere.example.org"]')
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "ONLINE-CONFIG", 2)
    assert "elsewhere.example.org, which is not linked to the service (127.0.0.2)" in told


# shared keys


def test_a_service_without_shared_keys_is_all_the_same_to_us_and_one_with_them_is_told(held: HeldService) -> None:
    for off in (False, True):
        held.state.disable_local_auth = off
        ran = held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1)
        assert (ran.code, "takes shared access keys too" in ran.err) == (0, not off)
    held.settled()
    assert all(made.request.headers["authorization"] == "Bearer ..." for made in held.simulator.requests)
    assert not any("listkeys" in made.request.path.lower() for made in held.simulator.requests)


# authentication, roles, the network


def test_token_that_runs_out_midway_and_the_next_run_goes_on(held: HeldService) -> None:
    held.proved()
    plan = plan_2(held)

    def run_out() -> None:
        if held.simulator.requests[-1].request.path.endswith("/verify"):
            held.simulator.faults.expire(held.credential._token)

    held.simulator.log.after_each = run_out
    caught = stopped(lambda: apply(held, plan), "AZURE-AUTHENTICATION")
    assert int(caught.exit_code) == 4
    held.simulator.log.after_each = None
    held.simulator.faults.clear()
    held.move_clock(timedelta())
    apply(held, plan)
    assert sorted(held.state.groups) == ["alpha.1", "beta.1"]


def test_missing_role_is_named(held: HeldService) -> None:
    held.simulator.faults.add(Fault(status=403, face="arm"))
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "AZURE-ROLE-MISSING", 4)
    assert "Microsoft.Devices/provisioningServices/read" in told
    held.simulator.faults.add(Fault(status=403, face="service"))
    told = refused(held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), "AZURE-ROLE-MISSING", 4)
    assert "Device Provisioning Service Data Contributor" in told


def test_no_such_service(held: HeldService) -> None:
    told = held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "--service", "another-dps")
    refused(told, "AZURE-NOT-FOUND", 4)


def test_nobody_listens(held: HeldService) -> None:
    held.simulator.stop()
    with pytest.raises(AzureFailure) as caught, held.connected(AT_ONCE):
        pass
    assert (caught.value.code, int(caught.value.exit_code)) == ("AZURE-UNREACHABLE", 4)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_connection_lost_at_any_request_of_a_look_is_made_again(held: HeldService, drop: Drop) -> None:
    for command in (("plan", held.bundle_1, "--fingerprint", held.fingerprint_1), ("status",)):
        for nth in range(1, 5):
            held.simulator.requests.clear()
            held.simulator.faults.cut(nth, drop)
            assert held.run(*command).code == 0
            assert len(held.simulator.requests) == (4 if nth < 4 else 3)
            held.simulator.faults.clear()
            held.move_clock(timedelta())


def test_a_write_that_took_effect_and_lost_its_answer_is_no_failure(held: HeldService) -> None:
    """The first try took effect and its answer was lost: what stands at the service is looked at and compared, and counts as done."""
    held.proved()
    plan = plan_2(held)
    held.simulator.faults.add(Fault(drop="after", part="/verify"))
    with held.connected(QUICK) as service:
        held.apply(service, plan)
    verify = next(line for line in held.receipts() if line.kind == "certificate-verified")
    assert verify.data["how"] == "found"
