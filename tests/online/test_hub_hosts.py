"""A hub's registry, as the tool calls it: which hosts and names get anything, for which token, and what may come back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ceremony.errors import CeremonyError
from ceremony.online import credentials, hub_registry
from ceremony.online.clouds import CLOUDS
from ceremony.simulator.faults import Fault
from ceremony.simulator.http_server import HttpsServer
from ceremony.simulator.hub_registry import HubFace
from ceremony.simulator.tls import server_context
from tests.online.azure_stand_in import NAMES, SENTINEL, AzureStandIn, azure_cli, stand_in, token_for
from tests.online.disabling import at_hub, disable, enabled, states
from tests.online.factory_service import Factories
from tests.online.held_service import HeldService
from tests.simulator.mqtt_client import HUB


@pytest.mark.parametrize("host", ["hub.example", "127.0.0.1.example", "10.0.0.1", "myhub.azure-devices.net"])
def test_a_host_that_the_simulator_can_not_mean_gets_nothing(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def no_client(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a client for it was made")

    held.state.registrations["a-1"].assigned_hub = host
    monkeypatch.setattr(hub_registry, "RestClient", no_client)
    ran = disable(held, hubs=(host,))
    assert (ran.code, "AZURE-REFUSED" in ran.err, "no token is sent there" in ran.err) == (4, True, True)
    assert (enabled(held), f"NOT disabled at {host}: a-1." in ran.err) == (False, True)


class NobodyConnected:
    """The connections of a hub at which there are none."""

    def is_open(self, hub: str, device_id: str) -> bool:
        return False

    def drop(self, hub: str, device_id: str) -> None:
        """There is nothing to drop."""


@contextmanager
def at_azure(held: HeldService, bare: pytest.MonkeyPatch, cloud: str) -> Iterator[tuple[AzureStandIn, str]]:
    """The cloud's own names lead to the simulator, whose devices are at a hub of that cloud; the hub's name."""
    host, there = f"Example-Hub.{CLOUDS[cloud].hub_domain}", held.simulator
    for registration in held.state.registrations.values():
        registration.assigned_hub = host
    held.state.devices = {(host, key): device for (_, key), device in held.state.devices.items()}
    face = HubFace(held.state, there.faults, host, NobodyConnected())
    server = HttpsServer(("127.0.0.1", 0), face, held.state, there.faults, there.log, server_context(there.identity))
    server.start()
    try:
        with stand_in(held, bare, cloud, {host.lower(): server.port}) as azure:
            azure_cli(Path(os.environ["PATH"]))
            yield azure, host
    finally:
        server.stop()


@pytest.mark.parametrize("cloud", list(CLOUDS))
def test_each_cloud_has_its_own_hubs_and_a_token_for_them_alone(
    held: HeldService, factories: Factories, bare: pytest.MonkeyPatch, cloud: str
) -> None:
    with at_azure(held, bare, cloud) as (azure, host):
        ran = disable(held, "--auth", "azure-cli", hubs=(host,))
    assert (ran.code, states(held)["a-1"]) == (0, False), ran.err
    assert set(azure.connected_to) == {azure.manager, azure.service_host, host.lower()}
    scope = "https://iothubs.azure.us/.default" if cloud == "us-government" else "https://iothubs.azure.net/.default"
    assert {token for at, token in azure.bearers if at == host.lower()} == {token_for(scope)}
    assert {at for at, token in azure.bearers if token == token_for(scope)} == {host.lower()}


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        "azure-devices.net",
        "elsewhere.example/x.azure-devices.net",
        "elsewhere.example#.azure-devices.net",
        "elsewhere.example?.azure-devices.net",
        "elsewhere.example\\.azure-devices.net",
        "a.azure-devices.net@elsewhere.example",
        "a.azure-devices.net:8443",
        "a.azure-devices.us",
        "a.evilazure-devices.net",
        "a.azure-devices-provisioning.net",
        "127.0.0.2",
    ],
)
def test_a_host_that_is_no_hub_of_the_cloud_gets_no_token(
    held: HeldService, factories: Factories, bare: pytest.MonkeyPatch, host: str
) -> None:
    with at_azure(held, bare, "public") as (azure, _):
        for registration in held.state.registrations.values():
            registration.assigned_hub = host
        ran = disable(held, "--auth", "azure-cli", hubs=(host,))
    assert (ran.code, "AZURE-REFUSED" in ran.err, "no token is sent there" in ran.err) == (4, True, True)
    assert (enabled(held), states(held)["a-1"]) == (False, True)
    assert set(azure.connected_to) == set(NAMES["public"][:2])
    asked = (Path(os.environ["PATH"]) / "asked").read_text()
    assert "iothubs" not in asked


def test_sentinel_is_in_nothing_that_disabling_devices_leaves(
    held: HeldService, factories: Factories, everything_logged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sentinel(credentials.SimulatorCredential):
        def __init__(self) -> None:
            super().__init__()
            self._token = f"{SENTINEL}0123456789"

    monkeypatch.setattr(credentials, "SimulatorCredential", Sentinel)
    told, changed = [], Fault(status=412, method="PUT")
    for fault in (Fault(status=403), Fault(status=401), Fault(status=400), changed, Fault(status=429), Fault(drop="after")):
        fault.face = "hub"
        held.simulator.faults.add(fault)
        told.append(disable(held))
    told.append(disable(held, "--json"))
    assert [ran.code for ran in told] == [4, 4, 4, 0, 0, 0, 0]
    assert len(at_hub(held)) > 10
    assert everything_logged.stat().st_size > 5_000
    files = [path for path in held.folder.rglob("*") if path.is_file()]
    assert everything_logged in files
    texts = [ran.out + ran.err for ran in told] + [path.read_text(errors="replace") for path in files]
    assert not any("SENTINEL" in text for text in texts)


@pytest.mark.parametrize("device_id", ["..", ".", "a/b", "é", "a\n", "a" * 129, ""])
def test_a_name_that_no_device_may_have_reaches_no_address(held: HeldService, factories: Factories, device_id: str) -> None:
    with held.connected() as service, service.hub(HUB) as registry, pytest.raises(CeremonyError) as refused:
        registry.device(device_id)
    assert (refused.value.code, at_hub(held)) == ("AZURE-REFUSED", [])


def test_odd_names_that_a_device_may_have_are_one_part_of_the_path(held: HeldService, factories: Factories) -> None:
    with held.connected() as service, service.hub(HUB) as registry:
        assert registry.device("a-1?x=%2F#+:.") is None
    assert at_hub(held)[0].request.segments() == ["devices", "a-1?x=%2F#+:."]


@pytest.mark.parametrize("spoilt", [{"etag": ""}, {"etag": None}, {"etag": "a\r\nX: y"}, {"deviceId": "x-9"}])
def test_an_answer_without_an_etag_or_of_another_device_is_written_nowhere(
    held: HeldService, factories: Factories, monkeypatch: pytest.MonkeyPatch, spoilt: dict[str, Any]
) -> None:
    """With `If-Match: ""` a hub would make a new device."""
    whole = HubFace._shown
    shown = lambda self, device: replace(found := whole(self, device), body={**found.body, **spoilt})  # noqa: E731 - in one place
    monkeypatch.setattr(HubFace, "_shown", shown)
    assert disable(held).code == 4
    assert at_hub(held, "PUT") == []


def test_what_a_device_is_known_by_is_shown_nowhere(held: HeldService, factories: Factories) -> None:
    with held.connected() as service, service.hub(HUB) as registry:
        assert "authentication" not in repr(registry.device("a-1"))
