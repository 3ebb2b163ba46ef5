"""destroy-key: the end of a root. Two people, a reason, what was on the token before and after; refused while the key is needed."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.machine_check import machine_is_fit
from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.destroying import problems_with_inventory, still_needed
from ceremony.pki.names import shown_text
from ceremony.pki.revoking import Certified, revocations
from ceremony.steps.check_token import objects_text
from ceremony.steps.generate_root import root_use_requires
from ceremony.steps.ordering import ordered_by_two
from ceremony.steps.token import token_text

_LEAST_REASON = 10

_ASKED = (
    "This orders the destruction: the first four words of the public key's digest.",
    "Do you agree that the key is destroyed now? The next four words of the digest.",
)


class DestroyKey(Step, frozen=True, tag="destroy-key"):
    """`end_of_life`: it goes even if certificates under it live, or no other root exists; the script that people approved says so."""

    end_of_life: bool = msgspec.field(default=False, name="end_of_life")

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A root that was taken up, with nothing left to sign; an open token; a checked machine."""
        if script.roll_over is not None:
            yield "a key is destroyed in a ceremony of its own, not in a roll-over"
        elif script.world.root != "present":
            yield "a key that is made in this ceremony is not destroyed in it: abort, and what was made is known to the record"
        elif world.root == "present":
            yield "the root of the last bundle is not taken up yet: use-root must come before"
        if (script.crl or script.revoke) and not world.crl:
            yield "the CRL is not issued yet, and after this nobody can"
        if (script.intermediates or script.proofs) and not self.end_of_life:
            yield "this ceremony certifies, and then destroys the key that did: only with end_of_life = true"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """The root's key is gone; the login ended with the step."""
        return msgspec.structs.replace(world, root="destroyed", unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Refuses what is needed, looks, has the reason typed and the order given by two, destroys, and counts what is left."""
        needed = tuple(_still_needed(known))
        label = known.products["root_key_label"]
        if needed and not self.end_of_life:
            what = f"The key {shown_text(label)!r} is still needed: {'; '.join(needed)}."
            raise CeremonyError("KEY-STILL-NEEDED", what, state="Nothing was destroyed.")
        actor, confirmer = self.actor, self.confirm[0]
        yield from machine_is_fit("machine", known, actor, confirmer)
        public_key = known.products["root_public_key"]
        waiting = "Waiting for the token: looking at everything on it"
        look = yield Act(key="look", verb="look-at-key", args={"public_key": public_key}, login=True, waiting=waiting)
        digest = look["public_key_sha256"]
        shown = (
            f"THE ROOT KEY IS DESTROYED: label {shown_text(look['label'])!r}, id {look['key_id']}.",
            "It can never be made again. This root signs no certificate and no CRL any more.",
            *(("The script says that this is the end of its life, although:", *(f"  {why}" for why in needed)) if needed else ()),
            *token_text(look["token"]),
            *objects_text(look["objects"]),
        )
        reason = yield Ask(key="reason", text="Why is the key destroyed?", by=actor, shown=shown, digest=digest, least=_LEAST_REASON)
        ordered = (*shown, f"Reason given: {shown_text(reason)}")
        yield from ordered_by_two(known, "", digest, ordered, actor, confirmer, _ASKED)
        args = {"public_key": public_key, "key_id": look["key_id"], "label": look["label"], "reason": reason}
        yield Act(key="destroy", verb="destroy-key", args=args, login=True, waiting="Waiting for the token: it destroys the key")
        left = yield Act(key="left", verb="list-objects", login=True, waiting="Waiting for the token: what is left on it?")
        if problems := list(problems_with_inventory(look["key_id"], look["objects"], left["objects"])):
            raise CeremonyError("KEY-NOT-DESTROYED", f"The key should be gone, and only it: {'; '.join(problems)}.")
        gone = ("The root key is no longer on the token.", *objects_text(left["objects"]))
        for person in (actor, confirmer):
            text = "Have you seen that the key is gone, and nothing else?"
            yield Ask(key=f"gone/{person}", text=text, by=person, shown=gone, digest=digest, accept="gone")
        yield Show(lines=(*gone, *_AFTER))
        return {}


def _still_needed(known: Known) -> Iterable[str]:
    day = known.products["ceremony_day"]
    elsewhere = set(known.products["of_other_roots"])
    certified = [msgspec.convert(entry, Certified) for entry in known.products["certified"] if entry["serial"] not in elsewhere]
    # What this ceremony's CRL revokes: the CRL comes before, or the script would not hold.
    lost, tables = known.products.get("ledger_lost", False), known.script.revoke if known.script.crl else ()
    now = revocations(tables, certified, dt.date.fromisoformat(day), rehearsal=known.rehearsal, lost=lost)
    return still_needed(certified, [found.serial for _, found in now], day, known.products["other_roots"], lost=lost)


_AFTER = (
    "Outside, as soon as nothing stands on this root any more:",
    "  ceremony online status --bundle BUNDLE --fingerprint F",
    "  ceremony online disable NAME, for each group under it that is still enabled",
    "  ceremony online retire ROOT, which takes its certificate from the service.",
)
