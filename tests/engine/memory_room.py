"""A room around a token in memory: everything else is the product's own room, on a folder that a crash leaves as it is."""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony import session as ceremony_session
from ceremony.activation import shares as activation_shares
from ceremony.crossing.bundle import REPORTS
from ceremony.crossing.request import ProofRequest, write_request
from ceremony.engine.step import Act, AskSecret, Face
from ceremony.errors import CeremonyError
from ceremony.machine.checks import Finding
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.medium import Medium
from ceremony.machine.site import Site
from ceremony.pki.names import parse_name
from ceremony.room import check_machine, copy_out, import_attestation, import_request, look_at_medium, make_bundle, shares
from ceremony.room.room import TokenRoom
from ceremony.script import read_script
from ceremony.session import Outcome, Session, _taken_over, serial_in_use
from ceremony.transcript import Moment, Transcript, read_lines
from tests.credentials import with_credentials, write_credentials
from tests.engine.memory_token import Faults, MemoryModule, Store

FIRST_CEREMONY = Path(__file__).parents[2] / "ceremony-scripts" / "first-ceremony.toml"
NOT_RENDERED = b"%PDF- not rendered here\n"
_KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("alpha.1", "beta.1")}


class Clock:
    """Goes on by a second each time it is read, and begins inside the window of the shipped scripts."""

    def __init__(self, start: str = "2026-11-24T09:00:00Z") -> None:
        self.moment = dt.datetime.fromisoformat(start)
        self._begun = self.moment

    def __call__(self) -> Moment:
        self.moment += dt.timedelta(seconds=1)
        since = int((self.moment - self._begun).total_seconds() * 1000)
        return Moment(self.moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "boot-1", since)


@dataclass
class World:
    """What outlives a crash: the folder with its record, the media, the token, and the paper in people's hands.

    `previous` are the bundles that a later ceremony starts from.
    """

    base: Path
    script: bytes = field(default_factory=lambda: with_credentials(FIRST_CEREMONY.read_bytes()))
    rehearsal: bool = False
    store: Store = field(default_factory=Store)
    second: Store | None = None
    paper: list[str] = field(default_factory=list)
    shares: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    changed: Callable[[str], None] = lambda what: None
    faults: Faults = field(default_factory=Faults)
    findings: list[Finding] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    site: Site = field(default_factory=Site)
    previous: tuple[Path, ...] = ()
    unwritable_from: int | None = None
    rooms: list["MemoryRoom"] = field(default_factory=list)

    @property
    def stores(self) -> list[Store]:
        """The tokens that are plugged in."""
        return [self.store, *([self.second] if self.second else [])]

    @property
    def folder(self) -> Path:
        return self.base / "ceremony"

    @property
    def record(self) -> Path:
        return self.folder / "transcript.jsonl"

    @property
    def inbox(self) -> Path:
        return self.base / "inbox"

    @property
    def outbox(self) -> Path:
        return self.base / "outbox"

    @property
    def credentials(self) -> Path:
        """Where people's media are; a rehearsal's are made up."""
        return self.folder / "work" / "rehearsal" / "credentials" if self.rehearsal else self.base / "credentials"

    @property
    def media_taken_away(self) -> list[Path]:
        """The media that left with a bundle, in order."""
        return sorted(self.base.glob("away-*"))

    def put_in_a_fresh_medium(self) -> None:
        """The outbound medium goes with what is on it, and an empty one is put in."""
        if any(self.outbox.iterdir()):
            self.outbox.rename(self.base / f"away-{len(self.media_taken_away) + 1}")
            self.outbox.mkdir()

    def medium_at(self, place: Path) -> Medium:
        """Media with serials, that nobody here can unmount; the inbound one is read-only."""
        number = f"MEDIUM-{len(self.media_taken_away) + 1}" if place == self.outbox else "INBOUND"
        return UnmovableMedium(place, "/dev/memory", read_only=place == self.inbox, serial=number)

    def made(self) -> "World":
        write_credentials(self.base / "credentials")
        for place in (self.inbox, self.outbox):
            place.mkdir(parents=True, exist_ok=True)
        return self

    def copy_to(self, base: Path) -> "World":
        """The same world elsewhere, as a crash at this moment would leave it."""
        shutil.copytree(self.base, base)
        clock = Clock()
        clock.moment = self.clock.moment
        shares = {whose: list(papers) for whose, papers in self.shares.items()}
        second = self.second.copy() if self.second else None
        return World(
            base, self.script, self.rehearsal, self.store.copy(), second, list(self.paper), shares,
            findings=self.findings, clock=clock, site=self.site,
        )  # fmt: skip

    def bring_request(self, root_sha256: str, *, made_at: str = "2026-11-24T08:00:00Z", name: str = "request-1") -> Path:
        """What the online side sends back: a code for the root, and the CSRs."""
        folder = self.inbox / name
        if not folder.exists():
            code = ProofRequest("example-dps", "example-root-g1", "4F2A" * 12)
            csrs = {csr: csr_of(csr) for csr in _KEYS}
            write_request(folder, made_at=made_at, root_fingerprint=root_sha256, proofs=[code], csrs=csrs)
        return folder


