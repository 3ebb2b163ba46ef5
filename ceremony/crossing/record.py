"""What the transcript says of signatures, orders, artifacts, requests and seals, read as data. The engine is not asked.

Keys of a line that are not named here are no error: later versions may add some.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from ceremony.crossing.held_pins import BothPins
from ceremony.crossing.physical import MediumTaken
from ceremony.crossing.products import Products
from ceremony.crossing.request import ProofRequest, ReceivedCsr, Sha256
from ceremony.errors import CeremonyError
from ceremony.pki.key_health import AttributeRead
from ceremony.pki.lost_ledger import LostLedger
from ceremony.pki.names import shown_text
from ceremony.transcript import Line
from ceremony.words import sha256_hex

Serial = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}\Z")]
"""A serial number as 40 lower-case hex digits."""
ArtifactKind = Literal[
    "root-certificate", "intermediate-certificate", "intermediate-chain", "proof-certificate", "cross-certificate", "crl",
    "attestation-chain", "vendor-evidence",
]  # fmt: skip


class Artifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public file as the record names it: `sha256` (hex) and `size` of its bytes, `serial` 40 hex digits, `subject` RFC 4514."""

    path: str
    kind: ArtifactKind
    sha256: Sha256
    size: int
    serial: Serial | None
    subject: str | None


class _Script(msgspec.Struct, frozen=True):
    id: str
    title: str
    sha256: str


class _Module(msgspec.Struct, frozen=True):
    software: bool


class _Machine(msgspec.Struct, frozen=True):
    image_sha256: str | None = None


class MachineTold(msgspec.Struct, frozen=True):
    """What `opened` and `resumed` tell of the machine: SHA-256 (hex) of the ceremony machine's image, where it ran one."""

    machine: _Machine = _Machine()


class Previous(msgspec.Struct, frozen=True):
    """The ceremony before, all SHA-256 in hex: its fingerprint, its ledger's bytes, its root certificate's DER.

    `activation` is how its ledger tells that the PINs were held then; None where it does not. `lost` is there where that ledger was
    made again, and tells what is not known. `backups` are the copies proved by then.
    """

    fingerprint: str
    ledger_sha256: str
    root_certificate_sha256: str
    activation: BothPins | None = None
    lost: LostLedger | None = None
    backups: tuple[dict[str, Any], ...] = ()


class Opened(msgspec.Struct, frozen=True):
    """`opened`, the first line."""

    ceremony: str
    rehearsal: bool
    script: _Script
    module: _Module | None
    previous: Previous | None
    credentials: dict[str, dict[str, str]] = {}
    """Of a rehearsal alone: made-up credentials as roster text, by participant's id and name."""


class Sealed(msgspec.Struct, frozen=True):
    """`sealed`: the number of a bundle, all its artifacts, and the seal before in this ceremony."""

    bundle: int
    artifacts: tuple[Artifact, ...]
    previous_seal: str | None
    ceremony: str
    rehearsal: bool
    root_certificate_sha256: str | None


class PersonNamed(msgspec.Struct, frozen=True):
    """A participant's id and name."""

    id: str
    name: str


class Answered(msgspec.Struct, frozen=True):
    """`confirmed` and `ordered`: what participant `by` answered, and to which digest (hex) the question was put."""

    key: str
    value: str
    by: str
    name: str
    role: str
    digest: str | None = None


class Resumed(msgspec.Struct, frozen=True):
    """`resumed`: the fingerprint (hex) typed from paper, and who confirmed the lines that follow it."""

    fingerprint_typed: Sha256 | None
    confirmed_by: tuple[PersonNamed, ...] = ()
    torn: dict[str, Any] | None = None


class SignArguments(msgspec.Struct, frozen=True):
    """What a signature is intended over: `sha256` (hex) is that of the to-be-signed bytes. A CRL has `crl_number` in place of a serial.

    `public_key` is the key that is asked to sign, DER SPKI in hex.
    """

    algorithm: str
    sha256: Sha256
    serial: Serial | None
    subject: str
    purpose: Literal["root", "intermediate", "proof", "cross", "crl"]
    crl_number: int | None = None
    public_key: str = ""

    @property
    def identity(self) -> str:
        """What is signed once at most: a certificate by its serial, a CRL by its number."""
        return self.serial or f"CRL {self.crl_number}"


class SignatureMade(msgspec.Struct, frozen=True):
    """The value of a signature's result; a signature given up as possibly made has none. DER of ECDSA, or an RSA block, in hex."""

    signature: str | None = None
    given_up: bool = False


