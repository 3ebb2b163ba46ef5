"""certify-root: the root's own certificate, ordered, signed on the token, verified."""

import datetime
from collections.abc import Iterable

import msgspec

from ceremony.engine.step import Act, Known, Run, Show, Step, World
from ceremony.pki.certificates import decoded, pem_of
from ceremony.pki.profiles import root_profile
from ceremony.steps.generate_root import root_use_requires
from ceremony.steps.signing import all_signed, drafted, signed
from ceremony.words import grouped, sha256_hex


class CertifyRoot(Step, frozen=True, tag="certify-root"):
    """Profile and dates from the script's [root]; the day is the one that two people agreed on (check-clock)."""

    confirmers = 1

    def requires(self, world: World, script: object) -> Iterable[str]:
        """A root key without a certificate, an open token, a checked machine."""
        if world.root == "absent":
            yield "there is no root key"
        if world.root in ("present", "certified"):
            yield "the root has its certificate already"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: object) -> World:
        """The root has its certificate; the login ended with the step."""
        return msgspec.structs.replace(world, root="certified", unlocked=False, unsealed=True)

    def run(self, known: Known) -> Run:
        """Draft, order, signature, artifact."""
        root = known.script.root
        public_key_der = bytes.fromhex(known.products["root_public_key"])
        profile = root_profile(root, datetime.date.fromisoformat(known.products["ceremony_day"]), known.rehearsal)
        to_sign = yield from drafted(known, "root", root.label, "root", profile, public_key_der, public_key_der)
        certificates = yield from signed(known, "root", [to_sign], self.actor, self.confirm[0])
        all_signed(certificates, [to_sign])
        certificate_der = certificates[root.label]
        args = {"path": f"root/{root.label}.cert.pem", "kind": "root-certificate", "pem": pem_of(certificate_der)}
        yield Act(key="write", verb="write-artifact", args=args)
        digest = sha256_hex(certificate_der)
        yield Show(
            lines=("The root certificate, verified in software:", *decoded(certificate_der), f"SHA-256 fingerprint: {grouped(digest)}")
        )
        return {
            "root_certificate": certificate_der.hex(),
            "root_certificate_sha256": digest,
            "serials": [*known.products.get("serials", []), to_sign.serial],
        }
