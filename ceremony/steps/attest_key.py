"""attest-key: the vendor's word, by a chain of certificates, that the root key was made on its device (design, rule 1)."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.attestation import Attested, attested, read_chain
from ceremony.pki.names import shown_text
from ceremony.steps.medium import inbound_medium
from ceremony.words import words_of

NO_PROOF = (
    "This is the vendor's word by its own keys. It tells of the key and its device, and",
    "nothing of who holds the PIN, or of what the vendor keeps to itself.",
)


class AttestKey(Step, frozen=True, tag="attest-key"):
    """Takes the chain from the inbound medium, verifies it up to the vendor's root that the script names, and keeps it as evidence."""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A root key of this ceremony, the day, people, and a vendor's root to hold the chain against."""
        if script.attestation is None:
            yield "the script has no [attestation]: which vendor's root it must lead to is not said"
        if world.root not in ("generated", "certified") or script.world.root == "present":
            yield "a root key is attested in the ceremony that makes it, after generate-root"
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if not world.clock_checked:
            yield "no check-clock since the start of the session: certificates hold on certain days"

    def leads_to(self, world: World, script: object) -> World:
        """There is one artifact more."""
        return msgspec.structs.replace(world, unsealed=True)

    def run(self, known: Known) -> Run:
        """Imports until a chain holds; both people type words of the vendor's root."""
        people = (self.actor, self.confirm[0])
        key, token = known.products["root_public_key"], known.products["root_token"]
        day = dt.date.fromisoformat(known.products["ceremony_day"])
        turn, found, came_in = 0, None, {}
        while found is None:
            turn += 1
            shown: tuple[str, ...] = ("Put in the medium with attestation/chain.pem:", "the leaf first, the vendor's root last.")
            yield Ask(key=f"medium/{turn}", text="Is the inbound medium in?", by=self.actor, shown=shown, accept="import")
            yield from inbound_medium(known, f"inbound/{turn}", people)
            args = {"public_key": key, "token": token}
            came_in = yield Act(key=f"import/{turn}", verb="import-attestation", args=args, waiting="Copying the chain from the medium")
            try:
                chain = read_chain(came_in["pem"].encode())
                found = attested(chain, known.script.attestation, bytes.fromhex(key), day, token, made_up=came_in["made_up"])
            except CeremonyError as refused:
                shown = (refused.what,)
                text = "Refused. Have it mended, or take another medium. Have you read why?"
                yield Ask(key=f"refused/{turn}", text=text, by=self.actor, shown=shown, accept="seen")
        if came_in["made_up"]:
            yield Show(lines=("REHEARSAL: this run made the chain up, and a vendor's root of its own.",))
        words = words_of(found.root_sha256)
        for number, person in enumerate(people):
            part = words[4 * number : 4 * number + 4]
            text = f"The {'next' if number else 'first'} four words of the digest of the vendor's root."
            yield Ask(key=f"seen/{person}", text=text, by=person, shown=_text(found), digest=found.root_sha256, accept=" ".join(part))
        args = {"path": place_of_chain(token, known.script.root.label), "kind": "attestation-chain", "pem": came_in["pem"]}
        yield Act(key="write", verb="write-artifact", args=args)
        return {"root_attested": {**msgspec.to_builtins(found), "chain_sha256": came_in["sha256"], "made_up": came_in["made_up"]}}


def place_of_chain(token: str, label: str) -> str:
    """Where the evidence stands in the bundle: by the token's serial, in the letters that a path may have."""
    return f"attestation/{re.sub(r'[^a-z0-9._-]', '-', token.lower()).lstrip('._-') or 'token'}/{label}.chain.pem"


def _text(found: Attested) -> tuple[str, ...]:
    device = f"Device:        {shown_text(found.serial) or 'the leaf names none in a form that is read here'}"
    return (
        "The root key is ATTESTED: made on the vendor's device, by the vendor's own certificates.",
        f"Leaf:          {shown_text(found.subject) or '(no name)'}",
        device,
        f"Vendor's root: {shown_text(found.root_subject)}",
        f"  SHA-256 {found.root_sha256}",
        *NO_PROOF,
    )
