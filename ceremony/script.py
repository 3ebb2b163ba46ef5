"""The ceremony script: TOML in, a checked `Script` out, with every problem told at once.

tomllib names the place of a broken TOML; what is well-formed but wrong is named by its key path.
"""

import datetime as dt
import difflib
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from ceremony.activation import arrangement
from ceremony.activation.arrangement import Activation
from ceremony.backup import Backup
from ceremony.engine.backup_demands import problems_with_backup
from ceremony.engine.check import impossible_steps
from ceremony.engine.evidence import problems_with_evidence
from ceremony.engine.on_paper import problems_on_paper
from ceremony.engine.registry_demands import problems_with_device_registry
from ceremony.engine.step import Person, Step
from ceremony.errors import CeremonyError
from ceremony.pki.attestation import AttestationTable
from ceremony.pki.device_registry import PolicyPlace
from ceremony.pki.lost_ledger import PreviousTable, problems_with_previous
from ceremony.pki.names import parse_name, shown_text
from ceremony.pki.profiles import CertificateProfile, ProfileTable, RootTable, intermediate_profile, proof_profile, root_profile
from ceremony.pki.reissuing import problems_with_reissues
from ceremony.pki.revoking import CrlTable, RevokeTable, crl_planned, problem_with_crl, problems_with_revoke
from ceremony.pki.roll_over import RollOverTable, cross_planned, problems_with_roll_over
from ceremony.script_people import Name, Participant, Problem, Table, problems_with_people, roster_of
from ceremony.steps import AnyStep
from ceremony.steps.generate_root import GenerateRoot
from ceremony.words import sha256_hex

LARGEST_SCRIPT = 256 << 10
"""A script is at most 256 KiB."""

HexDigest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Serial = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}$(?!\n)")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class Window(Table, frozen=True):
    """`[window]`: the days on which it may run, both included."""

    first: dt.date = msgspec.field(name="from")
    last: dt.date = msgspec.field(name="to")

    def problem_with(self, day: str) -> str | None:
        """Why this day (YYYY-MM-DD) is outside; None when it is inside."""
        if self.first.isoformat() <= day <= self.last.isoformat():
            return None
        return f"{day} is outside the window that the script allows, {self.first} to {self.last}"


class Intermediate(Table, frozen=True):
    """An entry of `[[intermediates]]`: a name that may be certified, and under which profile. A pinned key needs no paper form.

    `device_registry` (NAMESPACE/POLICY) says that it is the issuing CA of that policy of Azure Device Registry, and of no factory.
    `reissue` is the serial of the one certificate whose key and subject it takes over.
    """

    name: Name
    profile: str
    spki_sha256: HexDigest | None = None
    device_registry: PolicyPlace | None = None
    reissue: Serial | None = None


class Proof(Table, frozen=True):
    """An entry of `[[proofs]]`: the service to which possession is proved, and the certificate's name there (the root's label).

    `typed`: the service's code may come in on paper, too, typed by two people with its check words.
    """

    service: Name
    certificate: Name
    typed: bool = False


class Crossing(Table, frozen=True):
    """`[crossing]`: what may leave as QR codes on the screen beside the bundle; nothing unless said."""

    qr: tuple[Literal["fingerprint", "proof"], ...] = ()


class ToolTable(Table, frozen=True):
    """`[tool]`: the ceremony machine's image that it is to be held on (docs/ceremony-machine.md)."""

    image_sha256: HexDigest


class Start(Table, frozen=True):
    """`[world]`: what the script starts from."""

    token: Literal["blank", "ready"] = "blank"
    root: Literal["absent", "present"] = "absent"


