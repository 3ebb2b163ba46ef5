"""prove-possession: a certificate whose name is the service's code, signed by the root itself (design, rule 4)."""

import datetime
from collections.abc import Iterable
from typing import Any

import msgspec

from ceremony.engine.step import Act, Known, Run, Show, Step, World
from ceremony.pki.certificates import pem_of
from ceremony.pki.profiles import proof_profile
from ceremony.steps.generate_root import root_use_requires
from ceremony.steps.signing import all_signed, batches, drafted, signed


class ProvePossession(Step, frozen=True, tag="prove-possession"):
    """One proof for each service that the script names; the key under it is made in memory and dropped."""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """Codes that came in, a certified root, an open token, a checked machine."""
        if not script.proofs:
            yield "the script names no [[proofs]]"
        if not world.requests:
            yield "no import-request before it: the verification codes come from outside"
        if world.proofs:
            yield "the proofs are made already"
        if world.root == "present":
            yield "the root of the last bundle is not taken up yet: use-root must come before"
        elif world.root != "certified":
            yield "the root has no certificate yet"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: Any) -> World:
        """Proofs wait for a bundle; the login ended with the step."""
        return msgspec.structs.replace(world, proofs=frozenset(entry.service for entry in script.proofs), unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Drafts, orders, signs and writes batch by batch; without one of them the ceremony cannot go on."""
        root_certificate_der = bytes.fromhex(known.products["root_certificate"])
        issuer_public_key_der = bytes.fromhex(known.products["root_public_key"])
        day = datetime.date.fromisoformat(known.products["ceremony_day"])
        last = known.products.get("last_of_kind", {}).get("proof")
        last_der = bytes.fromhex(last) if last else None
        serials: list[str] = []
        made: dict[str, str] = {}
        entries = sorted(known.script.proofs, key=lambda entry: str(entry.service))
        for number, some in enumerate(batches(entries, known.script.max_batch), 1):
            batch = []
            for entry in some:
                code = known.products["codes"][entry.service]["verification_code"]
                public_key_der = bytes.fromhex((yield Act(key=f"{entry.service}/key", verb="proof-key"))["public_key"])
                profile = proof_profile(code, root_certificate_der, day)
                keys = (public_key_der, issuer_public_key_der)
                batch.append((yield from drafted(known, entry.service, entry.service, "proof", profile, *keys, last_der)))
            certificates = yield from signed(known, f"proofs/{number}", batch, self.actor, self.confirm[0])
            all_signed(certificates, batch)
            for entry in some:
                path = f"proof-of-possession/{entry.service}/{entry.certificate}.cert.pem"
                args = {"path": path, "kind": "proof-certificate", "pem": pem_of(certificates[entry.service])}
                yield Act(key=f"{entry.service}/write", verb="write-artifact", args=args)
            serials += [str(item.serial) for item in batch]
            made |= {entry.service: certificates[entry.service].hex() for entry in some}
        yield Show(lines=tuple(f"Proof of possession for {entry.service}: signed and verified." for entry in entries))
        return {"serials": [*known.products.get("serials", []), *serials], "proof_certificates": made}
