"""Applies a plan: one object after the other, each read, compared, written by its etag, read again, and told in a receipt.

Whatever breaks, the same command goes on: what is as the plan wants it is found so and gets its receipt, nothing is done twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.x509.oid import NameOID

from ceremony.crossing.verified import CertificateOfBundle, VerifiedBundle
from ceremony.errors import CeremonyError
from ceremony.online.answered import Answered, Watch
from ceremony.online.azure_errors import AzureFailure
from ceremony.online.clocks import refuse_invalid_now
from ceremony.online.config import OnlineConfig
from ceremony.online.control_plane import UploadedCertificate
from ceremony.online.groups import MANAGED, changed_record, differences, new_record
from ceremony.online.plan import Action, Plan, moved, plan_bytes, planned_service
from ceremony.online.receipts import Kind, Receipts
from ceremony.online.successions import SUCCESSIONS, is_succeeded, succeeded_record
from ceremony.online.world import Group, Service, World, time_text
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.online.device_registry import Policy

_KINDS: dict[tuple[str, str], Kind] = {
    ("upload", "+"): "certificate-uploaded",
    ("self-attest", "+"): "certificate-uploaded",
    ("self-attest", "~"): "certificate-verified",
    ("verify", "~"): "certificate-verified",
    ("group", "+"): "group-made",
    ("group", "~"): "group-changed",
    ("second", "~"): "group-changed",
    ("promote", "~"): "group-changed",
    ("activate", "~"): "policy-activated",
}
_TABLES = {"group": "groups", "second": "groups", "promote": "groups", "activate": "policies"}
_CHANGED_MEANWHILE = (409, 412)


@dataclass(frozen=True)
class Applied:
    """What was done: how many writes, how many objects were found as wanted, how many of these had their receipt already."""

    done: int
    found: int
    known: int


@dataclass(frozen=True)
class _Seen:
    """An object at the service: whether it is as wanted, and its etag (None: it is not there)."""

    as_wanted: bool
    etag: str | None


def refuse_other_service(plan: Plan, config: OnlineConfig) -> None:
    """Raises CeremonyError ONLINE-CONFIG when the settings mean another service than the plan."""
    if plan.service != planned_service(config):
        what = f"The plan is for {plan.service.service} ({plan.service.endpoint or plan.service.cloud}), the settings name {config.shown}."
        raise CeremonyError("ONLINE-CONFIG", what, state="Nothing was sent.", do_now="Give the settings that the plan was made with.")


def refuse_other_files(plan: Plan, bundle: VerifiedBundle) -> None:
    """Raises CeremonyError PLAN-FILE-CHANGED when the bundle, or a file of it, is not the one that the plan pins."""
    files = bundle.files
    pins = [pin for action in plan.actions for pin in (action.file, action.secondary) if pin is not None]
    other = [pin.path for pin in pins if pin.path not in files or files[pin.path].sha256 != pin.sha256]
    if other or bundle.fingerprint != plan.bundle.fingerprint or bundle.root_fingerprint != plan.bundle.root_fingerprint:
        named = ", ".join(other) or "the bundle"
        raise CeremonyError("PLAN-FILE-CHANGED", f"Not what the plan pins: {named}.", state="Nothing was sent.")


def refuse_odd_actions(plan: Plan, bundle: VerifiedBundle) -> None:
    """Raises CeremonyError PLAN-BROKEN for what `plan` never writes.

    A group of anything but its own intermediate, or of one that the root has revoked, a certificate other than the root, a setting that
    would reach past the settings. The plan is a file, and may have been changed since a person read it.
    """
    root, proof = bundle.root.path, bundle.proofs.get((plan.service.service, bundle.label))
    for action in plan.actions:
        if action.kind == "group":
            own = bundle.intermediates.get(action.name)
            seconds = [None, *(found.path for name, found in bundle.intermediates.items() if name != action.name)]
            fits = own is not None and action.file.path == own.path and set(action.settings) <= set(MANAGED)
            fits = fits and action.name not in bundle.policies and (action.secondary.path if action.secondary else None) in seconds
        elif action.kind in SUCCESSIONS:
            own = bundle.intermediates.get(action.name) if action.name in bundle.reissued else None
            fits = own is not None and action.file.path == own.path and action.secondary is None and set(action.settings) <= set(MANAGED)
            fits = fits and action.name not in bundle.policies
        elif action.kind == "activate":
            own = next((bundle.intermediates[name] for name, place in bundle.policies.items() if place == action.name), None)
            fits = own is not None and action.file.path == own.path and action.secondary is None
        else:
            wanted = root if action.kind != "verify" else proof.path if proof else None
            fits = action.name == bundle.label and action.file.path == wanted and action.secondary is None
        fits = fits and not any(bundle.revoked(found.certificate.serial_number) for found in _certificates_of(action, bundle))
        if not fits or (action.sign != "=" and (action.kind, action.sign) not in _KINDS):
            what = f"The plan would {action.sign} {action.kind} {shown_text(action.name)} in a way that no plan of this bundle does."
            raise CeremonyError("PLAN-BROKEN", what, state="Nothing was sent.")


def _certificates_of(action: Action, bundle: VerifiedBundle) -> list[CertificateOfBundle]:
    return [bundle.files[pin.path] for pin in (action.file, action.secondary) if pin and pin.path in bundle.files]


def apply_plan(plan: Plan, bundle: VerifiedBundle, service: Service, receipts: Receipts, tell: Callable[[str], None]) -> Applied:
    """Does exactly what the plan says. `bundle` is the plan's own, verified anew; `tell` gets a line for each object.

    Raises CeremonyError PLAN-STALE before anything is written when the service is neither as the plan saw it nor as it wants it;
    later AzureFailure or CeremonyError, whose state says how far it came.
    """
    refuse_other_service(plan, service.config)
    refuse_other_files(plan, bundle)
    refuse_odd_actions(plan, bundle)
    world = service.observe([action.name for action in plan.actions if action.kind == "activate"])
    run = _Run(plan, bundle, service, receipts, tell)
    run.refuse_moved(world)
    return run.all(world)


class _Run:
    def __init__(self, plan: Plan, bundle: VerifiedBundle, service: Service, receipts: Receipts, tell: Callable[[str], None]) -> None:
        self._plan, self._service, self._receipts, self._tell = plan, service, receipts, tell
        self._files: dict[str, CertificateOfBundle] = bundle.files
        self._root = bundle.root
        self._label = bundle.label
        self._plan_sha256 = sha256_hex(plan_bytes(plan))

    def refuse_moved(self, world: World) -> None:
        wanted = {self._place(action): self._seen_in(world, action).as_wanted for action in self._plan.changes}
        changed = moved(self._plan, world, wanted)
        if changed:
            raise CeremonyError("PLAN-STALE", f"Changed since the plan was made: {', '.join(changed)}.", state="Nothing was written.")

    def all(self, world: World) -> Applied:
        changes, done, found, known = self._plan.changes, 0, 0, 0
        for number, action in enumerate(changes, 1):
            try:
                seen = self._seen_in(world, action)
                if seen.as_wanted and self._has_receipt(action):
                    known += 1
                elif seen.as_wanted:
                    self._receipt(action, "found", None, seen.etag, None)
                    found += 1
                else:
                    self._write(action)
                    done += 1
            except CeremonyError as failed:
                failed.state = f"{number - 1} of {len(changes)} changes are done and have receipts; {action.name} may be half-way."
                raise
            self._tell(f"[{number}/{len(changes)}] {action.sign} {action.kind} {action.name}")
        return Applied(done, found, known)

    def _write(self, action: Action) -> None:
        """Read, compare, write by the etag, read again, receipt."""
        before = self._seen(action)
        if before.as_wanted:
            self._receipt(action, "found", None, before.etag, None)
            return
        if before.etag != action.etag:
            raise CeremonyError("AZURE-CONFLICT", f"{action.name} was changed since the plan was made.")
        how, answered = "done", None
        try:
            answered = self._send(action, before.etag)
        except AzureFailure as refused:
            # A policy has no etag: a hand-over that was repeated may be answered by any refusal.
            if (refused.status not in _CHANGED_MEANWHILE and action.kind != "activate") or not self._seen(action).as_wanted:
                raise
            how = "found"  # a try that was repeated, or another operator with the same plan: either way it is as wanted
        after = self._seen(action)
        if not after.as_wanted:
            raise CeremonyError("AZURE-CONFLICT", f"{action.name} was written, and is not as written when read again.")
        self._receipt(action, how, before.etag, after.etag, answered)

    def _send(self, action: Action, etag: str | None) -> Answered:
        control, data, octets = self._service.control, self._service.data, self._files[action.file.path].pem
        if action.kind == "activate":
            return self._service.registry().activate(action.name, (octets + self._root.pem).decode())
        if _TABLES.get(action.kind) != "groups":
            if action.kind == "verify":
                self._compare_clocks(action)
                self._compare_codes(action, etag)
                control.verify(action.name, octets, etag or "")
            else:
                control.upload(action.name, octets, etag=etag, self_attested=action.kind == "self-attest")
            return control.watch.last
        self._refuse_unverified_root()
        second = self._files[action.secondary.path].pem if action.secondary else None
        if etag is None:
            data.put_group(new_record(action.name, octets, second, action.settings), None)
        else:
            there = self._service.group(action.name)
            if there is None or there.etag != etag:
                raise CeremonyError("AZURE-CONFLICT", f"{action.name} was changed since the plan was made.")
            if action.kind == "second" or action.kind == "promote":
                data.put_group(succeeded_record(there, action.kind, octets, action.settings), etag)
            else:
                data.put_group(changed_record(there, octets, second, action.settings), etag)
        return data.watch.last

    def _compare_clocks(self, action: Action) -> None:
        """Against the newest `Date` of the service, right before the proof is sent."""
        watch = self._service.control.watch
        if watch.last.server_time is not None and watch.ahead is not None:
            proof = self._files[action.file.path].certificate
            refuse_invalid_now("The proof of possession", proof, watch.last.server_time, watch.ahead)
            refuse_invalid_now("The root", self._root.certificate, watch.last.server_time, watch.ahead)

    def _compare_codes(self, action: Action, etag: str | None) -> None:
        """The proof's code with the service's last, where the receipts know it; else the service compares."""
        here = {"service": self._plan.service.service, "name": action.name}
        given = [line.data for line in self._receipts.lines if line.kind == "code-issued" and here.items() <= line.data.items()]
        if not given or given[-1].get("etag_after") != etag:
            return
        code = given[-1].get("verification_code")
        names = self._files[action.file.path].certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [name.value for name in names] != [code]:
            said = ", ".join(shown_text(str(name.value)) for name in names)
            what = f"The proof is for the code {said}; the last that the service gave is {shown_text(str(code))}."
            raise CeremonyError("AZURE-PROOF-REFUSED", what)

    def _refuse_unverified_root(self) -> None:
        if self._verified_root_seen:
            return
        there = self._service.control.certificate(self._label)
        if there is None or not there.is_verified or not there.is_of(self._root.der):
            raise CeremonyError("AZURE-CONFLICT", f"The root {self._label} is not verified at the service: no group is made.")
        self._verified_root_seen = True

    _verified_root_seen = False

    def _seen(self, action: Action) -> _Seen:
        if _TABLES.get(action.kind) == "groups":
            return self._seen_group(action, self._service.group(action.name))
        if action.kind == "activate":
            return self._seen_policy(action, self._service.registry().policy(action.name))
        return self._seen_certificate(action, self._service.control.certificate(action.name))

    def _seen_in(self, world: World, action: Action) -> _Seen:
        if _TABLES.get(action.kind) == "groups":
            return self._seen_group(action, world.group(action.name))
        if action.kind == "activate":
            return self._seen_policy(action, world.policy(action.name))
        return self._seen_certificate(action, world.certificate(action.name))

    def _seen_certificate(self, action: Action, there: UploadedCertificate | None) -> _Seen:
        if there is None:
            return _Seen(False, None)
        return _Seen(there.is_of(self._root.der) and (action.kind == "upload" or there.is_verified), there.etag)

    def _seen_group(self, action: Action, there: Group | None) -> _Seen:
        if there is None:
            return _Seen(False, None)
        primary = sha256_hex(self._files[action.file.path].der)
        if action.kind == "second" or action.kind == "promote":
            return _Seen(is_succeeded(there, action.kind, primary, action.settings), there.etag)
        second = sha256_hex(self._files[action.secondary.path].der) if action.secondary else None
        same = there.is_enabled and there.primary_sha256 == primary and (second is None or there.secondary_sha256 == second)
        return _Seen(same and not differences(there, action.settings, second), there.etag)

    def _seen_policy(self, action: Action, there: "Policy | None") -> _Seen:
        if there is None:
            return _Seen(False, None)
        return _Seen(there.is_active_with(self._files[action.file.path].der), there.state)

    def _place(self, action: Action) -> tuple[str, str]:
        return (_TABLES.get(action.kind, "certificates"), action.name.lower())

    def _has_receipt(self, action: Action) -> bool:
        kind = _KINDS[action.kind, action.sign]
        return any(
            line.kind == kind and line.data.get("name") == action.name and line.data.get("plan") == self._plan_sha256
            for line in self._receipts.lines
        )

    def _watch(self, action: Action) -> Watch:
        if action.kind == "activate":
            return self._service.registry().watch
        return (self._service.data if _TABLES.get(action.kind) == "groups" else self._service.control).watch

    def _receipt(self, action: Action, how: str, before: str | None, after: str | None, answered: Answered | None) -> None:
        watch = self._watch(action)
        time = (answered or watch.last).server_time or datetime.now(UTC)
        data: dict[str, Any] = {
            "service": self._plan.service.service,
            "name": action.name,
            "how": how,
            "request_id": answered.request_id if answered else None,
            "status": answered.status if answered else None,
            "etag_before": before,
            "etag_after": after,
            "bundle": self._plan.bundle.fingerprint,
            "plan": self._plan_sha256,
            "file_sha256": action.file.sha256,
            "changes": list(action.changes),
            "self_attested": action.kind == "self-attest",
        }
        self._receipts.append(_KINDS[action.kind, action.sign], time_text(time), data)


def receipts_beside(plan_path: Path) -> Path:
    """Where the receipts of a plan are kept unless said otherwise: in its folder."""
    return plan_path.absolute().parent / "receipts.jsonl"