class Script(Table, frozen=True):
    """A ceremony script, as reviewed and approved by its digest."""

    format: Literal[1]
    id: Name
    title: Text
    policy: Literal["private-iot-root", "public-trust"]
    evidence: Literal["witness", "video", "qualified-auditor"]
    window: Window
    root: RootTable
    activation: Activation
    backup: Backup
    participants: tuple[Participant, ...]
    steps: tuple[AnyStep, ...]
    max_batch: Annotated[int, msgspec.Meta(ge=1, le=100)] = 25
    profiles: dict[str, ProfileTable] = {}
    intermediates: tuple[Intermediate, ...] = ()
    proofs: tuple[Proof, ...] = ()
    attestation: AttestationTable | None = None
    crl: CrlTable | None = None
    revoke: tuple[RevokeTable, ...] = ()
    roll_over: RollOverTable | None = None
    world: Start = Start()
    crossing: Crossing = Crossing()
    previous: PreviousTable | None = None
    tool: ToolTable | None = None

    @property
    def image_sha256(self) -> str | None:
        """SHA-256 (hex) of the ceremony machine's image that the script names; None where any machine will do."""
        return self.tool.image_sha256 if self.tool else None

    @property
    def taken_up(self) -> RootTable | RollOverTable | None:
        """The root of an earlier ceremony that this one takes up, in a roll-over the old one; None where it takes up none."""
        return self.roll_over or (self.root if self.world.root == "present" else None)

    def person(self, id: str) -> Person:
        """The participant of this id as the script names them."""
        participant = next(entry for entry in self.participants if entry.id == id)
        return Person(participant.name, participant.role)

    def credential(self, id: str, name: str) -> str:
        """The credential of this person in this place, as roster text."""
        participant = next(entry for entry in self.participants if entry.id == id)
        found = next(entry.credential for entry in participant.everyone if entry.name == name)
        return str(found)

    def roster(self) -> list[tuple[str, str]]:
        """Everyone who has a credential, by name, and the credential as roster text."""
        return roster_of(self.participants)


class ScriptRefused(CeremonyError):
    """A script with problems; `problems` lists them all."""

    def __init__(self, problems: list[Problem]) -> None:
        code = "NOT-BUILT" if all(problem.not_built for problem in problems) else "SCRIPT-INVALID"
        listed = "; ".join(f"{problem.where}: {problem.what}" if problem.where else problem.what for problem in problems)
        super().__init__(code, f"The script has {len(problems)} problem{'s' * (len(problems) > 1)}: {listed}.", state="Nothing was begun.")
        self.problems = problems

    def lines(self) -> list[str]:
        """The four parts, with a line for each problem."""
        listed = [f"  {problem.where}: {problem.what}" if problem.where else f"  {problem.what}" for problem in self.problems]
        return [
            f"What happened: the script has {len(self.problems)} problem{'s' * (len(self.problems) > 1)}:",
            *listed,
            f"State: {self.state}",
            f"Do now: {self.do_now}",
            f"Code: {self.code}",
        ]


def read_script(octets: bytes) -> Script:
    """A script's bytes (UTF-8 TOML) as a Script that can hold. Raises ScriptRefused with all its problems."""
    if len(octets) > LARGEST_SCRIPT:
        raise ScriptRefused([Problem("", f"the script is larger than {LARGEST_SCRIPT} bytes")])
    try:
        document = tomllib.loads(octets.decode())
    except (ValueError, RecursionError) as broken:
        # Not only TOMLDecodeError: an integer of thousands of digits and nesting of thousands of levels come as they are.
        raise ScriptRefused([Problem("", shown_text(f"not TOML: {broken}"))]) from broken
    problems: list[Problem] = []
    script = _converted(document, Script, "", problems)
    if problems:
        raise ScriptRefused(problems)
    assert isinstance(script, Script)  # noqa: S101 - for the type checker: without problems it is one
    problems = [*(Problem(*found) for found in problems_on_paper(document)), *problems_with(script)]
    if problems:
        raise ScriptRefused(problems)
    return script


def script_digest(octets: bytes) -> str:
    """SHA-256 (hex) of the script's exact bytes: what people approve."""
    return sha256_hex(octets)


