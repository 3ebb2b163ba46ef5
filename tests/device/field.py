"""Devices in the field: the simulator at addresses of this worker's own, device files, and the commands as people give them."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from ceremony.device.cache import Registration, write_cache
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState, HubDevice
from ceremony.words import sha256_hex
from tests.e2e.commands import Ended, ceremony, four_parts
from tests.simulator.calling import Caller
from tests.simulator.chains import Issued, device, intermediate, write_chain

PORT = 8883
"""Azure's device library knows no other."""
_TRIED = 16


def simulator_of_this_worker(folder: Path) -> Simulator:
    """A simulator on port 8883 of addresses that no other worker has; those that another run holds are passed over."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in range(worker % _TRIED, 255, _TRIED):
        state = DpsState(hubs=[f"127.1.{number}.2"])
        try:
            return Simulator(folder, state=state, host=f"127.1.{number}.1", mqtt_port=PORT)
        except OSError:
            continue
    raise OSError("every address is taken")


@dataclass(frozen=True)
class Files:
    """A device's files; `chain` is what it sends."""

    name: str
    chain: Path
    key: Path
    leaf: Issued

    @property
    def cache(self) -> Path:
        return self.chain.with_name(f"{self.name}.registration.json")


class Field:
    """A service with a verified root and a group for the intermediate A; and who is out there."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder, self.simulator, self.state = folder, simulator, simulator.state
        self.caller = Caller(simulator)
        self.caller.verified_root()
        assert self.caller.group("factory-a", intermediate("A")).status == 200
        self.host = simulator.mqtt_host.rpartition(":")[0]
        self.hub = self.state.hubs[0]

    def files(self, name: str, leaf: Issued | None = None, *above: Issued) -> Files:
        """A device of A; or of the chain that is given."""
        leaf, above = (leaf, above) if leaf is not None else (device(name, intermediate("A")), (intermediate("A"),))
        chain, key = write_chain(self.folder, name, leaf, above)
        return Files(name, chain, key, leaf)

    def options(self, files: Files, *more: Any, trust: bool = True) -> list[Any]:
        """The files, and the service by all that it is found by."""
        port = self.simulator.device_host.rpartition(":")[2]
        trusted = ["--trust", self.simulator.ca_file] if trust else []
        return ["--cert", files.chain, "--key", files.key, "--https-port", port, *trusted, *more]

    def register(self, files: Files, *more: Any, trust: bool = True) -> Ended:
        """`ceremony device register`. Options given again count the last time."""
        where = ["--host", self.host, "--id-scope", self.state.id_scope]
        return quiet(ceremony("device", "register", *self.options(files, *where, *more, trust=trust)))

    def connect(self, files: Files, *more: Any) -> Ended:
        """`ceremony device connect`, without the id scope: it stands in the cache."""
        return quiet(ceremony("device", "connect", *self.options(files, *more)))

    def remembered(self, name: str) -> Files:
        """A device that was registered before, with its cache: as `register` would leave it, without its two seconds."""
        files = self.files(name)
        leaf_sha256 = sha256_hex(files.leaf.der)
        assert self.caller.register(name, (files.chain, files.key)).status == 202
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        registration = Registration(self.host, self.state.id_scope, name, self.hub, name, "initialAssignment", leaf_sha256, now)
        write_cache(files.cache, registration)
        return files

    def at_hub(self, name: str) -> HubDevice:
        return self.state.devices[self.hub, name]

    def asked(self) -> list[tuple[str, int]]:
        """What devices asked the service so far, over MQTT or HTTPS: method and status."""
        return [(found.request.method, found.status) for found in self.simulator.requests if found.face == "device"]

    def forget_what_was_asked(self) -> None:
        self.simulator.requests.clear()

    def disable(self, group: str = "factory-a") -> None:
        self.state.groups[group].record["provisioningStatus"] = "disabled"

    def settings(self) -> Path:
        """online.toml of the operator."""
        path, state = self.folder / "online.toml", self.state
        path.write_text(
            f'format = 1\nsubscription = "{state.subscription_id}"\nresource_group = "{state.resource_group}"\n'
            f'service = "{state.service_name}"\n[simulator]\nendpoint = "{self.simulator.arm_url}"\nca_file = "{self.simulator.ca_file}"\n'
        )
        return path


def encrypted(files: Files, passphrase: str) -> None:
    """Puts the key of these files under a passphrase."""
    form = BestAvailableEncryption(passphrase.encode())
    files.key.write_bytes(files.leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form))


def quiet(ended: Ended) -> Ended:
    """Nothing of the library's own is heard: no traceback, no log line, no warning."""
    for noise in ("Traceback", "Exception", "azure.iot", "Warning", "paho", "INTERNAL"):
        assert noise not in ended.err, ended.err
    return ended


def failed(ended: Ended, exit_code: int, code: str) -> dict[str, str]:
    """Asserts an error under this code; its four parts."""
    parts = four_parts(ended.err)
    assert (ended.code, parts["Code"]) == (exit_code, code), ended.err
    assert ended.out == "", ended
    return parts


def told(ended: Ended) -> dict[str, Any]:
    """The JSON of a command that ended well."""
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found
