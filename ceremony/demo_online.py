"""Azure's side of the demo, on the simulator: root up and code down while the ceremony waits at its crossing, then proof and groups."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ceremony.crossing.verified import verified_bundle
from ceremony.engine.step import Answer, Ask, Face, Interrupt, Notice, Secret
from ceremony.errors import CeremonyError
from ceremony.machine.clock import now
from ceremony.online.apply import apply_plan
from ceremony.online.config import OnlineConfig, read_config
from ceremony.online.credentials import credential_for
from ceremony.online.plan import make_plan
from ceremony.online.receipts import FILE_NAME, Receipts
from ceremony.online.request import pack_request
from ceremony.online.request_code import fetch_code
from ceremony.online.status import status_lines, status_of
from ceremony.online.world import Service, connected
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState
from ceremony.transcript import Moment

SERVICE = "example-dps"
"""The service that the first ceremony's script names."""
_DEVICE_PORT = 8883
_MOST_ADDRESSES = 100


class AzureSide:
    """What the online operator does. `out` is the demo's folder; the fingerprints are those that were read aloud."""

    def __init__(self, out: Path, config: OnlineConfig, simulator: Simulator) -> None:
        self._out, self._config, self._simulator = out, config, simulator

    @property
    def id_scope(self) -> str:
        """The service's, which a device must name."""
        return self._simulator.state.id_scope

    @property
    def way_for_devices(self) -> tuple[str | Path, ...]:
        """The options of `ceremony device` that lead to the simulator."""
        host, https_port = self._simulator.device_host.rsplit(":", 1)
        return ("--host", host, "--https-port", https_port, "--trust", self._simulator.ca_file)

    def at_the_crossing(self, bundle: Path, fingerprint: str) -> list[str]:
        """Uploads the root of the bundle that left, fetches the code, and puts the request onto the inbound medium. Says it in lines."""
        found = verified_bundle(bundle, fingerprint)
        lines = [f"Online meanwhile, at {SERVICE} of the simulator:"]
        with self._service() as service:
            lines += self._applied(service, bundle, fingerprint)
            with Receipts(self._out / FILE_NAME, found.fingerprint, found.earlier) as receipts:
                code = fetch_code(service, found, receipts, new_code=False)
        at = now()
        made = Moment(code.made_at, at.boot_id, at.boot_milliseconds)
        folder = self._out / "inbox" / "request-2"
        pack_request(folder, {}, lambda: made, proofs=[code.proof], root_fingerprint=code.root_fingerprint)
        return [*lines, f"  code {code.proof.verification_code[:12]}... fetched", f"  packed for the way in: {folder}"]

    def after_the_close(self, bundle: Path, fingerprint: str) -> list[str]:
        """Sends the proof, makes the groups, looks at the end. Says it in lines."""
        with self._service() as service:
            lines = self._applied(service, bundle, fingerprint)
            with Receipts(self._out / FILE_NAME, None) as receipts:
                status = status_of(service.observe(), self._config, receipts.lines)
        return [*lines, "", *status_lines(status)]

    def _applied(self, service: Service, bundle: Path, fingerprint: str) -> list[str]:
        found = verified_bundle(bundle, fingerprint)
        plan = make_plan(found, self._config, service.observe())
        lines: list[str] = []
        with Receipts(self._out / FILE_NAME, found.fingerprint, found.earlier) as receipts:
            apply_plan(plan, found, service, receipts, lambda line: lines.append(f"  {line}"))
        return lines

    @contextmanager
    def _service(self) -> Iterator[Service]:
        with connected(self._config, credential_for(self._config, lambda line: None)) as service:
            yield service


class AtTheCrossing:
    """A face before another one: at the question whether to go on after a crossing, `work` is done first and told."""

    def __init__(self, face: Face, work: Callable[[], list[str]]) -> None:
        self._face, self._work = face, work

    def ask(self, ask: Ask) -> Answer | Interrupt:
        """Puts the question."""
        if ask.key == "go-on":
            self._face.tell(Notice(kind="working", lines=("The online side uploads the root and fetches the code",)))
            self._face.tell(Notice(kind="info", lines=tuple(self._work())))
        return self._face.ask(ask)

    def tell(self, notice: Notice) -> None:
        """Shows a notice."""
        self._face.tell(notice)

    def secret(self, secret: Secret) -> bytearray | Interrupt:
        """Asks for activation data."""
        return self._face.secret(secret)


@contextmanager
def azure_side(out: Path) -> Iterator[AzureSide]:
    """The simulator on loopback for as long as the block, its settings in `out`/online.toml as an operator would write them."""
    place = out / "simulator"
    place.mkdir(mode=0o700)
    with _simulator(place) as simulator:
        settings = out / "online.toml"
        settings.write_text(
            f'format = 1\nsubscription = "{simulator.state.subscription_id}"\nresource_group = "{simulator.state.resource_group}"\n'
            f'service = "{SERVICE}"\n\n[simulator]\nendpoint = "{simulator.arm_url}"\nca_file = "simulator/{simulator.ca_file.name}"\n'
        )
        yield AzureSide(out, read_config(settings, {}, {}), simulator)


def _simulator(place: Path) -> Simulator:
    """At the first pair of loopback addresses whose port for devices is free: Azure's device library knows no other port."""
    for number in range(_MOST_ADDRESSES):
        state = DpsState(service_name=SERVICE, hubs=[f"127.0.{number}.2"])
        try:
            return Simulator(place, state=state, host=f"127.0.{number}.1", mqtt_port=_DEVICE_PORT)
        except OSError as taken:
            if taken.errno != errno.EADDRINUSE:
                raise
    raise CeremonyError("SIMULATOR-ADDRESS", f"Port {_DEVICE_PORT} is taken at each address that was tried.", state="Nothing was begun.")