def csr_of(name: str, subject: str | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(parse_name(subject or f"CN={name},O=Example"))
    return builder.sign(_KEYS[name], hashes.SHA256()).public_bytes(Encoding.PEM)


class UnmovableMedium(Medium):
    """The system does not let us unmount it."""

    @property
    def may_be_unmounted(self) -> bool:
        return False


class WatchedFolder(CeremonyFolder):
    """Tells of each file that was written."""

    world: World

    def write(self, relative: str, octets: bytes) -> Path:
        written = super().write(relative, octets)
        self.world.changed(f"file {relative}")
        return written


class WatchedTranscript(Transcript):
    """Tells of each line that is on the disk, and can fail at one as on a full disk."""

    def __init__(self, world: World) -> None:
        super().__init__(world.record, world.clock)
        self._world = world

    def append(self, type: Any, data: dict[str, Any], **more: Any) -> Any:
        if self._world.unwritable_from is not None and len(self.lines) + 1 >= self._world.unwritable_from:
            raise CeremonyError("RECORD-UNWRITABLE", "The transcript could not be written: No space left on device.")
        line = super().append(type, data, **more)
        self._world.changed(f"line {type}")
        return line


class MemoryRoom(TokenRoom):
    """The product's room; its module is in memory. Remembers what it was asked for."""

    world: World
    acts: list[Act]
    asked_to_close: bool = False

    @property
    def module(self) -> Any:
        if self._module is None:
            self._module = cast(Any, MemoryModule(self.world.stores, self.world.changed, self.world.faults, self.rehearsal))
        return self._module

    def describe(self) -> dict[str, Any]:
        return {
            "tool": {"version": "0", "packages": {}},
            "module": self.module.info.facts(),
            "machine": {"kernel": "memory"},
            "environment_removed": [],
        }

    def do(self, act: Act, secret: AskSecret, insist: bool = False) -> dict[str, Any]:
        self.acts.append(act)
        self.world.faults.raise_at(act.key, "before")
        result = super().do(act, secret, insist)
        self.world.changed(f"act {act.verb}")
        self.world.faults.raise_at(act.key, "after")
        return result

    def undo(self, act: Act, secret: AskSecret) -> None:
        super().undo(act, secret)
        self.world.changed(f"undone {act.verb}")

    def close(self) -> None:
        self.asked_to_close = True
        super().close()


@contextmanager
def _patched(world: World) -> Iterator[None]:
    """The machine, the clock and the reports of this world. Reports are made in other tests; here they would take the time."""
    patches: list[tuple[Any, str, Any]] = [
        (check_machine, "check_machine", lambda **_: world.findings or [Finding("routes", "ok", "No route.")]),
        (check_machine, "input_devices", lambda: ()),
        (make_bundle, "reports_of", lambda script, lines: dict.fromkeys(REPORTS, NOT_RENDERED)),
        # In processes of their own shares are handled in other tests; here it is the same functions.
        (shares, "client", activation_shares),
        *((module, "medium_at", world.medium_at) for module in (copy_out, import_attestation, import_request, look_at_medium)),
        (ceremony_session, "reports_of_bundle", lambda bundle: dict.fromkeys(REPORTS, NOT_RENDERED)),
    ]
    before = [getattr(module, name) for module, name, _ in patches]
    for module, name, value in patches:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(patches, before, strict=True):
            setattr(module, name, value)


@contextmanager
def session(world: World) -> Iterator[Session]:
    """A session as a fresh process would have it: only what is in the world is there."""
    has_begun = world.record.exists() and b"\n" in world.record.read_bytes()
    with _patched(world), WatchedFolder.open(world.folder) if has_begun else WatchedFolder.create(world.folder) as folder:
        folder.world = world
        script = read_script(world.script)
        if not has_begun:
            folder.write("script.toml", world.script)
            folder.write("site.toml", b"")
        with closing(WatchedTranscript(world)) as transcript:
            room = MemoryRoom(
                folder=folder,
                script=script,
                site=world.site,
                module_path=Path("/opt/memory/module.so"),
                environment={},
                rehearsal=world.rehearsal,
                inbox=world.inbox,
                outbox=world.outbox,
                credentials=world.credentials,
                serial=serial_in_use(transcript.lines),
                clock=world.clock,
                began=world.clock(),
            )
            room.world, room.acts = world, []
            world.rooms.append(room)
            if transcript.lines:
                room.ceremony, previous = transcript.lines[0].data["ceremony"], transcript.lines[0].data["previous"]
            else:
                previous = _taken_over(folder, script, world.previous, rehearsal=world.rehearsal)
            try:
                yield Session(folder, script, transcript, room, world.rehearsal, previous)
            finally:
                room.close()


def held(world: World, face: Face) -> Outcome:
    """One session, to its end."""
    with session(world) as opened:
        return opened.conduct(face)


def held_to_the_end(world: World, face: Face, most_sessions: int = 4) -> None:
    """Sessions until the ceremony is closed."""
    reasons = []
    for _ in range(most_sessions):
        if is_closed(world):
            return
        reasons.append(held(world, face).reason)
    assert is_closed(world), reasons


def is_closed(world: World) -> bool:
    lines, torn = read_lines(world.record.read_bytes()) if world.record.exists() else ([], None)
    return bool(lines) and lines[-1].type == "closed" and torn is None


def bring_what_was_asked_for(world: World) -> None:
    """What the online side makes of the root certificate that it got."""
    root = next(world.folder.glob("work/artifacts/root/*.pem"), None)
    if root is not None:
        certificate = x509.load_pem_x509_certificate(root.read_bytes())
        world.bring_request(certificate.fingerprint(hashes.SHA256()).hex())


def fast_folder() -> Path | None:
    """A file system in memory, where there is one: the tests flush thousands of files."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None