def problems_with(script: Script) -> Iterator[Problem]:
    """All that is wrong with a well-formed script: what is not built, people, names, dates, and the order of steps."""
    not_built = [*_not_built(script)]
    yield from not_built
    yield from problems_with_people(script.participants, script.steps)
    roles = {participant.id: participant.role for participant in script.participants}
    yield from (Problem(where, shown_text(what)) for where, what in arrangement.problems_with(script.activation, roles))
    if script.root.always_authenticate and "shared-pin" in (script.activation.kind, script.activation.held("user", before=True).kind):
        yield Problem("root.always_authenticate", "each signature would take the whole quorum: not together with a shared user PIN")
    yield from _problems_with_names(script)
    yield from _problems_with_dates(script)
    yield from (Problem(*found) for found in problems_with_backup(script))
    yield from (Problem(*found) for found in problems_with_evidence(script))
    yield from (Problem(*found) for found in problems_with_device_registry(script))
    yield from (Problem(*found) for found in problems_with_revoke(script.revoke, script.crl, script.world.root, script.window.last))
    yield from (Problem(*found) for found in problems_with_reissues(script.intermediates, script.revoke, script.world.root))
    days, start = (script.window.first, script.window.last), script.world.root
    yield from (Problem(*found) for found in problems_with_roll_over(script.roll_over, script.root, *days, script.revoke, start))
    kinds = {step.__struct_config__.tag for step in script.steps}
    yield from (Problem(*found) for found in problems_with_previous(script.previous, "use-root" in kinds))
    if script.attestation and "attest-key" not in kinds:
        yield Problem("attestation", "no step attest-key: nothing would be held against the vendor's root")
    for number, what in impossible_steps(script):
        yield Problem(f"steps[{number}] {shown_text(script.steps[number - 1].title)!r}" if script.steps else "steps", what)


def _converted(value: Any, kind: Any, where: str, problems: list[Problem]) -> Any:
    """`value` as `kind`; what does not fit goes to `problems`, one by one, and the rest is still looked at."""
    if kind is AnyStep:
        return _step(value, where, problems)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(value, kind, where, problems)
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_converted(item, arguments[0], f"{where}[{number}]", problems) for number, item in enumerate(value, 1))
    if get_origin(kind) is dict and isinstance(value, dict):
        return {key: _converted(item, arguments[1], f"{where}.{shown_text(key)}", problems) for key, item in value.items()}
    if len(arguments) == 1 and isinstance(arguments[0], type) and issubclass(arguments[0], msgspec.Struct):
        return _converted(value, arguments[0], where, problems)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        problems.append(Problem(where, shown_text(str(wrong)[:1].lower() + str(wrong)[1:])))
        return None


def _struct(value: Any, kind: type[msgspec.Struct], where: str, problems: list[Problem], also: tuple[str, ...] = ()) -> Any:
    if not isinstance(value, dict):
        problems.append(Problem(where, "must be a table"))
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    before = len(problems)
    for key in value:
        if key not in fields and key not in also:
            problems.append(_unknown(key, [*fields, *also], where))
    given: dict[str, Any] = {}
    for name, field in fields.items():
        path = f"{where}.{name}" if where else name
        if name in value:
            given[field.name] = _converted(value[name], field.type, path, problems)
        elif field.required:
            problems.append(Problem(path, "is missing"))
    return kind(**given) if len(problems) == before else None


def _unknown(key: str, names: list[str], where: str) -> Problem:
    path = f"{where}.{shown_text(key)}" if where else shown_text(key)
    near = difflib.get_close_matches(key, names, 1)
    return Problem(path, f"unknown key; did you mean {near[0]!r}?" if near else f"unknown key; known here: {', '.join(names)}")


