"""Rule 2 as a sub-generator: bytes stored and shown, order, signature over those bytes, verified, written."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ceremony.engine.machine_check import machine_is_fit
from ceremony.engine.step import Act, Acts, Known, Request
from ceremony.errors import CeremonyError
from ceremony.pki.batch import BatchItem, batch_digest
from ceremony.pki.crl import CrlDraft
from ceremony.pki.draft import Draft, draft_certificate
from ceremony.pki.profiles import CertificateProfile
from ceremony.pki.reissuing import known_fields
from ceremony.pki.revoking import Certified
from ceremony.steps.ordering import ordered_by_two
from ceremony.words import grouped

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class ToSign:
    """A certificate or CRL to be made: a name for its files, what it is for, the draft, and the last of its kind (DER) if there was one.

    A CRL has no serial; its number takes that place. `told` is shown with it, a line each. `reissues` is the certificate that it
    re-issues: then that one stands for the last of its kind, by its fields in the ledger where its bytes are not at hand. `signer` says
    which key signs: the products of that name have its id, label and public key.
    """

    name: str
    purpose: str
    draft: Draft | CrlDraft
    serial: str | None
    last_of_kind: bytes | None = None
    told: tuple[str, ...] = ()
    reissues: Certified | None = None
    signer: Literal["root", "old_root"] = "root"

    @property
    def crl_number(self) -> int | None:
        """The number of a CRL; None for a certificate."""
        return self.draft.profile.number if isinstance(self.draft, CrlDraft) else None

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return {"crl": "CRL", "cross": "cross-certificate"}.get(self.purpose, f"{self.purpose} certificate")

    @property
    def stored(self) -> str:
        """Where the to-be-signed bytes lie in the ceremony's folder."""
        return f"work/{self.purpose}-{self.name}-{self.serial[:8] if self.serial else self.crl_number}.tbs"


def drafted(
    known: Known,
    key: str,
    name: str,
    purpose: str,
    profile: CertificateProfile,
    subject_public_key_der: bytes,
    issuer_public_key_der: bytes,
    last_of_kind: bytes | None = None,
    reissues: Certified | None = None,
) -> Generator[Request, Any, ToSign]:
    """Draws a serial number that the ledger does not hold, drafts, and stores the to-be-signed bytes."""
    used = set(known.products.get("serials", []))
    turn = 0
    while True:
        turn += 1
        serial = (yield Act(key=f"{key}/serial/{turn}", verb="serial-number", login=True))["serial"]
        if serial not in used:
            break
    draft = draft_certificate(profile, subject_public_key_der, issuer_public_key_der, int(serial, 16))
    to_sign = ToSign(name, purpose, draft, serial, last_of_kind, reissues=reissues)
    yield _store(f"{key}/store", to_sign)
    return to_sign


@dataclass(frozen=True)
class Wanted:
    """A certificate that is wanted of many: see `drafted`, whose key is the name here."""

    name: str
    purpose: str
    profile: CertificateProfile
    public_key_der: bytes
    last_of_kind: bytes | None
    reissues: Certified | None = None


def all_drafted(known: Known, wanted: Sequence[Wanted], issuer_public_key_der: bytes) -> Generator[Request, Any, list[ToSign]]:
    """`drafted` for each, with the same keys of their acts: their serial numbers are drawn together, and their bytes stored together."""
    draws = tuple(Act(key=f"{one.name}/serial/1", verb="serial-number", login=True) for one in wanted)
    serials = [drawn["serial"] for drawn in (yield Acts(acts=draws))]
    used = set(known.products.get("serials", []))
    batch = []
    for one, serial in zip(wanted, serials, strict=True):
        turn = 1
        while serial in used:
            turn += 1
            serial = (yield Act(key=f"{one.name}/serial/{turn}", verb="serial-number", login=True))["serial"]
        used.add(serial)
        draft = draft_certificate(one.profile, one.public_key_der, issuer_public_key_der, int(serial, 16))
        batch.append(ToSign(one.name, one.purpose, draft, serial, one.last_of_kind, reissues=one.reissues))
    yield Acts(acts=tuple(_store(f"{item.name}/store", item) for item in batch))
    return batch


