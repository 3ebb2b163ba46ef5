"""issue-crl: the root's next CRL. What the last one held stays; what the script revokes and what was given up comes on (rule 7)."""

import datetime as dt
from collections.abc import Generator, Iterable
from typing import Any

import msgspec

from ceremony.engine.step import Act, Known, Request, Run, Show, Step, World
from ceremony.pki.crl import CrlDraft, crl_pem, decoded_crl, draft_crl, read_crl
from ceremony.pki.names import shown_text
from ceremony.pki.revocation import crl_profile, merged, number_after
from ceremony.pki.revoking import Certified, revocations
from ceremony.steps.generate_root import root_use_requires
from ceremony.steps.signing import ToSign, signed
from ceremony.words import grouped, sha256_hex


class IssueCrl(Step, frozen=True, tag="issue-crl"):
    """One CRL under one order, from the day that was agreed on until [crl] next_update."""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A certified root, an open token, a checked machine; once a ceremony."""
        yield from crl_requires(world, script)
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: Any) -> World:
        """The CRL waits for a bundle; the login ended with the step."""
        return msgspec.structs.replace(world, crl=True, unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Drafts, orders, signs and writes."""
        yield from crl_issued(known, self.actor, self.confirm[0])
        return {}


def crl_requires(world: World, script: Any) -> Iterable[str]:
    """What the script and the world must have for a CRL; once a ceremony."""
    if script.crl is None:
        yield "the script has no [crl], which says until when the CRL holds"
    if world.crl:
        yield "the CRL is issued already"
    if world.crossed and script.world.root == "present":
        yield "a crossing came before it: that bundle would leave without the newest CRL"
    if world.root == "present":
        yield "the root of the last bundle is not taken up yet: use-root must come before"
    elif world.root != "certified":
        yield "the root has no certificate yet"


def crl_issued(known: Known, actor: str, confirmer: str) -> Generator[Request, Any, int]:
    """Drafts, orders, signs and writes; the CRL's number. One whose signature was given up counts as used: the next one is taken."""
    label, last = known.script.root.label, known.products.get("last_crl")
    previous = bytes.fromhex(last) if last else None
    jump = 0
    while True:
        item = yield from _drafted(known, label, previous, jump)
        made = yield from signed(known, f"crl/{jump + 1}", [item], actor, confirmer)
        if label in made:
            break
        jump += 1
        yield Show(lines=("The signature was given up; its number counts as used. The CRL is drafted anew with the next.",))
    crl_der = made[label]
    yield Act(key="write", verb="write-artifact", args={"path": crl_path(label), "kind": "crl", "pem": crl_pem(crl_der)})
    yield Show(lines=("The CRL, verified in software:", *decoded_crl(crl_der), f"SHA-256: {grouped(sha256_hex(crl_der))}", *_after(item)))
    return item.crl_number or 0


def crl_path(label: str) -> str:
    """Where the CRL of the root with this label stands in a bundle."""
    return f"crl/{label}.crl.pem"


def _drafted(known: Known, label: str, previous: bytes | None, jump: int) -> Generator[Request, Any, ToSign]:
    day = dt.date.fromisoformat(known.products["ceremony_day"])
    before = read_crl(previous) if previous else None
    lost = known.products.get("ledger_lost", False)
    new = list(revocations(known.script.revoke, _certified(known), day, rehearsal=known.rehearsal, lost=lost))
    entries = merged(before.revoked if before else (), (entry for entry, _ in new))
    root_certificate_der = bytes.fromhex(known.products["root_certificate"])
    left_out = known.products.get("numbers_left_out", 0)
    number = number_after(known.products.get("last_crl_number"), jump + left_out)
    draft = draft_crl(crl_profile(root_certificate_der, day, known.script.crl.next_update, number, entries), previous)
    notes = dict(zip((entry.serial for entry, _ in new), (table.note for table in known.script.revoke), strict=False))
    told = tuple(
        f"Revoked now: {shown_text(certificate.subject)}, serial {certificate.serial}: {entry.text}"
        + (f" ({shown_text(notes[entry.serial])})" if notes.get(entry.serial) else "")
        + (" (its signature was given up)" if certificate.possibly else "")
        for entry, certificate in new
    ) or ("Nothing is revoked now.",)
    item = ToSign(label, "crl", draft, None, previous, told)
    yield Act(key=f"store/{jump + 1}", verb="store", args={"path": item.stored, "hex": draft.to_be_signed.hex(), "sha256": draft.sha256})
    return item


def _certified(known: Known) -> list[Certified]:
    """What the ledger held of this root when the ceremony was opened, and its signatures given up since then."""
    told = [*known.products.get("certified", []), *known.products.get("given_up", [])]
    ours = (None, known.products["root_certificate_sha256"])
    return [found for entry in told if (found := msgspec.convert(entry, Certified)).root in ours]


def _after(item: ToSign) -> tuple[str, ...]:
    """What belongs to a revocation and is not done in this room."""
    assert isinstance(item.draft, CrlDraft)  # noqa: S101 - for the type checker
    if not item.draft.profile.revoked:
        return ()
    return (
        "Azure asks for no CRL. Outside, for each intermediate that was revoked:",
        "  ceremony online disable NAME",
        "and `ceremony online status --bundle BUNDLE --fingerprint F` tells which are still enabled.",
    )
