"""The plan: what the verified bundle and the settings want, against what is at the service. Made by reading alone.

A plan file is canonical JSON. It pins each certificate's digest and the state of the service that it was made from; `apply`
does exactly what it says, or nothing.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.crossing.verified import CertificateOfBundle, VerifiedBundle
from ceremony.errors import CeremonyError
from ceremony.online.activation import activation_of
from ceremony.online.clocks import difference_text, refuse_invalid_now
from ceremony.online.config import OnlineConfig
from ceremony.online.control_plane import MOST_CERTIFICATES
from ceremony.online.data_plane import MOST_GROUPS
from ceremony.online.depends import open_to
from ceremony.online.groups import differences, settings_of
from ceremony.online.revoked import revoked_groups
from ceremony.online.successions import succeeds, succession_of
from ceremony.online.world import Group, World, time_text
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

LARGEST_PLAN = 4 << 20
Sign = Literal["+", "~", "="]
ActionKind = Literal["upload", "self-attest", "verify", "group", "second", "promote", "activate"]

_WARN_AT = 0.8
_CERTIFICATE_NAME = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,64}")
# The rule of registration ids (azure-dps.md, 3): letters, digits and - . _ :, the last a letter, digit or hyphen.
_GROUP_ID = re.compile(r"[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]")


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bundle: its path there, and SHA-256 (hex) of its bytes."""

    path: str
    sha256: str


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object at the service. `+` is made, `~` changed, `=` left as it is.

    `etag` is that of what is there (None: nothing is). `file` is the certificate (of `verify` the proof), `secondary` the
    second certificate of a group, `settings` what stands in a group beside; `changes` says each difference for a person.
    `second` and `promote` are of a group whose intermediate was re-issued (see successions).
    Of `activate` the name is NAMESPACE/POLICY of Azure Device Registry, and `etag` the digest of the policy's state: it has no etag.
    """

    sign: Sign
    kind: ActionKind
    name: str
    text: str
    file: Pin
    etag: str | None
    secondary: Pin | None = None
    settings: dict[str, Any] = {}
    changes: tuple[str, ...] = ()


class PlannedBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bundle that the plan is of; digests are SHA-256 in hex."""

    path: str
    fingerprint: str
    root_fingerprint: str
    ceremony: str
    number: int
    rehearsal: bool


