"""sign-intermediates: the CSRs that came in become intermediate certificates, under the script's profiles."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ceremony.engine.step import Act, Acts, Known, Run, Show, Step, World
from ceremony.pki.certificates import pem_of
from ceremony.pki.csr import read_csr
from ceremony.pki.profiles import intermediate_profile
from ceremony.pki.revoking import Certified
from ceremony.steps.generate_root import root_use_requires
from ceremony.steps.reissued import reissued_by
from ceremony.steps.signing import Wanted, all_drafted, batches, signed


class SignIntermediates(Step, frozen=True, tag="sign-intermediates"):
    """Every intermediate of the script, sorted by name, in batches of at most `max_batch`, one order a batch."""

    confirmers = 1

    def requires(self, world: World, script: Any) -> Iterable[str]:
        """CSRs that came in, a certified root, an open token, a checked machine."""
        if not script.intermediates:
            yield "the script names no [[intermediates]]"
        if not world.requests:
            yield "no import-request before it: the CSRs come from outside"
        if world.intermediates:
            yield "the intermediates are signed already"
        if world.root == "present":
            yield "the root of the last bundle is not taken up yet: use-root must come before"
        elif world.root != "certified":
            yield "the root has no certificate yet"
        yield from root_use_requires(world)

    def leads_to(self, world: World, script: Any) -> World:
        """Intermediates wait for a bundle; the login ended with the step."""
        return msgspec.structs.replace(
            world, intermediates=frozenset(entry.name for entry in script.intermediates), unlocked=False, unsealed=True
        )

    def run(self, known: Known) -> Run:
        """Drafts, orders, signs and writes batch by batch."""
        entries = sorted(known.script.intermediates, key=lambda entry: str(entry.name))
        serials: list[str] = []
        signed_names: list[str] = []
        given_up: list[dict[str, Any]] = []
        last = known.products.get("last_of_kind", {}).get("intermediate")
        last_der = bytes.fromhex(last) if last else None
        for number, some in enumerate(batches(entries, known.script.max_batch), 1):
            wanted = [_wanted(known, entry, last_der) for entry in some]
            batch = yield from all_drafted(known, wanted, bytes.fromhex(known.products["root_public_key"]))
            certificates = yield from signed(known, f"batch/{number}", batch, self.actor, self.confirm[0])
            if certificates:
                yield Acts(acts=tuple(act for name, der in certificates.items() for act in _written(known, name, der)))
                last_der = list(certificates.values())[-1]
            serials += [str(item.serial) for item in batch]
            signed_names += certificates
            left = [item for item in batch if item.name not in certificates]
            given_up += [msgspec.to_builtins(Certified(str(item.serial), item.purpose, item.draft.subject, None, True)) for item in left]
        done = {True: "signed and verified.", False: "GIVEN UP, no certificate."}
        yield Show(lines=tuple(f"Intermediate {entry.name}: {done[entry.name in signed_names]}" for entry in entries))
        return {
            "serials": [*known.products.get("serials", []), *serials],
            "signed_intermediates": signed_names,
            "given_up": [*known.products.get("given_up", []), *given_up],
        }


def _wanted(known: Known, entry: Any, last_der: bytes | None) -> Wanted:
    csr = read_csr(known.products["csrs"][entry.name]["pem"].encode())
    day = datetime.date.fromisoformat(known.products["ceremony_day"])
    root_certificate_der = bytes.fromhex(known.products["root_certificate"])
    reissues = reissued_by(known).get(entry.name)
    if reissues:
        held = known.products.get("intermediates_before", {}).get(reissues.serial)
        last_der = bytes.fromhex(held) if held else None
    profile = intermediate_profile(known.script.profiles[entry.profile], csr.subject, root_certificate_der, day)
    return Wanted(entry.name, "intermediate", profile, csr.public_key_der, last_der, reissues)


def _written(known: Known, name: str, certificate_der: bytes) -> Iterator[Act]:
    pem = pem_of(certificate_der)
    chain = pem + pem_of(bytes.fromhex(known.products["root_certificate"]))
    for what, kind, octets in (("cert", "intermediate-certificate", pem), ("chain", "intermediate-chain", chain)):
        key = f"{name}/{'write' if what == 'cert' else 'chain'}"
        yield Act(key=key, verb="write-artifact", args={"path": f"intermediates/{name}.{what}.pem", "kind": kind, "pem": octets})
