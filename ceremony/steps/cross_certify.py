"""cross-certify: in a roll-over the old root signs the new one's key, and the new root the old one's: one reviewed batch of two."""

import dataclasses
import datetime as dt
from collections.abc import Generator, Iterable
from typing import Any, Literal

import msgspec

from ceremony.engine.step import Act, Known, Request, Run, Show, Step, World
from ceremony.pki.certificates import decoded, pem_of
from ceremony.pki.revoking import Certified
from ceremony.pki.roll_over import NEW_WITH_OLD, OLD_WITH_NEW, cross_path, cross_profile
from ceremony.steps.generate_root import root_use_requires
from ceremony.steps.signing import ToSign, drafted, signed
from ceremony.words import grouped, sha256_hex

_TOLD = {
    NEW_WITH_OLD: "The OLD root signs the new one's key: who trusts the old root alone goes on to the new one.",
    OLD_WITH_NEW: "The NEW root signs the old one's key: who trusts the new root alone takes what the old one signed.",
}


class CrossCertify(Step, frozen=True, tag="cross-certify"):
    """Both keys lie on the one token, under a label each. The profile comes from the roots' own certificates and [roll_over]."""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """Both roots, an open token, a checked machine; once."""
        if script.roll_over is None:
            yield "the script has no [roll_over], which names the old root"
        elif world.old_root != "taken-up":
            yield "the old root is not taken up yet: use-root must come before"
        if world.root != "certified":
            yield "the new root has no certificate yet"
        if world.cross:
            yield "the roots have certified each other already"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """The cross-certificates wait for a bundle; the login ended with the step."""
        return msgspec.structs.replace(world, cross=True, unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Drafts, orders, signs and writes. What was given up is drafted anew, under a new serial number and a new order."""
        made: dict[str, bytes] = {}
        serials: list[str] = []
        given_up: list[dict[str, Any]] = []
        turn = 0
        while missing := [name for name in (NEW_WITH_OLD, OLD_WITH_NEW) if name not in made]:
            turn += 1
            batch = []
            for name in missing:
                batch.append((yield from _draft_of(known, name, turn)))
            now = yield from signed(known, f"cross/{turn}", batch, self.actor, self.confirm[0])
            made |= now
            serials += [str(item.serial) for item in batch]
            given_up += [_given_up(known, item) for item in batch if item.name not in now]
            if len(now) < len(batch):
                yield Show(lines=("A signature was given up and counts as possibly made. What is missing is drafted anew.",))
        for name, certificate_der in made.items():
            path = _path(known, name)
            args = {"path": path, "kind": "cross-certificate", "pem": pem_of(certificate_der)}
            yield Act(key=f"{name}/write", verb="write-artifact", args=args)
            yield Show(
                lines=(f"{name}, verified in software:", *decoded(certificate_der), f"SHA-256: {grouped(sha256_hex(certificate_der))}")
            )
        return {
            "serials": [*known.products.get("serials", []), *serials],
            "given_up": [*known.products.get("given_up", []), *given_up],
        }


def _draft_of(known: Known, name: str, turn: int) -> Generator[Request, Any, ToSign]:
    subject: Literal["root", "old_root"]
    issuer: Literal["root", "old_root"]
    subject, issuer = ("root", "old_root") if name == NEW_WITH_OLD else ("old_root", "root")
    day = dt.date.fromisoformat(known.products["ceremony_day"])
    of, by = (bytes.fromhex(known.products[f"{root}_certificate"]) for root in (subject, issuer))
    profile = cross_profile(of, by, day, known.script.roll_over.overlap_until)
    key, signer = (bytes.fromhex(known.products[f"{root}_public_key"]) for root in (subject, issuer))
    to_sign = yield from drafted(known, f"{name}/{turn}", name, "cross", profile, key, signer)
    return dataclasses.replace(to_sign, told=(_TOLD[name],), signer=issuer)


def _path(known: Known, name: str) -> str:
    new, old = known.script.root.label, known.script.roll_over.label
    return cross_path(new, old) if name == NEW_WITH_OLD else cross_path(old, new)


def _given_up(known: Known, item: ToSign) -> dict[str, Any]:
    """For the next CRL of the root that may have signed it."""
    by = known.products[f"{item.signer}_certificate_sha256"]
    found: dict[str, Any] = msgspec.to_builtins(Certified(str(item.serial), item.purpose, item.draft.subject, None, True, root=by))
    return found