def _store(key: str, item: ToSign) -> Act:
    args = {"path": item.stored, "hex": item.draft.to_be_signed.hex(), "sha256": item.draft.sha256}
    return Act(key=key, verb="store", args=args)


def signed(known: Known, key: str, batch: Sequence[ToSign], actor: str, confirmer: str) -> Generator[Request, Any, dict[str, bytes]]:
    """One reviewed batch: machine check, one order over the sorted list, each signed in turn. Name → certificate or CRL (DER).

    A signature given up after an interruption is left out; the first failure stops.
    """
    yield from machine_is_fit(f"{key}/machine", known, actor, confirmer)
    items = [BatchItem(item.name, item.serial or "", item.draft.sha256) for item in batch]
    digest = items[0].sha256 if len(items) == 1 else batch_digest(items)
    yield from ordered_by_two(known, key, digest, batch_text(batch), actor, confirmer)
    certificates: dict[str, bytes] = {}
    for item in batch:
        args = {
            "key_id": known.products[f"{item.signer}_key_id"],
            "key_label": known.products[f"{item.signer}_key_label"],
            "algorithm": item.draft.algorithm,
            "to_be_signed": item.stored,
            "sha256": item.draft.sha256,
            "serial": item.serial,
            "subject": item.draft.subject,
            "purpose": item.purpose,
            **({} if item.crl_number is None else {"crl_number": item.crl_number}),
            "public_key": known.products[f"{item.signer}_public_key"],
        }
        made = yield Act(
            key=f"{key}/sign/{item.name}",
            verb="sign",
            args=args,
            login=True,
            after_crash="order-again",
            order_by=(actor, confirmer),
            waiting=f"Waiting for the token: it signs {item.name}",
        )
        if not made.get("given_up", False):
            certificates[item.name] = item.draft.signed_with(bytes.fromhex(made["signature"]))
    return certificates


def batches(items: Sequence[_Item], most: int) -> Iterator[Sequence[_Item]]:
    """The items in order, at most `most` under one order (design, rule 5)."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def batch_text(batch: Sequence[ToSign]) -> tuple[str, ...]:
    """Each certificate as it will be signed, decoded from the bytes, with its difference to the last of its kind."""
    lines: list[str] = []
    for number, item in enumerate(batch, 1):
        lines.append(f"{number} of {len(batch)}: {item.kind} {item.name!r}")
        lines += [f"  {line}" for line in item.told]
        lines += [f"  {line}" for line in item.draft.shown()]
        against, difference = _compared(item)
        lines += [f"  Against {against}:", *(f"    {line}" for line in difference)]
        lines.append(f"  SHA-256 of the bytes to sign: {item.draft.sha256}")
    if len(batch) > 1:
        lines.append("The digest below covers the whole list: number, name, serial and bytes of each.")
    return tuple(lines)


def _compared(item: ToSign) -> tuple[str, tuple[str, ...]]:
    """What it is compared with, and how it differs from that."""
    against = f"the certificate that it re-issues, {grouped(item.reissues.serial)}" if item.reissues else "the last of its kind"
    if item.last_of_kind:
        return against, item.draft.difference_to(item.last_of_kind)
    if item.reissues and isinstance(item.draft, Draft):
        return f"{against} (by the ledger)", item.draft.difference_to_known(known_fields(item.reissues))
    return against, ("none before it",)


def all_signed(certificates: dict[str, bytes], batch: Sequence[ToSign]) -> None:
    """Raises CeremonyError SIGNATURE-GIVEN-UP where the ceremony cannot go on without the certificate."""
    for item in batch:
        if item.name not in certificates:
            raise CeremonyError(
                "SIGNATURE-GIVEN-UP", f"The signature of {item.name} was given up; its serial number counts as possibly signed."
            )