class StoredBytes(msgspec.Struct, frozen=True):
    """The arguments of `store`: to-be-signed bytes (DER) as hex, which lie on the disk before they are shown."""

    hex: str
    sha256: str


class KeyMade(msgspec.Struct, frozen=True):
    """The value of `generate-key`: `public_key` is DER SPKI in hex."""

    label: str
    public_key: str
    public_key_sha256: str


class KeyRead(msgspec.Struct, frozen=True):
    """The part of `generate-key` and `look-at-key` that is alike: a key on the token, its attributes as the module asserts them."""

    public_key_sha256: Sha256
    attributes: dict[str, AttributeRead] = {}


class ReceivedRequest(msgspec.Struct, frozen=True):
    """One request of an `import-request` result, as `InboundRequest.as_value` writes it."""

    root_fingerprint: str | None
    proofs: tuple[ProofRequest, ...]
    csrs: tuple[ReceivedCsr, ...]


class _Requests(msgspec.Struct, frozen=True):
    requests: tuple[ReceivedRequest, ...]


class Deviation(msgspec.Struct, frozen=True):
    """`deviation`: something not done as written, its class, and who stands behind it."""

    kind: Literal["override", "note"] = msgspec.field(name="class")
    text: str
    by: tuple[PersonNamed, ...]


class _Finished(msgspec.Struct, frozen=True):
    products: dict[str, Any]


class Recovered(msgspec.Struct, frozen=True):
    """`recovered`: how an act was settled whose outcome the record does not hold."""

    key: str
    verb: str
    how: str


class Finding(msgspec.Struct, frozen=True):
    """What one check of the machine gave."""

    check: str
    verdict: Literal["ok", "found", "unknown"]


class MachineChecked(msgspec.Struct, frozen=True):
    """The value of `check-machine`."""

    findings: tuple[Finding, ...]


class ProofKey(msgspec.Struct, frozen=True):
    """The value of `proof-key`: DER SPKI in hex."""

    public_key: str


class Act(msgspec.Struct, frozen=True):
    """`intent` and `result`: an act by its key and verb; `args` before it, `value` after it when it succeeded."""

    key: str
    verb: str
    args: dict[str, Any] = {}
    value: dict[str, Any] | None = None


class Signature(msgspec.Struct, frozen=True):
    """A signature intended, and what became of it: `made` is None while the record holds no outcome.

    `line` is the first intent; `batch` and `name` are taken from its key, `<batch>/sign/<name>`.
    """

    line: Line
    batch: str
    name: str
    arguments: SignArguments
    made: SignatureMade | None = None

    @property
    def is_made(self) -> bool:
        """Whether the record holds the signature."""
        return self.made is not None and self.made.signature is not None


_Shape = TypeVar("_Shape")


def data_as(shape: type[_Shape], line: Line, value: Any = None) -> _Shape:
    """A line's data, or a part of it, in this shape. Raises CeremonyError RECORD-BROKEN, which names the line."""
    try:
        return msgspec.convert(line.data if value is None else value, shape)
    except msgspec.ValidationError as why:
        raise CeremonyError("RECORD-BROKEN", f"Line {line.seq} of the transcript ({line.type}): {shown_text(str(why))}.") from why