def _step(value: Any, where: str, problems: list[Problem]) -> Any:
    kinds: dict[str, type[Step]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyStep)}
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        problems.append(Problem(f"{where}.kind", "is missing"))
        return None
    tag = value["kind"]
    if tag not in kinds:
        near = difflib.get_close_matches(tag, kinds, 1)
        problems.append(
            Problem(f"{where}.kind", f"unknown step kind {shown_text(tag)!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        )
        return None
    return _struct(value, kinds[tag], where, problems, also=("kind",))


def _not_built(script: Script) -> Iterator[Problem]:
    if script.policy != "private-iot-root":
        yield Problem("policy", f"{script.policy!r} is not built yet: its profiles do not exist", not_built=True)
    if script.root.always_authenticate and script.activation.kind != "shared-pin":
        yield Problem("root.always_authenticate", "a key that wants the PIN before each signature is not built yet", not_built=True)


def _problems_with_names(script: Script) -> Iterator[Problem]:
    for number, entry in enumerate(script.intermediates, 1):
        if entry.profile not in script.profiles:
            near = difflib.get_close_matches(entry.profile, script.profiles, 1)
            yield Problem(
                f"intermediates[{number}].profile",
                f"no profile {shown_text(entry.profile)!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            )
    for where, names in (
        ("intermediates", [entry.name for entry in script.intermediates]),
        ("proofs", [entry.service for entry in script.proofs]),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem(where, f"{name!r} stands twice")
    for number, proof in enumerate(script.proofs, 1):
        if proof.certificate != script.root.label:
            yield Problem(f"proofs[{number}].certificate", f"{proof.certificate!r} is not the root's label {script.root.label!r}")
    if "proof" in script.crossing.qr and not script.proofs:
        yield Problem("crossing.qr", "no [[proofs]]: there is no proof that could leave")
    if script.world.root == "present" and script.previous is None:
        yield Problem("world.root", 'root = "present" wants [previous]: a later ceremony starts from the bundle of the last')
    if script.world.root == "absent" and script.previous and not any(isinstance(step, GenerateRoot) for step in script.steps):
        yield Problem("world.root", '[previous] wants root = "present", or a step generate-root, which brings another root into the chain')
    if script.world.root == "present" and script.world.token == "blank":
        yield Problem("world.token", "a token that holds the root is not blank")


def _problems_with_dates(script: Script) -> Iterator[Problem]:
    if script.window.first > script.window.last:
        yield Problem("window", "ends before it begins")
        return
    try:
        root = root_profile(script.root, script.window.last, rehearsal=False)
    except CeremonyError as refused:
        yield Problem("root", shown_text(refused.what))
        return
    except OverflowError:
        yield Problem("root.not_after", "is beyond the years that there are in UTC")
        return
    if script.crl and (problem := problem_with_crl(script.crl, root, script.window.last)):
        yield Problem("crl.next_update", problem)
    for name, table in script.profiles.items():
        if problem := _problem_with_profile(table, root, script.window.last):
            yield Problem(f"profiles.{shown_text(name)}", problem)


def _problem_with_profile(table: ProfileTable, root: CertificateProfile, day: dt.date) -> str | None:
    try:
        intermediate_profile(table, parse_name(table.subject.replace("*", "any")), root, day)
    except CeremonyError as refused:
        return shown_text(refused.what)
    except OverflowError:
        return "not_after is beyond the years that there are in UTC"
    return None


def certificates_planned(script: Script) -> list[tuple[str, tuple[str, ...]]]:
    """What would be signed on the first day of the window: a title and decoded lines for each certificate and the CRL."""
    day = script.window.first
    root = root_profile(script.root, day, rehearsal=False)
    planned = [] if script.world.root == "present" and not script.roll_over else [(f"root {script.root.label}", root.lines())]
    planned += cross_planned(script.roll_over, script.root, root, day)
    for proof in script.proofs:
        planned.append((f"proof of possession to {proof.service}", proof_profile("VERIFICATION-CODE-FROM-THE-SERVICE", root, day).lines()))
    for entry in script.intermediates:
        table = script.profiles[entry.profile]
        planned.append(
            (
                f"intermediate {entry.name} (profile {entry.profile}, subject {shown_text(table.subject)})"
                + f", issuing CA of {entry.device_registry} in Azure Device Registry" * bool(entry.device_registry)
                + f", re-issue of {entry.reissue} with its key" * bool(entry.reissue),
                intermediate_profile(table, parse_name(table.subject.replace("*", "any")), root, day).lines(),
            )
        )
    if script.crl:
        planned.append((f"CRL of {script.root.label}", crl_planned(script.crl, script.revoke, root, day)))
    return planned
