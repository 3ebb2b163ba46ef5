"""One root's life, to be lived by a test: ceremonies in the in-memory room, one after the other on one token and one clock that is
handed in, and beside them the DPS simulator, which the real commands of the online side go to.

Each ceremony is a folder of its own that starts from the last bundle of the one before. The token's keys are real; so are records,
bundles and certificates. Reports are not rendered.
"""

import contextlib
import dataclasses
import datetime as dt
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.cli import _run
from ceremony.crossing.request import write_request
from ceremony.machine.medium import Medium
from ceremony.pki.names import parse_name
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState, utc_now
from tests.credentials import credential
from tests.engine.memory_room import Clock, World, held
from tests.engine.memory_token import Store
from tests.engine.people import People

SERVICE = "example-dps"
START = ("roll-call", "check-clock", "check-machine")
USE = (*START, "unlock", "use-root")
CRL = ("unlock", "issue-crl")
SIGN = ("import-request", "unlock", "sign-intermediates")
_PEOPLE = {"admin": ("Kari Holm", "administrator"), "officer": ("Nils Berg", "crypto-officer"), "witness-1": ("Eva Lund", "witness")}
_BY_OFFICER = {"unlock", "cross-certify", "use-root", "issue-crl", "check-token", "destroy-key", "sign-intermediates", "prove-possession"}


@dataclass
class LifeWorld(World):
    """A ceremony's world: what comes in over the gap is what the online side packed, if anything."""

    packed: Path | None = None

    def bring_request(self, root_sha256: str, *, made_at: str = "", name: str = "request-1") -> Path:
        if self.packed is not None and not (self.inbox / name).exists():
            self.packed.rename(self.inbox / name)
        return self.inbox / name

    def medium_at(self, place: Path) -> Medium:
        """Each ceremony has media of its own."""
        medium = super().medium_at(place)
        return dataclasses.replace(medium, serial=f"{self.base.name}-{medium.serial}")


@dataclass
class Ran:
    """What a command gave back."""

    code: int
    out: str
    err: str


@dataclass
class Held:
    """A ceremony that was held: its world and its last bundle with its fingerprint."""

    world: LifeWorld
    bundle: Path
    fingerprint: str


