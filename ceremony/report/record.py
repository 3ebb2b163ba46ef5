"""Script and transcript read as data, as far as a report tells of them; the engine is not asked.

What artifacts, seals and signatures are, `ceremony.crossing.record` says. Keys that are not named are no error.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ceremony.activation.arrangement import Activation
from ceremony.crossing.record import Artifact, Sealed, data_as
from ceremony.crossing.request import Sha256
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.transcript import Line
from ceremony.words import sha256_hex

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Participant(msgspec.Struct, frozen=True):
    """A person the script names, and who may stand in."""

    id: str
    name: str
    role: str
    alternates: tuple[Any, ...] = ()
    credential: str | None = None

    @property
    def standing_in(self) -> tuple[tuple[str, str], ...]:
        """Name and credential ("" without one) of each alternate: the script writes a name, or a table of both."""
        told = (entry if isinstance(entry, dict) else {"name": entry} for entry in self.alternates)
        return tuple((str(entry.get("name", "")), str(entry.get("credential") or "")) for entry in told)


class Backup(msgspec.Struct, frozen=True):
    """What the script says of a second copy of the root key, or a second root."""

    kind: str
    reason: str = ""
    owner: str = ""
    tool: str = ""
    version: str = ""
    domain: str = ""
    holders: tuple[str, ...] = ()
    bags: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    label: str = ""
    by: Any = None


class Intermediate(msgspec.Struct, frozen=True):
    """A name that may be certified, under which profile, the key (SHA-256 of its SPKI, hex) where pinned, Azure's policy whose CA it is."""

    name: str
    profile: str
    spki_sha256: str | None = None
    device_registry: str | None = None

    @property
    def vouched_by(self) -> str:
        """The key's digest, or the paper that it stands on."""
        if self.spki_sha256 is not None:
            return self.spki_sha256
        return f"as on the paper form of Azure's CA ({self.device_registry})" if self.device_registry else "as on the factory's paper form"


class Proof(msgspec.Struct, frozen=True):
    """A service that may be given proof of possession of the root key."""

    service: str
    certificate: str


class ScriptAsData(msgspec.Struct, frozen=True):
    """The script's tables. Values whose form is the script model's business are kept as they stand; `rest` is all else."""

    id: str
    title: str
    evidence: str
    participants: tuple[Participant, ...]
    steps: tuple[dict[str, Any], ...]
    policy: str = ""
    backup: Backup | None = None
    window: dict[str, Any] = {}
    root: dict[str, Any] = {}
    profiles: dict[str, dict[str, Any]] = {}
    intermediates: tuple[Intermediate, ...] = ()
    proofs: tuple[Proof, ...] = ()
    activation: Activation | None = None
    rest: dict[str, Any] = {}


class Person(msgspec.Struct, frozen=True):
    """Somebody who approved the script, or stands behind a deviation."""

    id: str
    name: str


class Opened(msgspec.Struct, frozen=True):
    """`opened`: the first line."""

    ceremony: str
    rehearsal: bool
    script: dict[str, Any]
    tool: dict[str, Any]
    machine: dict[str, Any]
    site: dict[str, Any] = {}
    module: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None
    environment_removed: tuple[str, ...] = ()
    credentials: dict[str, Any] = {}
    approved_by: tuple[Person, ...] = ()
    tokens: tuple[dict[str, Any], ...] = ()


class Answered(msgspec.Struct, frozen=True):
    """`confirmed` and `ordered`: a question and what a person answered. `digest` is SHA-256 in hex."""

    text: str
    value: str
    by: str
    name: str
    role: str
    digest: str | None = None


class Deviation(msgspec.Struct, frozen=True):
    """`deviation`: something not done as written."""

    kind: str = msgspec.field(name="class")
    text: str
    by: tuple[Person, ...]


class SignedOff(msgspec.Struct, frozen=True):
    """`signed-off`: one person's statement about the record so far."""

    participant: str
    name: str
    role: str
    statement: str
    note: str | None = None
    credential: str | None = None
    signature: str | None = None


class Intended(msgspec.Struct, frozen=True):
    """`intent`: an act about to be done."""

    key: str
    verb: str
    args: dict[str, Any] = {}


class Failure(msgspec.Struct, frozen=True):
    """Why an act failed."""

    code: str
    what: str


class Resulted(msgspec.Struct, frozen=True):
    """`result`: what an act gave, or why it failed."""

    key: str
    verb: str
    value: Any = None
    error: Failure | None = None


class Acting(msgspec.Struct, frozen=True):
    """Who fills a participant's place, as a roll-call left it."""

    name: str
    role: str
    stands_in: bool = False


class PhysicalFact(msgspec.Struct, frozen=True):
    """Something written down from a thing itself: a bag, a seal, a safe, a medium."""

    name: str
    what: str
    text: str
    value: str
    custody: str = ""


