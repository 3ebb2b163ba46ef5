"""A service of the simulator with a held ceremony before it, and the command line against both."""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ceremony.cli import _run
from ceremony.crossing.verified import VerifiedBundle, verified_bundle
from ceremony.online.answered import Patience
from ceremony.online.apply import Applied, apply_plan
from ceremony.online.config import GroupDefaults, OnlineConfig
from ceremony.online.credentials import SimulatorCredential
from ceremony.online.plan import Plan, make_plan
from ceremony.online.receipts import Receipt, Receipts, read_receipts
from ceremony.online.world import Service, connected
from ceremony.simulator import certificates
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState, utc_now
from tests.crossing import held_ceremony
from tests.crossing.chaining import DAY
from tests.crossing.held_ceremony import HeldCeremony, first_session, new_csr
from tests.crossing.script_text import FIRST_SESSION, SECOND_SESSION, script_of

ROOT_NAME, SERVICE = "example-root-g1", "example-dps"
AT_ONCE = Patience(retries=0)
QUICK = Patience(retries=8, backoff=0.01)


@dataclass
class Ran:
    """What a command gave back."""

    code: int
    out: str
    err: str


class HeldService:
    """The simulator as `example-dps`, its clock at noon of the ceremony's day, and a ceremony whose bundles go there."""

    def __init__(
        self,
        folder: Path,
        simulator: Simulator,
        names: tuple[str, ...] = ("alpha.1", "beta.1"),
        edited: Callable[[bytes], bytes] = bytes,
        **facts: Any,
    ) -> None:
        """`edited` changes the script, where `names` are others."""
        self.folder, self.simulator, self.state = folder, simulator, simulator.state
        noon = datetime.fromisoformat(f"{DAY}T12:00:00+00:00")
        simulator.faults.clock_skew = noon - datetime.now(UTC)
        self.names = names
        self.csrs: dict[str, bytes] = {}
        if names == ("alpha.1", "beta.1"):
            self.ceremony: HeldCeremony = first_session(folder / "held", **facts)
        else:
            script = script_of((*FIRST_SESSION, *SECOND_SESSION), names, proof=True)
            script = script.replace(b"format = 1\n", b"format = 1\nmax_batch = 100\n", 1)
            self.ceremony = HeldCeremony(folder / "held", edited(script), **facts)
            self.ceremony.prepare()
            self.ceremony.make_root()
            self.ceremony.seal("crossing")
        self.bundle_1 = self.ceremony.write_bundle(folder / "bundle-1")
        self.fingerprint_1 = self.ceremony.fingerprint
        self.toml = folder / "online.toml"
        self.settings()
        self.credential = SimulatorCredential()

    def settings(self, groups: str = "", endpoint: str | None = None) -> None:
        """Writes online.toml; `groups` are lines of the table [groups]."""
        self.toml.write_text(
            f'format = 1\nsubscription = "{self.state.subscription_id}"\nresource_group = "{self.state.resource_group}"\n'
            f'service = "{SERVICE}"\n[groups]\n{groups}\n'
            f'[simulator]\nendpoint = "{endpoint or self.simulator.arm_url}"\nca_file = "{self.simulator.ca_file}"\n'
            f"hub_port = {self.simulator.hub_port}\n"
        )

    def config(self, groups: GroupDefaults = GroupDefaults()) -> OnlineConfig:  # noqa: B008 - frozen
        """The same settings as a value."""
        state, there = self.state, self.simulator
        config = OnlineConfig(state.subscription_id, state.resource_group, SERVICE, groups=groups)
        return replace(config, endpoint=there.arm_url, ca_file=there.ca_file, hub_port=there.hub_port)

    def run(self, *arguments: Any) -> Ran:
        """`ceremony online ...` with these settings."""
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        verb, *rest = map(str, arguments)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = _run("online", [verb, *rest, "--config", str(self.toml)], ())
        out.flush()
        raw = out.buffer
        assert isinstance(raw, io.BytesIO)
        return Ran(code, raw.getvalue().decode(), err.getvalue())

    def upload(self) -> None:
        """The first bundle's plan, applied: the root is there, not verified."""
        with self.connected() as service:
            plan = make_plan(self.verified_1(), service.config, service.observe())
            self.apply(service, plan, self.verified_1())

    def code(self) -> str:
        """A verification code of the service's, put into the ceremony's request."""
        certificates.generate_code(self.state, ROOT_NAME, "*")
        code = self.state.certificates[ROOT_NAME].verification_code
        assert code
        return code

    def second_session(self, code: str | None = None, *, prove: bool = True) -> None:
        """The ceremony to its end: proof of the code (a new one of the service's unless given), intermediates, second bundle."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(held_ceremony, "CODE", code or self.code())
            self.ceremony.cross()
            self.ceremony.prepare()
            csrs = {name: self.csrs.get(name) or new_csr(f"CN={name},O=Example") for name in self.names}
            self.ceremony.import_request(csrs, proof=prove)
            self.ceremony.prove()
            self.ceremony.sign_intermediates()
            self.ceremony.seal("close")
        self.bundle_2 = self.ceremony.write_bundle(self.folder / "bundle-2")
        self.fingerprint_2 = self.ceremony.fingerprint

    def proved(self) -> "HeldService":
        """Up to a second bundle that can be applied."""
        self.upload()
        self.second_session()
        return self

    def settled(self) -> "HeldService":
        """Up to the second bundle applied, all as wanted."""
        self.proved()
        with self.connected() as service:
            self.apply(service, self.plan_2(service))
        return self

    def verified_1(self) -> VerifiedBundle:
        return verified_bundle(self.bundle_1, self.fingerprint_1)

    def verified_2(self) -> VerifiedBundle:
        return verified_bundle(self.bundle_2, self.fingerprint_2)

    @contextlib.contextmanager
    def connected(self, patience: Patience = QUICK, groups: GroupDefaults = GroupDefaults()) -> Iterator[Service]:  # noqa: B008 - frozen
        """The service, with this ceremony's settings."""
        with connected(self.config(groups), self.credential, patience) as service:
            yield service

    def plan_2(self, service: Service, **options: Any) -> Plan:
        """The second bundle's plan."""
        bundle = self.verified_2()
        return make_plan(bundle, service.config, service.observe(bundle.policies.values()), **options)

    def apply(self, service: Service, plan: Plan, bundle: VerifiedBundle | None = None) -> Applied:
        """Applies, with receipts in the folder."""
        bundle = bundle or self.verified_2()
        with Receipts(self.folder / "receipts.jsonl", bundle.fingerprint, bundle.earlier) as receipts:
            return apply_plan(plan, bundle, service, receipts, lambda _line: None)

    def receipts(self) -> list[Receipt]:
        """All receipts so far, the chain checked."""
        found, torn = read_receipts((self.folder / "receipts.jsonl").read_bytes())
        assert torn == 0
        return found

    def server_time(self) -> datetime:
        """The service's clock."""
        return self.state.now()

    def move_clock(self, by: timedelta) -> None:
        """The service's clock, from noon of the ceremony's day."""
        self.simulator.faults.clock_skew = datetime.fromisoformat(f"{DAY}T12:00:00+00:00") + by - utc_now()

    def end_state(self) -> dict[str, Any]:
        """What the service holds, without etags and times."""
        with self.state.lock:
            held = {name: (found.certificate_der, found.is_verified) for name, found in self.state.certificates.items()}
            groups = {name: (found.record, found.signing_certificates, found.ca_references) for name, found in self.state.groups.items()}
        return {"certificates": held, "groups": groups}


@contextlib.contextmanager
def simulated(folder: Path, **facts: Any) -> Iterator[HeldService]:
    """A simulator of its own with a held ceremony before it."""
    place = folder / "simulator"
    place.mkdir(parents=True)
    with Simulator(place, state=DpsState(service_name=SERVICE), keeps_all=True) as simulator:
        yield HeldService(folder, simulator, **facts)