class PlannedService(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service that the plan is for. `endpoint` is that of the simulator, None for Azure."""

    subscription: str
    resource_group: str
    service: str
    cloud: str
    endpoint: str | None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan. `made_at` is the service's clock; `world` what was there, as World.as_value says it; `notes` are for a person."""

    format: Literal[1]
    made_at: str
    bundle: PlannedBundle
    service: PlannedService
    world: dict[str, dict[str, Any]]
    actions: tuple[Action, ...]
    notes: tuple[str, ...]

    @property
    def changes(self) -> list[Action]:
        """What is to be done, in order."""
        return [action for action in self.actions if action.sign != "="]

    @property
    def count_line(self) -> str:
        """The plan in a line. Nothing is ever removed by a plan: that takes `retire`."""
        signs = [action.sign for action in self.actions]
        if not self.changes:
            return f"Nothing to do: {len(signs)} as they are."
        return f"{signs.count('+')} to add (+), {signs.count('~')} to change (~), {signs.count('=')} as they are (=), 0 to remove (-)."


def planned_service(config: OnlineConfig) -> PlannedService:
    """The service of these settings."""
    return PlannedService(config.subscription, config.resource_group, config.service, config.cloud, config.endpoint)


def plan_bytes(plan: Plan) -> bytes:
    """The plan file: canonical JSON and a newline."""
    return canonical_json(msgspec.to_builtins(plan)) + b"\n"


def read_plan(octets: bytes) -> Plan:
    """The plan of a file's bytes. Raises CeremonyError PLAN-BROKEN."""
    try:
        if len(octets) > LARGEST_PLAN or not octets.endswith(b"\n"):
            raise NotCanonical("too large, or cut short")
        return msgspec.convert(parse_json(octets[:-1]), Plan)
    except (NotCanonical, msgspec.ValidationError) as why:
        raise CeremonyError("PLAN-BROKEN", f"The plan: {shown_text(str(why))}.", state="Nothing was sent.") from why


def make_plan(
    bundle: VerifiedBundle,
    config: OnlineConfig,
    world: World,
    *,
    enable: Collection[str] = (),
    self_attest: str | None = None,
    promote: Collection[str] = (),
) -> Plan:
    """What has to be done so that the service holds what the bundle and the settings say.

    `enable` names disabled groups to enable again; `self_attest` the certificate that the operator vouches for in place of a
    proof; `promote` re-issued intermediates that are to stand alone in their group. Raises CeremonyError ONLINE-NAME, ONLINE-LIMIT,
    ONLINE-CLOCK, ONLINE-CERTIFICATE-DIFFERS, ONLINE-GROUP-DIFFERS, ONLINE-REVOKED, USAGE.
    """
    planner = _Planner(bundle, config, world, frozenset(enable), self_attest, frozenset(promote))
    planner.refuse_unknown_names()
    actions = tuple(planner.actions())
    notes = (*planner.notes, *_limits(world, actions), *_notes_on_revoked(world, bundle), *_notes_on_world(world))
    return Plan(
        format=1,
        made_at=time_text(world.time),
        bundle=PlannedBundle(
            str(bundle.path), bundle.fingerprint, bundle.root_fingerprint, bundle.ceremony, bundle.number, bundle.rehearsal
        ),
        service=planned_service(config),
        world=world.as_value(),
        actions=actions,
        notes=notes,
    )


@dataclass
class _Planner:
    bundle: VerifiedBundle
    config: OnlineConfig
    world: World
    enable: frozenset[str]
    self_attest: str | None
    promote: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    def refuse_unknown_names(self) -> None:
        """Names that a person gave and that mean nothing here, or something that the root has revoked, are mistakes."""
        secondaries = self.config.groups.secondaries
        if self.self_attest not in (None, self.bundle.label):
            raise CeremonyError("USAGE", f"--self-attest {shown_text(str(self.self_attest))}: the root is called {self.bundle.label}.")
        for name in sorted(self.promote - self.bundle.reissued.keys()):
            what = f"--promote {shown_text(name)}: the bundle re-issues no intermediate of that name."
            raise CeremonyError("USAGE", what, state="Nothing was sent.")
        linked = self.world.service.hubs
        for hub in sorted(set(self.config.groups.hubs) - set(linked)):
            what = f"groups.hubs names {shown_text(hub)}, which is not linked to the service ({', '.join(linked) or 'no hub is'})."
            raise CeremonyError("ONLINE-CONFIG", what, state="Nothing was sent.")
        groups = self.bundle.intermediates.keys() - self.bundle.policies.keys()
        for name in sorted({*self.enable, *secondaries, *secondaries.values()} - groups):
            raise CeremonyError("USAGE", f"The bundle has no intermediate called {shown_text(name)}.", state="Nothing was sent.")
        for name in sorted({*self.enable, *secondaries, *secondaries.values()}):
            if revoked := self.bundle.revoked(self.bundle.intermediates[name].certificate.serial_number):
                raise CeremonyError("ONLINE-REVOKED", f"The root has revoked {name}: {revoked.text}.", state="Nothing was sent.")

    def actions(self) -> Iterator[Action]:
        root = self._root()
        yield root
        will_be_verified = root.kind in ("self-attest", "verify") or (root.sign == "=" and self._is_verified())
        second = set(self.config.groups.secondaries.values())
        for name, certificate in sorted(self.bundle.intermediates.items()):
            if name in second or name in self.bundle.policies:
                continue
            if certificate.certificate.not_valid_after_utc <= self.world.time:
                self.notes.append(f"{name} has expired: no group is made or changed for it.")
            elif revoked := self.bundle.revoked(certificate.certificate.serial_number):
                self.notes.append(f"{name} is revoked by the root ({revoked.text}): no group is made, changed or enabled for it.")
            elif not will_be_verified:
                self.notes.append(f"{name} waits: a group is made when the root is verified.")
            else:
                yield self._group(name, certificate)
        for name, place in sorted(self.bundle.policies.items()):
            certificate = self.bundle.intermediates[name]
            if revoked := self.bundle.revoked(certificate.certificate.serial_number):
                self.notes.append(f"{name} is revoked by the root ({revoked.text}): the policy {place} is not activated with it.")
            else:
                yield self._activation(place, certificate)

    def _activation(self, place: str, certificate: CertificateOfBundle) -> Action:
        there = self.world.policy(place)
        found = activation_of(place, there, certificate, self.bundle.root, self.world.time, self.world.ahead)
        self.notes.extend(found.notes)
        return Action(found.sign, "activate", place, found.text, _pin(certificate), there.state if there else None, changes=found.changes)

    def _is_verified(self) -> bool:
        there = self.world.certificate(self.bundle.label)
        return there is not None and there.is_verified

    def _root(self) -> Action:
        bundle, label, pin = self.bundle, self.bundle.label, _pin(self.bundle.root)
        if not _CERTIFICATE_NAME.fullmatch(label):
            raise _name_refused("certificate", label)
        there = self.world.certificate(label)
        if there is not None and not there.is_of(bundle.root.der):
            what = f"The service holds another certificate called {label}: {shown_text(there.subject)}, SHA-256 {there.sha256}."
            raise CeremonyError("ONLINE-CERTIFICATE-DIFFERS", what, state="Nothing was sent.")
        for other in self.world.certificates:
            if other is not there and other.is_of(bundle.root.der):
                what = f"The service holds this root already, as {shown_text(other.name)}."
                raise CeremonyError("ONLINE-CERTIFICATE-DIFFERS", what, state="Nothing was sent.")
        if there is not None and there.is_verified:
            return Action("=", "upload", label, "root, verified", pin, there.etag)
        if self.self_attest is not None:
            text = "root, SELF-ATTESTED: verified on your word, without a proof of possession"
            refuse_invalid_now("The root", bundle.root.certificate, self.world.time, self.world.ahead)
            return Action("+" if there is None else "~", "self-attest", label, text, pin, there.etag if there else None)
        proof = bundle.proofs.get((self.config.service, label))
        if there is None:
            if proof is not None:
                self.notes.append("The proof in this bundle is for a code that is gone: after the upload a new code is needed.")
            refuse_invalid_now("The root", bundle.root.certificate, self.world.time, self.world.ahead)
            fetch = f"`ceremony online request --dps {self.config.service}`"
            self.notes.append(f"After this: {fetch} fetches the code to carry to the ceremony.")
            return Action("+", "upload", label, "root", pin, None)
        if proof is None:
            self.notes.append(f"The root is not verified, and the bundle has no proof for {self.config.service}: it waits for one.")
            return Action("=", "upload", label, "root, not verified", pin, there.etag)
        refuse_invalid_now("The root", bundle.root.certificate, self.world.time, self.world.ahead)
        refuse_invalid_now("The proof of possession", proof.certificate, self.world.time, self.world.ahead)
        changes = ("verified: no -> yes, by the proof of possession",)
        return Action("~", "verify", label, "root", _pin(proof), there.etag, changes=changes)

    def _group(self, name: str, certificate: CertificateOfBundle) -> Action:
        if not _GROUP_ID.fullmatch(name):
            raise _name_refused("enrollment group", name)
        second_name = self.config.groups.secondaries.get(name)
        second = self.bundle.intermediates[second_name] if second_name else None
        settings, pin, second_pin = settings_of(self.config.groups), _pin(certificate), _pin(second) if second else None
        there = self.world.group(name)
        digests = {_sha256(certificate), *((_sha256(second),) if second else ())}
        for other in self.world.groups:
            if other is not there and not digests.isdisjoint({other.primary_sha256, other.secondary_sha256}):
                what = f"The certificate of {name} is in the group {shown_text(other.group_id)} already, and may be in one only."
                raise CeremonyError("ONLINE-GROUP-DIFFERS", what, state="Nothing was sent.")
        if there is None:
            text = f"group, {_until(certificate)}" + (f", second certificate {second_name}" if second else "")
            return Action("+", "group", name, text, pin, None, second_pin, settings)
        if second is None and succeeds(self.bundle, name, there):
            found = succession_of(certificate, there, settings, promote=name in self.promote, enable=self.enable)
            sign: Sign = "~" if found.changes else "="
            return Action(sign, found.kind, name, found.text, pin, there.etag, settings=settings, changes=found.changes)
        if there.primary_sha256 != _sha256(certificate) or (second and there.secondary_sha256 not in (None, _sha256(second))):
            what = f"The group {name} is there with another certificate: SHA-256 {there.primary_sha256}."
            raise CeremonyError("ONLINE-GROUP-DIFFERS", what, state="Nothing was sent.")
        return self._existing(there, certificate, Action("=", "group", name, "", pin, there.etag, second_pin, settings), second)

    def _existing(self, there: Group, certificate: CertificateOfBundle, action: Action, second: CertificateOfBundle | None) -> Action:
        changes = differences(there, action.settings, _sha256(second) if second else None)
        if not there.is_enabled:
            if there.group_id not in self.enable:
                text = f"group, {_until(certificate)}, DISABLED: stays so (--enable {there.group_id} enables it)"
                return msgspec.structs.replace(action, text=text)
            changes = ["status: disabled -> enabled", *changes]
        text = f"group, {_until(certificate)}"
        return msgspec.structs.replace(action, sign="~" if changes else "=", text=text, changes=tuple(changes))


def _limits(world: World, actions: Collection[Action]) -> Iterator[str]:
    """Warnings from 80 % on. Raises CeremonyError ONLINE-LIMIT."""
    made = [action.kind for action in actions if action.sign == "+"]
    counts = (
        ("certificates", len(world.certificates), len(made) - made.count("group"), MOST_CERTIFICATES),
        ("X.509 enrollment groups", sum(group.is_x509 for group in world.groups), made.count("group"), MOST_GROUPS),
    )
    for what, there, more, most in counts:
        if more and there + more > most:
            told = f"The service holds {there} {what}; {more} more would be {there + more}, and it can hold {most}."
            raise CeremonyError("ONLINE-LIMIT", told, state="Nothing was sent.")
        if there + more >= _WARN_AT * most:
            yield f"The service will hold {there + more} of at most {most} {what}."


def _notes_on_revoked(world: World, bundle: VerifiedBundle) -> Iterator[str]:
    for found in revoked_groups(world, bundle.crls):
        yield f"{'DANGER: ' * found.group.is_enabled}the group {shown_text(found.group.group_id)}: {found.text}"


def _notes_on_world(world: World) -> Iterator[str]:
    for group in world.groups:
        cas = open_to(world, group)
        if cas and group.is_enabled:
            yield (
                f"DANGER: the group {shown_text(group.group_id)} {'refers to' if group.ca_references else 'holds'} the CA certificate "
                f"{', '.join(map(shown_text, cas))} itself: whatever that has signed can register through it. "
                "`ceremony online status` tells more."
            )
    if not world.service.hubs:
        yield "No hub is linked to the service: devices can't be assigned."
    differs = difference_text(world.ahead)
    if differs is not None:
        yield f"The clocks differ: {differs}."


def _pin(entry: CertificateOfBundle) -> Pin:
    return Pin(entry.path, entry.sha256)


def _sha256(entry: CertificateOfBundle) -> str:
    return sha256_hex(entry.der)


def _until(entry: CertificateOfBundle) -> str:
    return f"certificate until {entry.certificate.not_valid_after_utc:%Y-%m-%d}"


def _name_refused(what: str, name: str) -> CeremonyError:
    return CeremonyError("ONLINE-NAME", f"{shown_text(name)} can't be the name of a {what} at the service.", state="Nothing was sent.")


def moved(plan: Plan, world: World, wanted: Mapping[tuple[str, str], bool]) -> list[str]:
    """What at the service is neither as the plan saw it nor as the plan wants it; each fit for a screen.

    `wanted` says of the objects of the plan's changes, by (table, name in lower case), whether they are as the plan wants them.
    """
    before, after = plan.world, world.as_value()
    found = ["the service itself"] if before.get("service") != after["service"] else []
    for table, what in (("certificates", "certificate"), ("groups", "group"), ("policies", "policy")):
        then, now = before.get(table, {}), after[table]
        names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
        found += [f"the {what} {shown_text(name)}" for name in names if not wanted.get((table, name), False)]
    return found