class Products(msgspec.Struct, frozen=True):
    """What a finished step left, as far as a report tells of it."""

    people: dict[str, Acting] = {}
    physical: tuple[PhysicalFact, ...] = ()
    counted_in: dict[str, int] = {}
    counted_out: dict[str, int] = {}
    token: dict[str, Any] = {}
    proved_backup: dict[str, Any] = {}
    lost_tokens: tuple[dict[str, Any], ...] = ()
    root_attested: dict[str, Any] = {}


class Recovered(msgspec.Struct, frozen=True):
    """`recovered`: how an act was settled whose outcome was not in the record."""

    key: str
    verb: str
    how: str


class KeyMade(msgspec.Struct, frozen=True):
    """The value of `generate-key`. `attributes` are the module's own statements."""

    label: str
    key_id: str
    public_key_sha256: Sha256
    attributes: dict[str, dict[str, Any]]
    mechanism: str
    profile: str
    key: str = ""


@dataclass(frozen=True)
class Record:
    """A script, and the lines of its transcript ([] before it is held). `script_sha256` is hex."""

    script: ScriptAsData
    script_sha256: str
    lines: Sequence[Line]

    @property
    def opened(self) -> Opened | None:
        """The first line's data; None before the ceremony is held."""
        return data_as(Opened, self.lines[0]) if self.lines else None

    @property
    def opened_data(self) -> dict[str, Any]:
        """The first line's data as it stands; {} before the ceremony is held."""
        return self.lines[0].data if self.lines else {}

    @property
    def announced(self) -> Line | None:
        """The line whose digest is the ceremony's fingerprint: the last seal, or the last pause without an export."""
        found = [
            line for line in self.lines if line.type == "sealed" or (line.type == "paused" and line.data.get("reason") != "crossing")
        ]
        return found[-1] if found else None

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every artifact the record tells of, in the order in which they were made."""
        written = [data_as(Artifact, line, result.value) for line, result in self.results("write-artifact")]
        return tuple({artifact.path: artifact for artifact in written}.values())

    @property
    def root_certificate_sha256(self) -> str | None:
        """SHA-256 (hex) of the root certificate's DER, as the last seal that knows it says. Raises CeremonyError RECORD-BROKEN."""
        seals = (data_as(Sealed, line) for line in reversed(self.lines) if line.type == "sealed")
        digest = next((seal.root_certificate_sha256 for seal in seals if seal.root_certificate_sha256), None)
        if digest and not _DIGEST.fullmatch(digest):
            raise CeremonyError("RECORD-BROKEN", f"A seal says that the root certificate's SHA-256 is {shown_text(digest)!r}.")
        return digest

    @property
    def own_root(self) -> Artifact | None:
        """The certificate of the ceremony's own root: that of the script's label, else the first; others of the chain are carried on."""
        roots = [artifact for artifact in self.artifacts if artifact.kind == "root-certificate"]
        named = f"root/{self.script.root.get('label')}.cert.pem"
        return next((root for root in roots if root.path == named), roots[0] if roots else None)

    @property
    def token(self) -> dict[str, Any]:
        """What the token in use said of itself last; {} when none was used."""
        return next((products.token for products in reversed([*self.products()]) if products.token), {})

    def products(self) -> Iterator[Products]:
        """What each finished step left, in order."""
        return map(self.products_of, self.of_type("step-finished"))

    def products_of(self, line: Line) -> Products:
        """What one finished step left: `line` is its `step-finished`."""
        return data_as(Products, line, line.data.get("products"))

    def of_type(self, *types: str) -> Iterator[Line]:
        """The lines of these types, in order."""
        return (line for line in self.lines if line.type in types)

    def results(self, verb: str) -> Iterator[tuple[Line, Resulted]]:
        """The acts of this verb that succeeded."""
        for line in self.of_type("result"):
            result = data_as(Resulted, line)
            if result.verb == verb and result.error is None:
                yield line, result


def read_record(script: bytes, lines: Sequence[Line]) -> Record:
    """The record behind a report, from the script's exact bytes (TOML, UTF-8) and the lines of a transcript.

    Raises CeremonyError REPORT-SCRIPT when the bytes are no ceremony script, or not the one that the first line names.
    """
    try:
        document = tomllib.loads(script.decode())
        rest = {key: value for key, value in document.items() if key not in ScriptAsData.__struct_fields__}
        tables = msgspec.convert({**document, "rest": rest}, ScriptAsData)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as why:
        raise CeremonyError("REPORT-SCRIPT", f"The script cannot be read: {shown_text(str(why))}.") from why
    record = Record(tables, sha256_hex(script), lines)
    if record.opened and record.opened.script.get("sha256") != record.script_sha256:
        raise CeremonyError("REPORT-SCRIPT", "The script is not the one whose digest stands in the first line of the transcript.")
    return record
