"""wipe-token: everything on the token goes, by its SO PIN. Two people, a reason, what was on it shown; refused while a root lives there."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.activation.arrangement import Which
from ceremony.engine.holders import givers_of, pin_in_force
from ceremony.engine.machine_check import machine_is_fit
from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text
from ceremony.pki.wiping import inventory_digest, roots_that_count
from ceremony.steps.check_token import objects_text
from ceremony.steps.generate_root import room_requires
from ceremony.steps.ordering import ordered_by_two
from ceremony.steps.token import token_text

_LEAST_REASON = 10

_ASKED = (
    "This orders the wiping: the first four words of the digest of what is on the token.",
    "Do you agree that the token is wiped now? The next four words of the digest.",
)


class WipeToken(Step, frozen=True, tag="wipe-token"):
    """`label` is the one that the empty token gets (1 to 32 ASCII characters). It keeps its SO PIN, and has no user PIN any more."""

    label: str = "wiped"

    confirmers = 1

    @property
    def opens(self) -> Which:
        """The SO PIN."""
        return "so"

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A token in use that is open, so that all of it can be shown; no root that this ceremony is about may live on it."""
        if world.token != "ready":
            yield f"the token is {world.token}: there is nothing to wipe"
        if world.root not in ("absent", "destroyed"):
            yield "the root's key may be on the token: destroy-key comes before, and asks who needs it"
        if not 1 <= len(self.label) <= 32 or not (self.label.isascii() and self.label.isprintable()):
            yield "the token label must be 1 to 32 printable ASCII characters"
        yield from room_requires(world)
        if not world.unlocked:
            yield "the token is locked: an unlock must come right before, to see what is on it"

    def leads_to(self, world: World, script: object) -> World:
        """An empty token."""
        return msgspec.structs.replace(world, token="wiped", unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Looks at everything, refuses what counts, has the reason typed and the order given by two, wipes, and shows what is left."""
        actor, confirmer = self.actor, self.confirm[0]
        yield from machine_is_fit("machine", known, actor, confirmer)
        waiting = "Waiting for the token: looking at everything on it"
        look = yield Act(key="look", verb="look-at-token", login=True, waiting=waiting)
        if reasons := list(roots_that_count(look["keys"], look["living"])):
            what = f"The token {shown_text(look['token']['serial'])} holds what is still needed: {'; '.join(reasons)}."
            raise CeremonyError("KEY-STILL-NEEDED", what, state="Nothing was wiped.")
        digest = inventory_digest(look["token"]["serial"], look["objects"], look["keys"])
        shown = (
            "THE TOKEN IS WIPED: every object on it and its user PIN are gone for good.",
            *token_text(look["token"]),
            *objects_text(look["objects"]),
            *(f"  Key {key['key_id']}: SHA-256 {key['public_key_sha256'] or '(no public half)'}" for key in look["keys"]),
            "None of them is the key of a root that the ledger counts." if known.script.previous else "There is no ledger before.",
        )
        reason = yield Ask(key="reason", text="Why is the token wiped?", by=actor, shown=shown, digest=digest, least=_LEAST_REASON)
        ordered = (*shown, f"Reason given: {shown_text(reason)}")
        yield from ordered_by_two(known, "", digest, ordered, actor, confirmer, _ASKED)
        pin = pin_in_force(known, "so")
        givers = yield from givers_of("share", pin, known, actor)
        args = {
            "serial": look["token"]["serial"], "digest": digest, "label": self.label, "reason": reason,
            "held": pin.kind, "holders": list(givers), "set": pin.set, "typed_by": actor,
        }  # fmt: skip
        waiting = "Waiting for the token: it is wiped"
        done = yield Act(key="wipe", verb="wipe-token", args=args, login=True, after_crash="look-first", waiting=waiting)
        gone = ("The token is wiped; it has no user PIN.", *token_text(done["token"]))
        for person in (actor, confirmer):
            yield Ask(key=f"wiped/{person}", text="Have you seen that the token is wiped?", by=person, shown=gone, accept="wiped")
        yield Show(lines=(*gone, "What a token does inside with what it forgets, its maker knows alone."))
        return {}
