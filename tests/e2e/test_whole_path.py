"""The whole path by its commands: factory, ceremony, the online side on the simulator, devices at their hub, a compromise."""

import errno
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState
from hsm.errors import TokenError
from hsm.softhsm import find_softhsm
from tests.e2e.commands import SCRIPTS, Ended, ceremony, last_bundle, refused
from tests.e2e.held import gone_on_to_the_end, status
from tests.e2e.openssl import openssl
from tests.factory.given import FactoryToken
from tests.simulator.api_description import problems_with

DEVICES = ("sensor-1", "sensor-2")
DEVICE_PORT = 8883


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """`example-dps` at a pair of loopback addresses of its own: the device library knows one port alone."""
    place = tmp_path / "simulator"
    place.mkdir()
    for number in range(200, 250):
        state = DpsState(service_name="example-dps", hubs=[f"127.0.{number}.2"])
        try:
            started = Simulator(place, state=state, host=f"127.0.{number}.1", mqtt_port=DEVICE_PORT)
        except OSError as taken:
            if taken.errno != errno.EADDRINUSE:
                raise
            continue
        with started:
            yield started
        return
    pytest.fail(f"port {DEVICE_PORT} is taken everywhere")


class Run:
    """The places of one run, and the commands in it."""

    def __init__(self, folder: Path, simulator: Simulator, token: FactoryToken) -> None:
        self.folder, self.simulator, self.token = folder, simulator, token
        self.online_toml = folder / "online.toml"
        state = simulator.state
        self.online_toml.write_text(
            f'format = 1\nsubscription = "{state.subscription_id}"\nresource_group = "{state.resource_group}"\nservice = "example-dps"\n'
            f'[simulator]\nendpoint = "{simulator.arm_url}"\nca_file = "{simulator.ca_file}"\n'
        )

    def done(self, *arguments: str | Path) -> str:
        ended = self.run(*arguments)
        assert ended.code == 0, (arguments, ended)
        return ended.out

    def run(self, *arguments: str | Path) -> Ended:
        return ceremony(*arguments, cwd=self.folder, environ=self.token.environ)

    def online(self, *arguments: str | Path) -> str:
        return self.done("online", *arguments, "--config", self.online_toml)

    def applied(self, bundle: Path, fingerprint: str, name: str) -> None:
        self.online("plan", bundle, "--fingerprint", fingerprint, "-o", self.folder / name)
        self.online("apply", self.folder / name)

    def device(self, verb: str, name: str, *more: str | Path) -> Ended:
        (chain,) = (self.folder / "devices").rglob(f"{name}.chain.pem")
        host, https_port = self.simulator.device_host.rsplit(":", 1)
        where = ("--host", host, "--https-port", https_port, "--trust", self.simulator.ca_file)
        return self.run("device", verb, "--cert", chain, "--key", chain.with_name(f"{name}.key.pem"), *where, *more)

    def connected(self, name: str) -> dict[str, Any]:
        ended = self.device("connect", name, "--json")
        assert ended.code == 0, ended
        told: dict[str, Any] = json.loads(ended.out)
        return told


@pytest.fixture
def run(tmp_path: Path, simulator: Simulator) -> Run:
    try:
        module = find_softhsm()
    except TokenError as missing:
        pytest.skip(missing.what)
    return Run(tmp_path, simulator, FactoryToken.made(module, tmp_path / "factory-token"))


def test_from_the_factory_to_a_connected_device_and_a_compromise(run: Run) -> None:
    folder, state = run.folder, run.simulator.state
    bundle, fingerprint = certified_and_proved(run)
    assert state.certificates["example-root-g1"].is_verified
    assert sorted(state.groups) == ["alpha.1", "beta.1"]

    run.done("factory", "accept", folder / "alpha", bundle, "--fingerprint", fingerprint)
    pin = run.token.options(folder)[-2:]
    (folder / "ids").write_text("".join(f"{name}\n" for name in DEVICES))
    run.done("factory", "issue", folder / "alpha", "--ids", folder / "ids", "-o", folder / "devices", *pin)
    chains_hold(folder, bundle)
    handshakes_by_tls_1_2(run)

    assert run.device("register", "sensor-1", "--id-scope", state.id_scope).code == 0
    asked = len(registrations(run))
    first = run.connected("sensor-1")
    assert (first["assignedHub"], first["deviceId"], first["fromCache"]) == (state.hubs[0], "sensor-1", True)
    again = run.connected("sensor-1")
    assert again["fromCache"] and len(registrations(run)) == asked
    assert len(state.devices[state.hubs[0], "sensor-1"].telemetry) == 2

    run.online("disable", "alpha.1")
    said = run.device("register", "sensor-2", "--id-scope", state.id_scope, "--online-toml", run.online_toml)
    refused(said, 4, "DEVICE-GROUP-DISABLED")
    assert run.connected("sensor-1")["fromCache"]
    late = ("--count", "1", "--prefix", "late-", "-o", folder / "devices", "--receipts", folder / "receipts.jsonl")
    refused(run.run("factory", "issue", folder / "alpha", *late, *pin), 7, "FACTORY-GROUP-DISABLED")
    # Azure's device library says `"payload": null` over MQTT, for which there is no description; ours are the requests over HTTPS.
    assert {problem.split(": ")[-1] for problem in problems_with(run.simulator.requests)} <= {"body.payload is no object"}
    run.done("verify", bundle, "--fingerprint", fingerprint, "--receipts", folder / "receipts.jsonl")


def certified_and_proved(run: Run) -> tuple[Path, str]:
    """Factory keys on a second token, the ceremony on its own, the crossing to the simulator and back, the groups."""
    folder = run.folder
    inbox, held = folder / "inbox", folder / "held"
    csrs: list[str | Path] = []
    for name, place in (("alpha.1", "alpha"), ("beta.1", "beta")):
        subject = f"CN=Example Factory {place},O=Example"
        run.done("factory", "request", name, "-o", folder / place, "--subject", subject, *run.token.options(folder))
        csrs += ["--csr", f"{name}={folder / place / f'{name}.csr.pem'}"]
    run.done("online", "request", "-o", inbox / "request-1", *csrs)
    answers = folder / "answers.toml"
    shipped = (SCRIPTS / "first-ceremony.answers.toml").read_text()
    answers.write_text(shipped + '"crossing/go-on" = "leave"\n')
    script = SCRIPTS / "first-ceremony.toml"
    run.done("rehearse", script, "--answers", answers, "--dir", held, "--inbox", inbox)
    first, fingerprint = last_bundle(held), status(held)["bundles"][-1]["fingerprint"]
    run.applied(first, fingerprint, "plan-1")
    run.online("request", "-o", inbox / "request-2", "--dps", "example-dps", "--bundle", first, "--fingerprint", fingerprint)
    bundle = gone_on_to_the_end(held, SCRIPTS / "first-ceremony.answers.toml", "--inbox", inbox)
    fingerprint = str(status(held)["fingerprint"])
    run.applied(bundle, fingerprint, "plan-2")
    return bundle, fingerprint


def chains_hold(folder: Path, bundle: Path) -> None:
    """openssl takes each device's chain up to the bundle's root, for a TLS client."""
    (root,) = (bundle / "root").iterdir()
    for name in DEVICES:
        (chain,) = (folder / "devices").rglob(f"{name}.chain.pem")
        openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", root, "-untrusted", chain, chain)


def handshakes_by_tls_1_2(run: Run) -> None:
    """`openssl s_client` shows the device's chain to the port where devices register; the server asks for one and takes it."""
    (chain,) = (run.folder / "devices").rglob("sensor-1.chain.pem")
    key = chain.with_name("sensor-1.key.pem")
    shown = ["-cert", chain, "-cert_chain", chain, "-key", key]
    trusted = ["-CAfile", run.simulator.ca_file, "-verify_return_error", "-tls1_2", "-brief"]
    command = ["openssl", "s_client", "-connect", run.simulator.mqtt_host, *map(str, shown), *map(str, trusted)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended
    assert "Protocol version: TLSv1.2" in ended.stderr and "Verification: OK" in ended.stderr, ended


def registrations(run: Run) -> list[str]:
    """What devices asked of the provisioning service so far."""
    return [made.request.path for made in run.simulator.requests if "/registrations/" in made.request.path]
