"""online.toml, the environment and flags: which goes first, and all that is wrong at once."""

from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.online.config import OnlineConfig, is_loopback, read_config

ID = "11111111-2222-3333-4444-555555555555"
PLAIN = f'format = 1\nsubscription = "{ID}"\nresource_group = "rg"\nservice = "my-dps"\n'


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None, **flags: str | None) -> OnlineConfig:
    path = tmp_path / "online.toml"
    path.write_text(text)
    return read_config(path, environment or {}, flags)


def problems(tmp_path: Path, text: str, code: str = "ONLINE-CONFIG") -> str:
    with pytest.raises(CeremonyError) as caught:
        read(tmp_path, text)
    assert caught.value.code == code
    assert int(caught.value.exit_code) == (7 if code == "ONLINE-NOT-LOOPBACK" else 2)
    return caught.value.what


def test_defaults_are_those_of_the_original_tool(tmp_path: Path) -> None:
    config = read(tmp_path, PLAIN)
    assert (config.cloud, config.auth, config.is_simulator) == ("public", "default", False)
    assert (config.groups.update_hub_assignment, config.groups.migrate_device_data, config.groups.allocation) == (True, True, "hashed")
    assert (config.groups.hubs, config.groups.initial_twin, config.groups.iot_edge) == ((), None, False)


def test_flag_before_environment_before_file(tmp_path: Path) -> None:
    environment = {"AZURE_RESOURCE_GROUP": "from-environment", "AZURE_DPS_NAME": "env-dps"}
    config = read(tmp_path, PLAIN, environment, resource_group="from-flag", service=None)
    assert (config.resource_group, config.service, config.subscription) == ("from-flag", "env-dps", ID)


def test_no_file_at_all_is_enough_with_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_config(None, {"AZURE_SUBSCRIPTION_ID": ID}, {"resource_group": "rg", "service": "my-dps"})
    assert config.service == "my-dps"
    with pytest.raises(CeremonyError) as caught:
        read_config(None, {}, {"resource_group": "rg"})
    assert (caught.value.code, caught.value.what) == ("ONLINE-CONFIG-MISSING", "Not said: subscription, service.")


def test_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError) as caught:
        read_config(tmp_path / "none.toml", {}, {})
    assert caught.value.code == "ONLINE-CONFIG-MISSING"


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        'format = 2\nsubscripton = "x"\nresource_group = "r g"\nservice = "a"\ncloud = "usgovernment"\nauth = "azurecli"\n'
        '[groups]\nallocaton = "hashed"\nhubs = ["a", "a"]\niot_edge = 1\n[simulator]\nendpoint = "https://127.0.0.1:1"\n'
        "hub_port = 65536\n",
    )
    for part in (
        "format must be 1", "unknown key subscripton (nearest: subscription)", "resource_group must be", "service must be",
        "cloud must be one of public, us-government, china (nearest: us-government)", "auth must be one of", "(nearest: azure-cli)",
        "unknown key groups.allocaton (nearest: allocation)", "groups.hubs must be", "groups.iot_edge must be true or false",
        "simulator needs endpoint and ca_file", "simulator.hub_port must be the number of a port",
    ):  # fmt: skip
        assert part in told


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ('allocation = "static"', "static needs exactly one"),
        ('allocation = "custom"', 'custom allocation is not built, for the address of its webhook holds a key'),
        ('allocation = "geolatency"', "(nearest: geoLatency)"),
        ("[groups.initial_twin]\ntag = {}", "unknown key groups.initial_twin.tag (nearest: tags)"),
        ("[groups.initial_twin.desired]\nevery = 1.5", "float has no place"),
        ("[groups.secondaries]\nalpha = 'alpha'", "each intermediate may stand there once"),
        ("[groups.secondaries]\nalpha = 'Beta 1'", "gives names of intermediates"),
        ("secondaries = 1", "groups.secondaries must be a table"),
    ],
)
def test_groups_that_cannot_be(tmp_path: Path, groups: str, told: str) -> None:
    assert told in problems(tmp_path, f"{PLAIN}[groups]\n{groups}\n")


@pytest.mark.parametrize("octets", ["[", "a = 1\na = 2\n", "x" * 70000])
def test_what_is_not_toml(tmp_path: Path, octets: str) -> None:
    problems(tmp_path, octets)


@pytest.mark.parametrize(
    "endpoint", ["https://example.org", "http://127.0.0.1:1", "https://user@127.0.0.1:1", "https://127.0.0.1:1/x", "ftp://[::1]"]
)
def test_simulator_must_be_this_machine(tmp_path: Path, endpoint: str) -> None:
    problems(tmp_path, f'{PLAIN}[simulator]\nendpoint = "{endpoint}"\nca_file = "ca.pem"\n', "ONLINE-NOT-LOOPBACK")


def test_simulators_root_stands_beside_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, f'{PLAIN}[simulator]\nendpoint = "https://127.0.0.1:8443"\nca_file = "ca.pem"\n')
    assert config.ca_file == tmp_path / "ca.pem"
    assert config.is_simulator


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("127.0.0.1.example.org", False), ("0.0.0.0", False), ("", False),
    ],
)
def test_loopback_is_told_by_the_address_alone(host: str, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours
