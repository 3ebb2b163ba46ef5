"""check-token: is the root key still there, still what was made, and does the token answer? Nothing is signed for it (design, rule 4)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.step import Act, Ask, Known, Run, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.key_health import AttributeRead, problems_with_attributes
from ceremony.pki.names import shown_text
from ceremony.steps.generate_root import attribute_text, root_use_requires
from ceremony.steps.token import token_text

NO_PROOF = (
    "That the private half still signs is not proved by this. Only a signature could",
    "prove it, and the root signs certificates and CRLs, and nothing as a test.",
    "The next CRL is that proof (issue-crl).",
)


class CheckToken(Step, frozen=True, tag="check-token"):
    """Login, the key found by its public key, attributes read from both halves, tries left, all objects: what PKCS#11 tells unsigned."""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A root of an earlier ceremony, taken up; an open token; a checked machine."""
        if script.roll_over is not None:
            yield "the token is checked in a ceremony of its own, not in a roll-over"
        elif script.world.root != "present":
            yield "the root is made in this ceremony, where its attributes are read anyway; this is for a later one"
        elif world.root == "present":
            yield "the root of the last bundle is not taken up yet: use-root must come before"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """The login ended with the step."""
        return msgspec.structs.replace(world, unlocked=False)

    def run(self, known: Known) -> Run:
        """Looks, compares with what is recorded, and has both people say that they have seen it."""
        look = yield Act(
            key="look",
            verb="look-at-key",
            args={"public_key": known.products["root_public_key"]},
            login=True,
            waiting="Waiting for the token: reading the root key's attributes",
        )
        recorded = known.products["root_attributes"]
        read = msgspec.convert(look["attributes"], dict[str, AttributeRead])
        if problems := list(problems_with_attributes(recorded, read)):
            what = f"The root key is not what was recorded: {'; '.join(problems)}."
            raise CeremonyError("KEY-CHANGED", what, state="Nothing was signed.")
        shown = (
            *token_text(look["token"]),
            f"The root key is there: label {shown_text(look['label'])!r}, id {look['key_id']}.",
            *attribute_text(look["attributes"]),
            _compared(len(recorded)),
            *objects_text(look["objects"]),
            *NO_PROOF,
        )
        text = "Is this the token as you expect it: tries left, objects, attributes?"
        for person in (self.actor, self.confirm[0]):
            yield Ask(key=f"seen/{person}", text=text, by=person, shown=shown, digest=look["public_key_sha256"], accept="as expected")
        return {}


def objects_text(objects: list[dict[str, Any]]) -> tuple[str, ...]:
    """Every object on the token, a line each."""
    lines = [f"  {found['object_class']:12} label {shown_text(found['label'])!r}, id {found['key_id'] or '(none)'}" for found in objects]
    return (f"Objects on the token: {len(objects)}", *lines)


def _compared(recorded: int) -> str:
    if recorded:
        return f"Compared with the ledger: all {recorded} attributes are as they were first recorded."
    return "The ledger records no attributes of this key: they were held against what is wanted of a root."
