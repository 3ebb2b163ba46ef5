"""prove-backup: the copy of the root's key on the second token signs the CRL: a true signature, and the only real proof of a copy."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.activation.arrangement import Which
from ceremony.engine.step import Act, Ask, Known, Run, Show, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.key_health import AttributeRead, problems_with_copy
from ceremony.pki.names import shown_text
from ceremony.steps.check_token import objects_text
from ceremony.steps.generate_root import attribute_text, key_use_requires
from ceremony.steps.issue_crl import crl_issued, crl_requires
from ceremony.steps.report_loss import tokens_lost_here
from ceremony.steps.token import token_text
from ceremony.words import words_of


class ProveBackup(Step, frozen=True, tag="prove-backup"):
    """Goes over to the token that the site file names `backup`, opened as the first one is, and afterwards back.

    No test signature is made (design, rule 4): what the copy signs is the root's next CRL.
    """

    confirmers = 1

    @property
    def opens(self) -> Which:
        """The user PIN, of the second token."""
        return "user"

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """A root with a certificate, a copy that the script tells of, a checked machine, and a CRL to be signed."""
        if script.backup.kind != "vendor-clone":
            yield '[backup] tells of no copy: kind = "vendor-clone"'
        if world.changed_pins:
            yield "a PIN of the first token was changed before it, which the copy does not know: prove the copy first, then copy anew"
        yield from crl_requires(world, script)
        yield from key_use_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """The CRL waits for a bundle; the first token is the one in use again, and locked."""
        return msgspec.structs.replace(world, crl=True, unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Goes over, looks, compares, has both people say that it is the copy, issues the CRL from it, and goes back."""
        actor, confirmer = self.actor, self.confirm[0]
        waiting = "Waiting for the second token"
        over = yield Act(key="over", verb="take-token", args=_second(known), waiting=waiting)
        yield Show(lines=("The second token is in use now:", *token_text(over["token"]), *(_MADE_UP if over["made_up"] else ())))
        public_key, recorded = known.products["root_public_key"], known.products.get("root_attributes", {})
        waiting = "Waiting for the second token: reading the copy's attributes"
        look = yield Act(key="look", verb="look-at-copy", args={"public_key": public_key}, login=True, waiting=waiting)
        may_differ = known.script.backup.differs
        if problems := list(problems_with_copy(recorded, msgspec.convert(look["attributes"], dict[str, AttributeRead]), may_differ)):
            what = f"The copy on the token {shown_text(look['token']['serial'])} is not as the original: {'; '.join(problems)}."
            raise CeremonyError("BACKUP-DIFFERS", what, state="Nothing was signed.")
        digest = look["public_key_sha256"]
        shown = (
            *(_MADE_UP if over["made_up"] else ()),
            *map(shown_text, known.script.backup.lines()),
            *token_text(look["token"]),
            f"It holds the root's key: label {shown_text(look['label'])!r}, id {look['key_id']}.",
            *attribute_text(look["attributes"]),
            _compared(len(recorded), may_differ),
            *objects_text(look["objects"]),
            "Next it signs the root's CRL. That signature proves the copy; nothing else would.",
        )
        words = words_of(digest)
        for number, person in enumerate((actor, confirmer)):
            text = f"Is this the second token? The {'first' if number == 0 else 'next'} four words of the public key's digest."
            accept = " ".join(words[4 * number : 4 * number + 4])
            yield Ask(key=f"copy/{person}", text=text, by=person, shown=shown, digest=digest, accept=accept)
        of_copy = {**known.products, "root_key_id": look["key_id"], "root_key_label": look["label"]}
        number = yield from crl_issued(msgspec.structs.replace(known, products=of_copy), actor, confirmer)
        back = {"serial": over["from"]}
        yield Act(key="back", verb="leave-token", args=back)
        yield Show(lines=(f"The copy is proved by CRL {number}. Its token is locked, and the first one is in use again.",))
        return {"proved_backup": {"token": look["token"]["serial"], "crl_number": number}}


def _second(known: Known) -> dict[str, Any]:
    """Which token is gone over to, and which ones are no copy: those on which the key was used as the first, and those that are lost."""
    first = {*known.products.get("first_tokens", []), known.products.get("root_token", "")} - {""}
    lost = {*known.products.get("tokens_lost_before", []), *tokens_lost_here(known)}
    return {"name": "backup", "first": sorted(first), "lost": sorted(lost)}


def _compared(recorded: int, may_differ: tuple[str, ...]) -> str:
    said = f"; the script lets it differ in {', '.join(may_differ)}" if may_differ else ""
    if recorded:
        return f"Compared with the original, as recorded: {recorded} attributes{said}."
    return f"The ledger records no attributes of the original: they were held against what is wanted of a root{said}."


_MADE_UP = (
    "REHEARSAL: no vendor's tool was at work. The files of the throw-away token were",
    "copied under another serial, to stand in for a copy that a vendor's tool makes.",
)
