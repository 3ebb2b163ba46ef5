"""use-root: a later ceremony takes up the root of the last bundle, and finds its key on the token."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.override import overridden
from ceremony.engine.step import Act, Ask, Known, Run, Step, World
from ceremony.errors import CeremonyError
from ceremony.pki.crl import crl_pem
from ceremony.pki.lost_ledger import LEDGER_LOST, LostLedger
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import issuer_of
from ceremony.pki.revoking import Certified
from ceremony.pki.roll_over import refuse_holes, refuse_other_root
from ceremony.steps.carrying_on import carried_on, of_the_ledger
from ceremony.steps.generate_root import refuse_a_name_taken
from ceremony.steps.report_loss import tokens_lost_here
from ceremony.steps.token import token_text
from ceremony.words import words_of


class UseRoot(Step, frozen=True, tag="use-root"):
    """The root is known by its public key: the token's must be the certificate's.

    Its first true signature is the proof; no test signature is made.
    """

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """A script that begins with a root, and an open token."""
        if "present" not in (world.root, world.old_root):
            yield 'there is no root to take up: the script must say [world] root = "present" and name the last bundle in [previous], once'
        if not world.roll_called:
            yield "no roll-call since the start of the session"
        if not world.unlocked:
            yield "the token is locked: an unlock must come right before"

    def leads_to(self, world: World, script: object) -> World:
        """The root is taken up; the login ended with the step."""
        if world.old_root == "present":
            return msgspec.structs.replace(world, old_root="taken-up", unlocked=False)
        return msgspec.structs.replace(world, root="certified", unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Reads the last bundle (verified when the ceremony was opened), finds the key, has the root confirmed.

        Where the ledger was lost, two people bear that first, with a reason and their own credentials (design, rule 10). In a roll-over
        it is the old root. Raises CeremonyError ROLL-OVER-DIFFERS, ROLL-OVER-HOLE, ROOT-NAME-TAKEN.
        """
        lost = (known.opened.get("previous") or {}).get("lost")
        left_out, is_hole = 0, False
        if lost:
            told = msgspec.convert(lost, LostLedger)
            left_out, is_hole = told.jump, told.is_hole
            people = (self.actor, self.confirm[0])
            yield from overridden("lost", known, LEDGER_LOST, "Why does the ceremony go on all the same?", told.lines(), people)
        wanted = {"intermediates": True} if any(entry.reissue for entry in known.script.intermediates) else {}
        here = {"lost": known.products["lost_tokens"]} if known.products.get("lost_tokens") else {}
        args: dict[str, Any] = {"label": known.script.taken_up.label, **wanted, **here}
        previous = yield Act(key="previous", verb="read-previous", args=args)
        rolls_over = known.script.roll_over is not None
        if rolls_over:
            _refuse_a_roll_over_that_leaves_a_hole(known, previous)
        key = yield Act(
            key="find",
            verb="find-root",
            args={"public_key": previous["root_public_key"]},
            login=True,
            waiting="Waiting for the token: looking for the root key",
        )
        _refuse_a_lost_token(known, previous, key["token"]["serial"])
        digest = previous["root_certificate_sha256"]
        shown = (
            *previous["root_shown"],
            *token_text(key["token"]),
            f"Its key lies on the token under the label {key['label']!r}, id {key['key_id']}.",
        )
        for number, person in enumerate((self.actor, self.confirm[0])):
            words = " ".join(words_of(digest)[4 * number : 4 * number + 4])
            text = f"The {'first' if number == 0 else 'next'} four words of the root certificate's fingerprint."
            yield Ask(key=f"root/{person}", text=text, by=person, shown=shown, digest=digest, accept=words)
        args = {"path": previous["root_path"], "kind": "root-certificate", "pem": previous["root_pem"]}
        yield Act(key="write", verb="write-artifact", args=args)
        last = previous["last_crl"]
        # Each bundle holds the newest CRL: it is carried on, unless this ceremony makes the next one.
        if last and (rolls_over or not known.script.crl):
            args = {"path": previous["crl_path"], "kind": "crl", "pem": crl_pem(bytes.fromhex(last))}
            yield Act(key="write/crl", verb="write-artifact", args=args)
        yield from carried_on(previous)
        if rolls_over:
            return {
                **of_the_ledger(previous, left_out, is_hole=is_hole),
                "old_root_public_key": previous["root_public_key"],
                "old_root_key_id": key["key_id"],
                "root_token": key["token"]["serial"],
                "tokens_lost_before": previous["tokens_lost"],
                "old_root_key_label": key["label"],
                "old_root_certificate": previous["root_certificate"],
                "old_root_certificate_sha256": digest,
                **({"intermediates_before": previous["intermediates"]} if wanted else {}),
            }
        return {
            **of_the_ledger(previous, left_out, is_hole=is_hole),
            "root_public_key": previous["root_public_key"],
            "root_public_key_sha256": previous["root_public_key_sha256"],
            "root_key_id": key["key_id"],
            "root_key_label": key["label"],
            "root_attributes": previous["root_attributes"],
            "root_token": key["token"]["serial"],
            "first_tokens": previous["first_tokens"],
            "tokens_lost_before": previous["tokens_lost"],
            "roots_lost": previous["roots_lost"],
            "other_roots": previous["other_roots"],
            "of_other_roots": previous["of_other_roots"],
            "root_certificate": previous["root_certificate"],
            "root_certificate_sha256": digest,
            "last_crl": last,
            **({"intermediates_before": previous["intermediates"]} if wanted else {}),
        }


def _refuse_a_lost_token(known: Known, previous: dict[str, Any], serial: str) -> None:
    """What was lost and is there again may have been in anybody's hands."""
    if serial in previous["tokens_lost"] or serial in tokens_lost_here(known):
        what = f"The token {shown_text(serial)} was reported as lost: it is not used any more, wherever it was."
        raise CeremonyError("TOKEN-WAS-LOST", what, state="Nothing was signed.")


def _refuse_a_roll_over_that_leaves_a_hole(known: Known, previous: dict[str, Any]) -> None:
    """Before anything is made: the old root is the approved one, the new one's name is free, and no intermediate is forgotten."""
    table, rehearsal = known.script.roll_over, known.rehearsal
    old_root = bytes.fromhex(previous["root_certificate"])
    refuse_other_root(table, old_root, rehearsal=rehearsal)
    refuse_a_name_taken(known, previous, but=name_text(issuer_of(old_root).subject))
    day = dt.date.fromisoformat(known.products["ceremony_day"])
    certified = [msgspec.convert(entry, Certified) for entry in previous["certified"]]
    refuse_holes(table, known.script.intermediates, certified, previous["root_certificate_sha256"], day, rehearsal=rehearsal)