class Record:
    """The lines of one ceremony up to a seal. Every method raises CeremonyError RECORD-BROKEN for data of another shape."""

    def __init__(self, lines: Sequence[Line]) -> None:
        """Reads the first line (`opened`) and the last (`sealed`)."""
        if not lines or lines[-1].type != "sealed":
            raise CeremonyError("RECORD-BROKEN", "The transcript does not end with a seal.")
        self.lines = lines
        self.opened = data_as(Opened, lines[0])
        self.sealed = data_as(Sealed, lines[-1])
        self._products: dict[int | None, Products] = {}

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the seal's line, newline included."""
        return self.lines[-1].sha256

    def of_type(self, *types: str) -> Iterator[Line]:
        """The lines of these types, in order."""
        return (line for line in self.lines if line.type in types)

    @cached_property
    def seals(self) -> list[tuple[Line, Sealed]]:
        """Every seal, this one last."""
        return [(line, data_as(Sealed, line)) for line in self.of_type("sealed")]

    def results(self, verb: str) -> Iterator[tuple[Line, dict[str, Any]]]:
        """The acts of this verb that succeeded, and their values."""
        for line, act in self.acts_of(verb):
            if line.type == "result" and act.value is not None:
                yield line, act.value

    @cached_property
    def artifacts(self) -> list[Artifact]:
        """The artifacts that were written, in order."""
        return [data_as(Artifact, line, value) for line, value in self.results("write-artifact")]

    @cached_property
    def steps_of_artifacts(self) -> dict[str, int | None]:
        """The number of the step that wrote each artifact, by path."""
        return {data_as(Artifact, line, value).path: line.step for line, value in self.results("write-artifact")}

    def media(self, verb: str) -> list[MediumTaken]:
        """The media that acts of this verb took, in order."""
        return [data_as(MediumTaken, line, value) for line, value in self.results(verb)]

    @cached_property
    def requests(self) -> list[ReceivedRequest]:
        """The requests that came in, in order."""
        return [request for line, value in self.results("import-request") for request in data_as(_Requests, line, value).requests]

    @cached_property
    def keys(self) -> list[KeyMade]:
        """The keys that were generated, in order."""
        return [data_as(KeyMade, line, value) for line, value in self.results("generate-key")]

    def keys_read(self, verb: str) -> list[tuple[Line, KeyRead]]:
        """The root's key as acts of this verb (`generate-key`, `look-at-key`) read it, in order."""
        return [(line, data_as(KeyRead, line, value)) for line, value in self.results(verb)]

    @cached_property
    def _finished(self) -> list[tuple[int, dict[str, Any]]]:
        return [(line.step, data_as(_Finished, line).products) for line in self.of_type("step-finished") if line.step is not None]

    def products(self, step: int | None) -> Products:
        """What the steps before this one had established."""
        if step not in self._products:
            found: dict[str, Any] = {}
            for finished, products in self._finished:
                if step is not None and finished < step:
                    found |= products
            self._products[step] = data_as(Products, self.lines[-1], found)
        return self._products[step]

    @cached_property
    def stored_bytes(self) -> dict[str, tuple[Line, bytes]]:
        """To-be-signed bytes by their SHA-256 (hex), and the line that tells that they lie on the disk."""
        found: dict[str, tuple[Line, bytes]] = {}
        intended: dict[tuple[int | None, str], dict[str, Any]] = {}
        for line, act in self.acts_of("store"):
            if line.type == "intent":
                intended[line.step, act.key] = act.args
            elif act.value is not None:
                stored = data_as(StoredBytes, line, intended.get((line.step, act.key), {}))
                try:
                    octets = bytes.fromhex(stored.hex)
                except ValueError as broken:
                    raise _broken(line, "what was stored is not hex") from broken
                if act.value.get("sha256") == stored.sha256 == sha256_hex(octets):
                    found.setdefault(stored.sha256, (line, octets))
        return found

    @cached_property
    def signatures(self) -> list[Signature]:
        """Every signature ever intended, once a serial or number, in the order of the first intents."""
        intended: dict[str, Signature] = {}
        undecided: dict[tuple[int | None, str], str] = {}
        for line, act in self.acts_of("sign"):
            place = (line.step, act.key)
            if line.type == "intent":
                signature = _signature(line, act)
                first = intended.setdefault(signature.arguments.identity, signature)
                if (first.arguments, first.line.data["key"], first.line.step) != (signature.arguments, act.key, line.step):
                    raise _broken(line, f"it intends {first.arguments.identity} for something else than line {first.line.seq} does")
                undecided[place] = signature.arguments.identity
            elif (identity := undecided.pop(place, None)) is None:
                raise _broken(line, "the result of a signature that no line intends")
            elif act.value is not None:
                if intended[identity].made is not None:
                    raise _broken(line, f"a second outcome of {shown_text(identity)}")
                intended[identity] = msgspec.structs.replace(intended[identity], made=data_as(SignatureMade, line, act.value))
        return list(intended.values())

    def acts_of(self, verb: str) -> Iterator[tuple[Line, Act]]:
        """The intents and results of this verb, in order."""
        for line in self.of_type("intent", "result"):
            if line.data.get("verb") == verb:
                yield line, data_as(Act, line)


def _signature(line: Line, act: Act) -> Signature:
    batch, sign, name = act.key.rpartition("/sign/")
    if not sign:
        raise _broken(line, "the key of a signature is <batch>/sign/<name>")
    return Signature(line, batch, name, data_as(SignArguments, line, act.args))


def _broken(line: Line, why: str) -> CeremonyError:
    return CeremonyError("RECORD-BROKEN", f"Line {line.seq} of the transcript: {why}.")
