"""Devices over HTTPS: who is let in, who is not and why, and what the operator sees of it afterwards."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from ceremony.simulator.server import Simulator
from tests.simulator.calling import Caller
from tests.simulator.chains import Issued, device, intermediate, issue, root, write_chain

Files = tuple[Path, Path]


@pytest.fixture
def service(caller: Caller) -> Caller:
    """A service with a verified root and groups for the intermediates A and B."""
    caller.verified_root()
    assert caller.group("factory-a", intermediate("A")).status == 200
    assert caller.group("factory-b", intermediate("B")).status == 200
    return caller


def files(folder: Path, name: str, factory: str = "A", *, above: list[Issued] | None = None) -> Files:
    return write_chain(folder, name, device(name, intermediate(factory)), [intermediate(factory)] if above is None else above)


def registered(service: Caller, name: str, chain: Files) -> str:
    """Registers the device; the hub that it is given."""
    begun = service.register(name, chain)
    assert (begun.status, begun.body["status"]) == (202, "assigning")
    assert begun.headers["Retry-After"] == "1"
    ended = service.device("GET", f"{name}/operations/{begun.body['operationId']}", chain)
    assert (ended.status, ended.body["status"]) == (200, "assigned")
    return str(ended.body["registrationState"]["assignedHub"])


def test_a_device_is_let_in_and_its_leaf_is_pinned(simulator: Simulator, service: Caller, tmp_path: Path) -> None:
    chain = files(tmp_path, "device-1")
    hub = registered(service, "device-1", chain)
    assert hub in simulator.state.hubs
    assert (hub, "device-1") in simulator.state.devices
    looked_up = service.device("POST", "device-1", chain, {"registrationId": "device-1"})
    assert (looked_up.status, looked_up.body["x509"]) == (200, {"enrollmentGroupId": "factory-a"})


def test_the_operator_sees_who_came_in_through_a_group(service: Caller, tmp_path: Path) -> None:
    for name, factory in (("device-1", "A"), ("device-2", "A"), ("device-3", "B")):
        registered(service, name, files(tmp_path, name, factory))
    through_a = service.service("POST", "/registrations/factory-a/query", x_ms_max_item_count="1")
    rest = service.service("POST", "/registrations/factory-a/query", x_ms_continuation=through_a.headers["x-ms-continuation"])
    assert [found["registrationId"] for found in through_a.body + rest.body] == ["device-1", "device-2"]
    one = service.service("GET", "/registrations/device-3").body
    assert one["status"] == "assigned"
    assert service.service("DELETE", "/registrations/device-3", etag='"x"').status == 412
    assert service.service("DELETE", "/registrations/device-3", etag=one["etag"]).status == 204
    assert service.service("GET", "/registrations/device-3").status == 404
    assert service.service("POST", "/registrations/nobody/query").status == 404


def refused(service: Caller, name: str, chain: Files, why: str) -> None:
    said = service.register(name, chain)
    assert (said.status, said.headers["x-ms-error-code"]) == (401, str(said.number))
    assert why in said.body["message"]
    assert service.service("GET", f"/registrations/{name}").status == 404


def test_a_disabled_group_blocks_its_new_devices_alone(simulator: Simulator, service: Caller, tmp_path: Path) -> None:
    old = files(tmp_path, "old-device")
    hub = registered(service, "old-device", old)
    group = service.service("GET", "/enrollmentGroups/factory-a").body
    body = group | {"provisioningStatus": "disabled"}
    assert service.service("PUT", "/enrollmentGroups/factory-a", body, group["etag"]).status == 200
    refused(service, "new-device", files(tmp_path, "new-device"), "disabled")
    registered(service, "other-device", files(tmp_path, "other-device", "B"))
    assert simulator.state.devices[hub, "old-device"].is_enabled


def test_disabled_blocks_below_a_root_that_lets_in_and_deleted_does_not(service: Caller, tmp_path: Path) -> None:
    references = {"type": "x509", "x509": {"caReferences": {"primary": "simulated-root"}}}
    service.service("PUT", "/enrollmentGroups/by-root", {"enrollmentGroupId": "by-root", "attestation": references})
    group = service.service("GET", "/enrollmentGroups/factory-a").body
    service.service("PUT", "/enrollmentGroups/factory-a", group | {"provisioningStatus": "disabled"}, group["etag"])
    refused(service, "device-1", files(tmp_path, "device-1"), "disabled")
    assert service.service("DELETE", "/enrollmentGroups/factory-a").status == 204
    registered(service, "device-1", files(tmp_path, "device-1"))


def test_a_root_that_is_not_verified_lets_nobody_in(caller: Caller, tmp_path: Path) -> None:
    caller.upload("simulated-root", root())
    caller.group("factory-a", intermediate("A"))
    refused(caller, "device-1", files(tmp_path, "device-1"), "not verified")


def test_a_leaf_without_its_intermediate(service: Caller, tmp_path: Path) -> None:
    refused(service, "device-1", files(tmp_path, "device-1", above=[]), "missing")


def test_no_group_for_the_intermediate(service: Caller, tmp_path: Path) -> None:
    refused(service, "device-1", files(tmp_path, "device-1", "C"), "No certificate of the chain has an enrollment group")


def test_a_name_that_is_not_the_leafs(service: Caller, tmp_path: Path) -> None:
    refused(service, "device-2", files(tmp_path, "device-1"), "not the CN")


def test_an_expired_leaf(service: Caller, tmp_path: Path) -> None:
    leaf = issue("device-1", intermediate("A"), begins=timedelta(days=-2), ends=timedelta(days=-1))
    refused(service, "device-1", write_chain(tmp_path, "expired", leaf, [intermediate("A")]), "is valid")


def test_what_leads_to_nothing_known_and_what_no_path_may_hold_end_in_the_handshake(service: Caller, tmp_path: Path) -> None:
    unknown = intermediate("X", "Unknown Root")
    below = issue("Below A", intermediate("A"), is_ca=True)
    for above in ([unknown], [below, intermediate("A")]):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            service.register("stranger", write_chain(tmp_path, "stranger", device("stranger", above[0]), above))
    registered(service, "device-1", files(tmp_path, "device-1"))


def test_another_scope_another_operation_another_device(service: Caller, tmp_path: Path) -> None:
    one, two = files(tmp_path, "device-1"), files(tmp_path, "device-2")
    begun = service.register("device-1", one)
    assert service.device("PUT", "device-1/register", one, {}, scope="0ne00OTHER").status == 401
    assert service.device("GET", "device-1/operations/4.none", one).status == 404
    assert service.device("GET", f"device-1/operations/{begun.body['operationId']}", two).status == 401
    assert service.device("PUT", "device-1/register", one, {"registrationId": "device-2"}).status == 400
    assert service.device("PUT", "device-1/register", one, b"[").status == 400


def test_a_refusal_can_come_as_a_failed_operation(simulator: Simulator, service: Caller, tmp_path: Path) -> None:
    simulator.state.refuses_at_once = False
    chain = files(tmp_path, "device-1", "C")
    begun = service.register("device-1", chain)
    assert begun.status == 202
    ended = service.device("GET", f"device-1/operations/{begun.body['operationId']}", chain)
    assert (ended.body["status"], ended.body["registrationState"]["errorCode"]) == ("failed", 401002)


@pytest.mark.parametrize(
    ("factory", "name", "disabled", "says"),
    [
        ("C", "device-1", False, "CA certificate not found."),
        ("A", "device-2", False, "Invalid certificate."),
        ("A", "device-1", True, "IotHubUnauthorizedAccess"),
    ],
)
def test_it_can_say_no_more_than_the_service_itself(
    simulator: Simulator, service: Caller, tmp_path: Path, factory: str, name: str, disabled: bool, says: str
) -> None:
    simulator.state.explains_refusals = False
    if disabled:
        simulator.state.groups["factory-a"].record["provisioningStatus"] = "disabled"
    chain = files(tmp_path, "device-1", factory)
    said = service.register(name, chain)
    assert (said.status, said.number, said.body["message"]) == (401, 401002, says)
    assert said.body.keys() == {"errorCode", "trackingId", "message", "timestampUtc"}
    if name == "device-1":
        simulator.state.refuses_at_once = False
        begun = service.register(name, chain)
        ended = service.device("GET", f"{name}/operations/{begun.body['operationId']}", chain)
        assert ended.body["registrationState"]["errorMessage"] == says
