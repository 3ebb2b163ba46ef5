"""Who may register and who may connect, on a state alone: no socket, no TLS, a clock that stands still."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.simulator.errors import Refused
from ceremony.simulator.registration import DISABLED, LONGEST_CHAIN, NOT_OURS, lookup, operation, refused_connection, register
from ceremony.words import sha256_hex
from tests.pki import material
from tests.simulator.device_chains import NOW, Factory, Holder, disable, enroll, factory, issued, upload

HUB = "127.0.0.2"


@pytest.fixture
def made() -> Factory:
    return factory()


def refusal(made: Factory, chain: list[bytes], registration_id: str = "dev-1") -> Refused:
    with pytest.raises(Refused) as refused:
        register(made.state, chain, registration_id, NOW)
    assert made.state.registrations == {}
    assert made.state.devices == {}
    return refused.value


def test_a_device_of_a_group_is_assigned_and_pinned_at_the_hub(made):
    leaf, chain = made.device("dev-1")
    outcome = register(made.state, chain, "dev-1", NOW)
    assert outcome.begun() == {"operationId": outcome.operation_id, "status": "assigning"}
    ended = operation(made.state, chain, "dev-1", outcome.operation_id).ended()
    assert ended["status"] == "assigned"
    assert ended["registrationState"] == lookup(made.state, chain, "dev-1", NOW)
    assert ended["registrationState"]["x509"] == {"enrollmentGroupId": "alpha.1"}
    assert ended["registrationState"]["assignedHub"] == HUB
    assert ended["registrationState"]["substatus"] == "initialAssignment"
    assert made.state.devices[HUB, "dev-1"].leaf_sha256 == sha256_hex(leaf.der)
    assert refused_connection(made.state, HUB, "dev-1", chain, NOW) == ""


def test_sending_the_root_too_is_harmless_and_the_order_above_the_leaf_is_free(made):
    _, chain = made.device("dev-1")
    assert register(made.state, [chain[0], made.root.der, chain[1]], "dev-1", NOW).registration


def test_without_its_intermediate_a_device_is_refused_though_a_group_holds_it(made):
    _, chain = made.device("dev-1")
    told = refusal(made, chain[:1])
    assert (told.status, told.number) == (401, NOT_OURS)
    assert told.message.startswith("CA certificate not found.")
    assert "intermediate missing" in told.message


def test_an_uploaded_root_that_is_not_verified_lets_nobody_in(made):
    upload(made.state, "root-g1", made.root, is_verified=False)
    told = refusal(made, made.device("dev-1")[1])
    assert (told.number, "not verified" in told.message) == (NOT_OURS, True)


def test_a_rogue_root_that_is_sent_along_is_not_trusted(made):
    rogue = issued("Root G1", is_ca=True)
    between = issued("alpha.1", rogue, is_ca=True)
    leaf = issued("dev-1", between)
    told = refusal(made, [leaf.der, between.der, rogue.der])
    assert told.message == "CA certificate not found. The chain is not valid up to an uploaded certificate."


def test_a_device_certificate_cannot_make_devices(made):
    leaf, chain = made.device("dev-0")
    child = issued("dev-1", leaf)
    assert refusal(made, [child.der, *chain]).number == NOT_OURS


def test_an_intermediate_under_another_breaks_the_path_length(made):
    below = issued("gamma.1", made.alpha, is_ca=True)
    leaf = issued("dev-1", below)
    assert refusal(made, [leaf.der, below.der, made.alpha.der]).number == NOT_OURS


def test_a_changed_signature_is_refused(made):
    leaf, chain = made.device("dev-1")
    broken = leaf.der[:-1] + bytes([leaf.der[-1] ^ 1])
    assert refusal(made, [broken, chain[1]]).number == NOT_OURS


@pytest.mark.parametrize("chain", [[], [b""], [b"\x30\x00"], [b"\x30\x80" * 40]])
def test_bytes_that_are_no_certificate_are_refused(made, chain):
    assert refusal(made, chain).message.startswith("Invalid certificate.")


def test_a_chain_over_the_cap_is_refused(made):
    _, chain = made.device("dev-1")
    assert register(made.state, chain + [made.root.der] * (LONGEST_CHAIN - 2), "dev-1", NOW).registration
    other = factory()
    _, chain = other.device("dev-1")
    assert "1 to 10 certificates" in refusal(other, chain + [other.root.der] * (LONGEST_CHAIN - 1)).message


@pytest.mark.parametrize(("asked", "common_name"), [("dev-1", "dev-2"), ("dev-1", "dev-1 "), ("dev-1", "dev-10")])
def test_the_registration_id_is_the_leafs_common_name(made, asked, common_name):
    told = refusal(made, made.device(common_name)[1], asked)
    assert told.message == "Invalid certificate. The registration id is not the CN of the device's certificate."


def test_two_common_names_are_none(made):
    assert refusal(made, made.device("dev-1", names=2)[1]).number == NOT_OURS


def test_the_common_name_counts_in_any_case(made):
    _, chain = made.device("DEV-1")
    assert register(made.state, chain, "dev-1", NOW).registration
    assert list(made.state.registrations) == ["dev-1"]


@pytest.mark.parametrize("registration_id", ["", "dev 1", "dev-1.", "dev/1", "dev_1_", "d" * 129, "dév", "dev-1\n"])
def test_registration_ids_that_the_service_does_not_allow(made, registration_id):
    leaf, chain = made.device("dev-1")
    assert (refusal(made, chain, registration_id).status) == 400


def test_every_time_is_the_services_own(made):
    for holder, at in (
        (made.device("dev-1")[1], NOW + timedelta(days=364, seconds=1)),  # the leaf has run out
        (made.device("dev-1")[1], NOW - timedelta(days=2)),  # nothing is valid yet
        (made.device("dev-1", days=9000)[1], NOW + timedelta(days=2500)),  # the intermediate has run out
    ):
        with pytest.raises(Refused) as refused:
            register(made.state, holder, "dev-1", at)
        assert refused.value.number == NOT_OURS
        assert refused.value.message.startswith("Invalid certificate. Number ")
        assert made.state.registrations == {}
    assert register(made.state, made.device("dev-1")[1], "dev-1", NOW + timedelta(days=363)).registration


def test_a_root_that_has_run_out_lets_nobody_in(made):
    old = issued("Root G0", is_ca=True, days=30)
    between = issued("old.1", old, is_ca=True)
    leaf = issued("dev-1", between)
    upload(made.state, "root-g0", old)
    enroll(made.state, "old.1", between)
    chain = [leaf.der, between.der]
    assert register(made.state, chain, "dev-1", NOW).registration
    with pytest.raises(Refused) as refused:
        register(made.state, chain, "dev-1", NOW + timedelta(days=30))
    assert refused.value.message.startswith("CA certificate not found.")


def test_a_disabled_group_refuses_its_devices_and_no_others(made):
    disable(made.state, "alpha.1")
    told = refusal(made, made.device("dev-1")[1])
    assert (told.status, told.number) == (401, DISABLED)
    assert register(made.state, made.device("dev-2", made.beta)[1], "dev-2", NOW).registration


def test_a_disabled_group_refuses_whatever_group_stands_above_it(made):
    enroll(made.state, "by-root", roots=("root-g1",))
    disable(made.state, "alpha.1")
    _, chain = made.device("dev-1")
    assert refusal(made, chain).number == DISABLED
    # Deleting it instead lets its devices in again: why the tool never deletes after a compromise.
    del made.state.groups["alpha.1"]
    outcome = register(made.state, chain, "dev-1", NOW)
    assert outcome.registration
    assert outcome.registration.group_id == "by-root"


def test_a_deleted_group_alone_lets_nobody_in(made):
    del made.state.groups["alpha.1"]
    assert "has an enrollment group" in refusal(made, made.device("dev-1")[1]).message


def test_the_secondary_certificate_of_a_group_counts_too(made):
    enroll(made.state, "alpha.1", made.beta, made.alpha)
    del made.state.groups["beta.1"]
    for name, intermediate in (("dev-1", made.alpha), ("dev-2", made.beta)):
        outcome = register(made.state, made.device(name, intermediate)[1], name, NOW)
        assert outcome.registration
        assert outcome.registration.group_id == "alpha.1"


def test_a_renewed_intermediate_of_the_same_key_is_another_certificate(made):
    again = issued("alpha.1", made.root, is_ca=True, path_length=0, key=made.alpha.key)
    leaf = issued("dev-1", again)
    assert "has an enrollment group" in refusal(made, [leaf.der, again.der]).message


def test_a_refusal_can_come_as_a_failed_result(made):
    made.state.refuses_at_once = False
    disable(made.state, "alpha.1")
    _, chain = made.device("dev-1")
    outcome = register(made.state, chain, "dev-1", NOW)
    assert outcome.begun()["status"] == "assigning"
    ended = operation(made.state, chain, "dev-1", outcome.operation_id).ended()
    assert (ended["status"], ended["registrationState"]["status"], ended["registrationState"]["errorCode"]) == (
        "failed",
        "failed",
        DISABLED,
    )
    assert made.state.registrations == {}
    assert made.state.devices == {}


def test_an_operation_is_told_to_its_own_device_alone(made):
    _, chain = made.device("dev-1")
    outcome = register(made.state, chain, "dev-1", NOW)
    _, others = made.device("dev-2")
    register(made.state, others, "dev-2", NOW)
    for asking, name, operation_id in (
        (others, "dev-2", outcome.operation_id),
        (others, "dev-1", outcome.operation_id),
        (chain, "dev-1", "4.0"),
    ):
        with pytest.raises(Refused) as refused:
            operation(made.state, asking, name, operation_id)
        assert refused.value.status in (401, 404)


def test_a_device_that_never_registered_can_be_looked_up_by_nobody(made):
    with pytest.raises(Refused, match="Registration not found"):
        lookup(made.state, made.device("dev-1")[1], "dev-1", NOW)


def test_a_provisioned_device_still_connects_after_its_group_is_disabled_or_deleted(made):
    _, chain = made.device("dev-1")
    register(made.state, chain, "dev-1", NOW)
    disable(made.state, "alpha.1")
    assert refused_connection(made.state, HUB, "dev-1", chain, NOW) == ""
    del made.state.groups["alpha.1"]
    assert refused_connection(made.state, HUB, "dev-1", chain, NOW) == ""


def test_what_a_hub_refuses(made):
    leaf, chain = made.device("dev-1")
    assert "never registered" in refused_connection(made.state, HUB, "dev-1", chain, NOW)
    register(made.state, chain, "dev-1", NOW)
    renewed = issued("dev-1", made.alpha, key=leaf.key)
    assert "must register again" in refused_connection(made.state, HUB, "dev-1", [renewed.der, made.alpha.der], NOW)
    assert "never registered" in refused_connection(made.state, "127.0.0.3", "dev-1", chain, NOW)
    assert "never registered" in refused_connection(made.state, HUB, "DEV-1", chain, NOW)
    assert "must register again" in refused_connection(made.state, HUB, "dev-1", [], NOW)
    assert "Invalid certificate" in refused_connection(made.state, HUB, "dev-1", chain, NOW + timedelta(days=365))
    register(made.state, [renewed.der, made.alpha.der], "dev-1", NOW)
    assert refused_connection(made.state, HUB, "dev-1", [renewed.der, made.alpha.der], NOW) == ""
    made.state.devices[HUB, "dev-1"].is_enabled = False
    assert refused_connection(made.state, HUB, "dev-1", [renewed.der, made.alpha.der], NOW) == "the device is disabled at the hub"


def test_a_device_disabled_at_its_hub_stays_so_when_it_registers_again(made):
    _, chain = made.device("dev-1")
    register(made.state, chain, "dev-1", NOW)
    made.state.devices[HUB, "dev-1"].is_enabled = False
    register(made.state, chain, "dev-1", NOW)
    assert not made.state.devices[HUB, "dev-1"].is_enabled


def _reported(made: Factory, hub: str) -> object:
    return made.state.devices[hub, "dev-1"].twin["properties"]["reported"].get("seen")


def _twice(update: bool, migrate: bool, *, moves: bool) -> tuple[Factory, str, str]:
    """Registers, reports, moves the group to another hub or not, registers again. Gives the hub and the substatus then."""
    made = factory(hubs=["127.0.0.2", "127.0.0.3"])
    policy = {"updateHubAssignment": update, "migrateDeviceData": migrate}
    enroll(made.state, "alpha.1", made.alpha, reprovisionPolicy=policy, iotHubs=["127.0.0.2"], initialTwin={"tags": {"site": "a"}})
    _, chain = made.device("dev-1")
    register(made.state, chain, "dev-1", NOW)
    made.state.devices["127.0.0.2", "dev-1"].twin["properties"]["reported"]["seen"] = 7
    if moves:
        made.state.groups["alpha.1"].record["iotHubs"] = ["127.0.0.3"]
    again = register(made.state, chain, "dev-1", NOW + timedelta(hours=1)).registration
    assert again
    assert (again.created, again.updated) == (NOW, NOW + timedelta(hours=1))
    assert [hub for hub, _ in made.state.devices] == [again.assigned_hub]
    assert made.state.devices[again.assigned_hub, "dev-1"].twin["tags"] == {"site": "a"}
    return made, again.assigned_hub, again.substatus


@pytest.mark.parametrize(
    ("update", "migrate", "moves", "hub", "substatus", "kept"),
    [
        (True, True, False, "127.0.0.2", "reprovisionedToInitialAssignment", 7),
        (True, True, True, "127.0.0.3", "deviceDataMigrated", 7),
        (True, False, True, "127.0.0.3", "deviceDataReset", None),
        (True, False, False, "127.0.0.2", "deviceDataReset", None),
        (False, False, True, "127.0.0.2", "initialAssignment", 7),
    ],
)
def test_reprovisioning(update, migrate, moves, hub, substatus, kept):
    made, got_hub, got_substatus = _twice(update, migrate, moves=moves)
    assert (got_hub, got_substatus, _reported(made, got_hub)) == (hub, substatus, kept)


def test_allocation_spreads_evenly_and_names_only_linked_hubs():
    made = factory(hubs=["127.0.0.2", "127.0.0.3"])
    hubs = []
    for number in range(20):
        registration = register(made.state, made.device(f"dev-{number}")[1], f"dev-{number}", NOW).registration
        assert registration
        hubs.append(registration.assigned_hub)
    assert set(hubs) == {"127.0.0.2", "127.0.0.3"}
    enroll(made.state, "alpha.1", made.alpha, allocationPolicy="static")
    assert register(made.state, made.device("static")[1], "static", NOW).registration.assigned_hub == "127.0.0.2"  # type: ignore[union-attr]
    for details in ({"iotHubs": ["hub.elsewhere.example"]}, {"allocationPolicy": "custom"}):
        enroll(made.state, "alpha.1", made.alpha, **details)
        with pytest.raises(Refused) as refused:
            register(made.state, made.device("other")[1], "other", NOW)
        assert refused.value.status == 400


def test_the_initial_twin_is_the_groups(made):
    twin = {"tags": {"line": 4}, "properties": {"desired": {"interval": 60}}}
    enroll(made.state, "alpha.1", made.alpha, initialTwin=twin)
    register(made.state, made.device("dev-1")[1], "dev-1", NOW)
    held = made.state.devices[HUB, "dev-1"].twin
    assert held == {"tags": {"line": 4}, "properties": {"desired": {"interval": 60, "$version": 1}, "reported": {"$version": 1}}}
    held["tags"]["line"] = 5
    assert twin["tags"] == {"line": 4}


def test_keys_of_384_bits_and_several_intermediates():
    made = factory()
    root = issued("Root P384", is_ca=True, key=ec.generate_private_key(ec.SECP384R1()))
    above: list[Holder] = [root]
    for level in range(4):
        above.append(issued(f"level-{level}", above[-1], is_ca=True))
    leaf = issued("dev-1", above[-1])
    upload(made.state, "root-p384", root)
    enroll(made.state, "deep", above[2])
    outcome = register(made.state, [leaf.der, *(holder.der for holder in reversed(above[1:]))], "dev-1", NOW)
    assert outcome.registration
    assert outcome.registration.group_id == "deep"


@pytest.mark.parametrize("kind", ["ec:secp384r1", "ec:secp521r1", "rsa:4096"])
def test_what_a_ceremony_makes_lets_devices_in(kind):
    root_der, root_key = material.root(kind), material.private_key(kind)
    key = ec.generate_private_key(ec.SECP384R1())
    alpha_der = material.issue(material.alpha(root_der), key, root_key)
    root, alpha = (Holder(x509.load_der_x509_certificate(der), key) for der in (root_der, alpha_der))
    state = factory().state
    upload(state, "root-g1", root)
    enroll(state, "alpha.1", alpha)
    leaf = issued("dev-1", alpha)
    assert register(state, [leaf.der, alpha.der], "dev-1", NOW).registration