@dataclass
class Life:
    """The token, the clock, the papers and the bundles of one root and its successors, and the service at `simulator`."""

    base: Path
    simulator: Simulator
    store: Store = field(default_factory=Store)
    clock: Clock = field(default_factory=Clock)
    ceremonies: list[Held] = field(default_factory=list)
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    root: dict[str, Any] = field(default_factory=dict)

    # --- the room

    def on(self, day: str) -> None:
        """It is nine o'clock (UTC) of this day, in the room and at the service."""
        self.clock.moment = dt.datetime.fromisoformat(f"{day}T09:00:00Z")
        self.simulator.faults.clock_skew = self.clock.moment - utc_now()

    def script(self, kinds: tuple[str, ...], tables: Mapping[str, Any], *, previous: str | None) -> bytes:
        """A ceremony script with these steps, for the days around today."""
        today = self.clock.moment.date()
        document: dict[str, Any] = {
            "format": 1,
            "id": f"life-{len(self.ceremonies) + 1}",
            "title": f"Ceremony {len(self.ceremonies) + 1} of a root's life",
            "policy": "private-iot-root",
            "evidence": "witness",
            "window": {"from": today, "to": today + dt.timedelta(days=7)},
            "root": self.root,
            "activation": {"kind": "pin", "so": {"kind": "pin"}},
            "backup": {"kind": "none", "reason": "A life in a test.", "owner": "Ola Nordmann"},
            "world": {"token": "ready" if previous else "blank", "root": "present" if previous else "absent"},
            **({"previous": {"fingerprint": previous}} if previous else {}),
            **tables,
        }
        people = [{"id": id, "name": name, "role": role, "credential": credential(name)} for id, (name, role) in _PEOPLE.items()]
        steps = [_step(kind) for kind in (*kinds, "close")]
        return tomlkit.dumps({**document, "participants": people, "steps": steps}).encode()

    def begin(self, kinds: tuple[str, ...], tables: Mapping[str, Any], *, going_on_from: Held | None = None) -> LifeWorld:
        """The next ceremony's world, ready to be held; it goes on from the last one unless said."""
        before = going_on_from or (self.ceremonies[-1] if self.ceremonies else None)
        script = self.script(kinds, tables, previous=before.fingerprint if before else None)
        number = len(list(self.base.glob("ceremony-*"))) + 1
        previous = tuple(held.bundle for held in self.ceremonies[: self.ceremonies.index(before) + 1]) if before else ()
        world = LifeWorld(self.base / f"ceremony-{number}", script, store=self.store, clock=self.clock, previous=previous)
        world.made()
        return world

    def conduct(self, world: LifeWorld) -> str:
        """One session to its end: `closed` or `crossing`."""
        people = People(world)
        outcome = held(world, people)
        assert outcome.reason in ("closed", "crossing"), (outcome.reason, outcome.text, people.errors())
        return outcome.reason

    def hold(self, *kinds: str, csrs: tuple[str, ...] = (), going_on_from: Held | None = None, **tables: Any) -> Held:
        """A ceremony without a crossing, from its first line to its last. `csrs` are the intermediates whose requests come in."""
        world = self.begin(kinds, tables, going_on_from=going_on_from)
        if csrs:
            world.packed = self.pack(csrs)
        assert self.conduct(world) == "closed"
        return self.ended(world, keep=going_on_from is None)

    def ended(self, world: LifeWorld, *, keep: bool = True) -> Held:
        """The ceremony of this world, closed, with its last bundle."""
        bundle = max((world.folder / "bundles").iterdir(), key=lambda path: int(path.name))
        found = Held(world, bundle, world.paper[-1])
        if keep:
            self.ceremonies.append(found)
        return found

    def pack(self, names: tuple[str, ...], **more: Any) -> Path:
        """A request with a CSR for each name, on a new key."""
        folder = self.base / f"packed-{len(self.keys)}"
        made_at = self.clock.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        write_request(folder, **({"made_at": made_at, "root_fingerprint": None, "proofs": []} | more), csrs={n: self.csr(n) for n in names})
        return folder

    def csr(self, name: str) -> bytes:
        """The CSR (PEM) of the factory of this name."""
        key = self.keys.setdefault(name, ec.generate_private_key(ec.SECP256R1()))
        builder = x509.CertificateSigningRequestBuilder().subject_name(parse_name(f"CN={name},O=Example"))
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    # --- the online side

    @property
    def receipts(self) -> Path:
        """One chain of receipts for the whole life."""
        return self.base / "receipts.jsonl"

    def settings(self, secondaries: Mapping[str, str] | None = None) -> None:
        """online.toml for the simulator."""
        state, there = self.simulator.state, self.simulator
        document = {
            "format": 1, "subscription": state.subscription_id, "resource_group": state.resource_group, "service": SERVICE,
            "groups": {"secondaries": dict(secondaries or {})} if secondaries else {},
            "simulator": {"endpoint": there.arm_url, "ca_file": str(there.ca_file), "hub_port": there.hub_port},
        }  # fmt: skip
        (self.base / "online.toml").write_text(tomlkit.dumps(document))

    def online(self, *arguments: Any) -> Ran:
        """`ceremony online ...`, in this process."""
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = _run("online", [*map(str, arguments), "--config", str(self.base / "online.toml")], ())
        out.flush()
        raw = out.buffer
        assert isinstance(raw, io.BytesIO)
        return Ran(code, raw.getvalue().decode(), err.getvalue())

    def done(self, *arguments: Any) -> Ran:
        """The same, for a command that must end well."""
        ran = self.online(*arguments)
        assert ran.code == 0, ran
        return ran

    def apply(self, bundle: Path, fingerprint: str, *more: str) -> None:
        """Plan and apply; then a second plan has nothing to do."""
        plan = self.base / f"plan-{len(list(self.base.glob('plan-*'))) + 1}"
        self.done("plan", bundle, "--fingerprint", fingerprint, "-o", plan, *more)
        self.done("apply", plan, "--receipts", self.receipts)
        assert self.online("plan", bundle, "--fingerprint", fingerprint, "--detailed-exitcode").code == 0

    def apply_last(self) -> None:
        """Plan and apply of the newest bundle."""
        self.apply(self.ceremonies[-1].bundle, self.ceremonies[-1].fingerprint)

    def status(self) -> dict[str, Any]:
        """`online status` with the newest bundle."""
        last = self.ceremonies[-1]
        given = ("--bundle", last.bundle, "--fingerprint", last.fingerprint, "--receipts", self.receipts, "--json")
        told: dict[str, Any] = json.loads(self.done("status", *given).out)
        return told

    def at_service(self) -> tuple[dict[str, bool], dict[str, bool]]:
        """What the service holds: each certificate and whether it is verified, each group and whether it is enabled."""
        state = self.simulator.state
        with state.lock:
            certificates = {name: found.is_verified for name, found in state.certificates.items()}
            return certificates, {name: group.is_enabled for name, group in state.groups.items()}

    def serials_in_group(self, name: str) -> list[str]:
        """The serials of the certificates that an enrollment group holds, the primary first."""
        held = self.simulator.state.groups[name].signing_certificates
        return [f"{x509.load_der_x509_certificate(der).serial_number:040x}" for der in held]

    # --- the judge

    def judged(self, label: str) -> dict[str, str]:
        """What `openssl verify -crl_check` says today of each intermediate there ever was below this root: good, revoked, expired."""
        last = next(held.bundle for held in reversed(self.ceremonies) if (held.bundle / "root" / f"{label}.cert.pem").exists())
        root, crl = last / "root" / f"{label}.cert.pem", last / "crl" / f"{label}.crl.pem"
        moment = str(int(self.clock.moment.timestamp()))
        told: dict[str, str] = {}
        for certificate in self.certificates(label):
            given = ["-x509_strict", "-attime", moment, "-CAfile", str(root), "-crl_check", "-CRLfile", str(crl), str(certificate)]
            ended = subprocess.run(["openssl", "verify", *given], capture_output=True, text=True, check=False)
            said = ended.stdout + ended.stderr
            words = {"certificate revoked": "revoked", "certificate has expired": "expired", "CRL has expired": "stale"}
            found = [word for text, word in words.items() if text in said]
            told[certificate.name.removesuffix(".cert.pem")] = "good" if ended.returncode == 0 else "/".join(found) or said
        return told

    def accepts(self, name: str, trusted: str, *untrusted: str) -> bool:
        """Whether openssl takes the newest intermediate of this name today where only the root `trusted` is, and these files are there."""
        last, moment = self.ceremonies[-1].bundle, str(int(self.clock.moment.timestamp()))
        path = next(path for held in reversed(self.ceremonies) for path in held.bundle.glob(f"intermediates/{name}.cert.pem"))
        more = [part for file in untrusted for part in ("-untrusted", str(last / file))]
        given = ["-x509_strict", "-attime", moment, "-CAfile", str(last / "root" / f"{trusted}.cert.pem"), *more, str(path)]
        return subprocess.run(["openssl", "verify", *given], capture_output=True, check=False).returncode == 0

    def serial_of(self, name: str) -> str:
        """The serial (40 hex digits) of the newest intermediate of this name."""
        path = next(path for held in reversed(self.ceremonies) for path in held.bundle.glob(f"intermediates/{name}.cert.pem"))
        return f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:040x}"

    def certificates(self, label: str) -> list[Path]:
        """Every intermediate that was ever signed by this root, which may share its name with another."""
        root = x509.load_pem_x509_certificate(next(self.base.glob(f"*/ceremony/bundles/*/root/{label}.cert.pem")).read_bytes())
        found = (path for ceremony in self.ceremonies for path in sorted(ceremony.bundle.glob("intermediates/*.cert.pem")))
        return list({path.name: path for path in found if _is_signed_by(root, path)}.values())


def _is_signed_by(root: x509.Certificate, path: Path) -> bool:
    try:
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(root)
    except (ValueError, InvalidSignature):
        return False
    return True


def _step(kind: str) -> dict[str, Any]:
    actor = "officer" if kind in _BY_OFFICER else "admin"
    more = {"label": "life"} if kind == "initialise-token" else {}
    return {"kind": kind, "title": kind, "actor": actor, "confirm": ["witness-1"], **more}


@contextlib.contextmanager
def life(folder: Path, day: str, **root: Any) -> Iterator[Life]:
    """A life that begins on this day, with a service of its own."""
    place = folder / "simulator"
    place.mkdir(parents=True)
    with Simulator(place, state=DpsState(service_name=SERVICE)) as simulator:
        lived = Life(folder, simulator, root={"key": "ec:secp384r1", "path_length": 1, "not_before": "ceremony-day", **root})
        lived.on(day)
        lived.settings()
        yield lived
