"""What reads files or words of others, each as a function of bytes. It may refuse by an error of ours, and do nothing else."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ceremony.activation.shares import ShareProblem, read_share
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.request import read_request
from ceremony.crossing.verify import verify_bundle
from ceremony.device import cache
from ceremony.errors import CeremonyError
from ceremony.factory.folder import read_accepted
from ceremony.machine.site import parse_site
from ceremony.online.plan import read_plan
from ceremony.online.receipts import read_receipts
from ceremony.pki.csr import read_csr
from ceremony.script import read_script
from ceremony.simulator.mqtt import Reader
from ceremony.simulator.mqtt_packets import MqttError
from ceremony.simulator.state_file import decoded
from ceremony.transcript import read_lines
from ceremony.unattended import read_answers
from tests.engine.memory_room import fast_folder
from tests.fuzz import device, factory, seeds

_ROOT = Path(__file__).parents[2]
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Target:
    """`read` gets the input; `refuses` are the errors by which it may refuse; `seeds` finds first inputs in a rehearsal's folder."""

    read: Callable[[bytes], object]
    seeds: Callable[[Path], list[bytes]]
    refuses: tuple[type[Exception], ...] = (CeremonyError,)


class InFolder:
    """An input is one file of a folder that is whole but for it: the first byte says which, and the sums are made to fit."""

    def __init__(self, read: Callable[[Path], object], seed: Callable[[Path], Path]) -> None:
        """`seed` gives the folder to begin with, of a rehearsal's or beside it."""
        self._read, self._seed = read, seed
        self._base: Path | None = None

    def take(self, rehearsal: Path) -> None:
        """Puts the seed's files into a folder of this process."""
        seed = self._seed(rehearsal)
        self._base = Path(tempfile.mkdtemp(dir=fast_folder(), prefix="fuzz-"))
        shutil.copytree(seed, self._base / "in")
        self._files = sorted(path for path in (self._base / "in").rglob("*") if path.is_file() and path.name != SUMS)
        self._before = {path: path.read_bytes() for path in self._files}

    def __call__(self, octets: bytes) -> None:
        assert self._base is not None
        place = self._files[octets[0] % len(self._files)] if octets else self._files[0]
        place.write_bytes(octets[1:])
        sums = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in self._files}
        inside = self._base / "in"
        (inside / SUMS).write_text("".join(f"{sums[path]}  {path.relative_to(inside)}\n" for path in self._files))
        try:
            self._read(inside)
        finally:
            place.write_bytes(self._before[place])
            if {path.name for path in self._base.iterdir()} != {"in"}:
                raise AssertionError("something was written beside the folder")

    def seeds(self, rehearsal: Path) -> list[bytes]:
        """Each file of the seed's folder, by its number."""
        self.take(rehearsal)
        return [bytes([number]) + path.read_bytes() for number, path in enumerate(self._files)]


def _files(pattern: str) -> Callable[[Path], list[bytes]]:
    return lambda rehearsal: [path.read_bytes() for path in sorted(rehearsal.glob(pattern))]


def _shipped(pattern: str) -> Callable[[Path], list[bytes]]:
    return lambda rehearsal: [path.read_bytes() for path in sorted((_ROOT / "ceremony-scripts").glob(pattern))]


_SITE = b'format = 1\n[module]\npath = "/x.so"\n[module.environment]\nA = "b"\n[tokens]\nprimary = "1"\n[media]\noutbox = "/media/out"\n'
_SHARE = b" ".join([b"academic acid acrobat romp"] * 5)
_CONNECT = bytes.fromhex("101000044d5154540402003c000464657631")


def _factory(rehearsal: Path) -> Path:
    place = rehearsal.with_name("factory")
    return place if place.exists() else seeds.factory_folder(place)


def _one(seed: Callable[[], bytes]) -> Callable[[Path], list[bytes]]:
    return lambda rehearsal: [seed()]


FOLDERS = {
    "request": InFolder(read_request, lambda rehearsal: rehearsal / "requests/1"),
    "bundle": InFolder(lambda place: verify_bundle(place, fingerprint="0" * 64), lambda rehearsal: rehearsal / "bundles/1"),
    "factory-folder": InFolder(read_accepted, _factory),
}

TARGETS: dict[str, Target] = {
    "script": Target(read_script, _shipped("*.toml")),
    "answers": Target(read_answers, _shipped("*.answers.toml")),
    "site": Target(parse_site, lambda rehearsal: [_SITE]),
    "transcript": Target(read_lines, _files("transcript.jsonl")),
    "ledger": Target(read_ledger, _files("bundles/*/record/ledger.json")),
    "csr": Target(read_csr, _files("requests/*/csr/*.pem")),
    "plan": Target(read_plan, _one(seeds.plan)),
    "receipts": Target(read_receipts, _one(seeds.receipts)),
    "share": Target(lambda octets: read_share(bytearray(octets)), lambda rehearsal: [_SHARE], (ShareProblem,)),
    **{name: Target(folder, folder.seeds) for name, folder in FOLDERS.items()},
    "simulator-state": Target(decoded, _one(seeds.simulator_state)),
    "mqtt": Target(lambda octets: Reader().feed(octets), lambda rehearsal: [_CONNECT], (MqttError,)),
    "device-cache": Target(cache.decoded, _one(seeds.device_cache), ()),
    "device-answer": Target(device.answered, lambda rehearsal: list(seeds.DPS_ANSWERS)),
    "device-heard": Target(device.heard, lambda rehearsal: [seeds.DPS_ANSWERS[0] + b"\n202/?$rid=1&retry-after=3"], ()),
    "device-https": Target(device.answered_by_https, lambda rehearsal: device.https_answers(), ()),
    "device-chain": Target(device.chain_read, lambda rehearsal: list(seeds.device_chain())),
    "factory-ids": Target(factory.ids_read, lambda rehearsal: list(seeds.ID_LISTS)),
    "factory-csrs": Target(factory.csr_read, _files("requests/*/csr/*.pem")),
}


def tried(name: str, octets: bytes) -> None:
    """One input of a target. Raises what is no refusal."""
    target = TARGETS[name]
    try:
        target.read(octets)
    except target.refuses as refused:
        if isinstance(refused, CeremonyError) and refused.code == "INTERNAL":
            raise
