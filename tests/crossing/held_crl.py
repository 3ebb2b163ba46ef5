"""Later ceremonies of a held root that issue, or carry over, its CRL: as the steps would, or as a forger."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import read_ledger, revocations_in
from ceremony.crossing.roots import certified_by, last_crl_number
from ceremony.pki.assembly import assemble_crl
from ceremony.pki.crl import crl_pem
from ceremony.pki.names import name_text
from ceremony.pki.revocation import CrlProfile, Revoked, crl_profile, merged, number_after
from ceremony.pki.revoking import revocations
from ceremony.words import sha256_hex
from tests.crossing.chaining import DAY
from tests.crossing.held_ceremony import HeldCeremony, going_on, spki
from tests.crossing.script_text import script_of

CRL = "crl/example-root-g1.crl.pem"
NEXT_UPDATE = dt.datetime(2027, 12, 31, tzinfo=dt.UTC)
REVOKE_ALPHA = '\n[[revoke]]\nname = "alpha.1"\nreason = "cACompromise"\n'
_START = ("roll-call", "check-clock", "check-machine", "use-root")


def scripted(kinds: tuple[str, ...], previous: HeldCeremony | None, tables: str) -> bytes:
    """A script with these steps and tables."""
    text = script_of(kinds, (), proof=False, previous=previous.fingerprint if previous else None).decode()
    return text.replace("[window]", f"{tables}\n[window]", 1).encode()


def crl_ceremony(folder: Path, previous: HeldCeremony, revoke: str = "", **forged: Any) -> HeldCeremony:
    """A later ceremony that issues a CRL; `forged` is what `issue_crl` does otherwise."""
    tables = f"[crl]\nnext_update = {NEXT_UPDATE:%Y-%m-%dT%H:%M:%SZ}\n{revoke}"
    ceremony = HeldCeremony(folder, scripted((*_START, "issue-crl", "close"), previous, tables), **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    issue_crl(ceremony, **forged)
    ceremony.seal("close")
    return ceremony


def ceremony_without_crl(folder: Path, previous: HeldCeremony, carried: bytes | None) -> HeldCeremony:
    """A later ceremony that only takes up the root, and carries this CRL over (its file), or none."""
    ceremony = HeldCeremony(folder, scripted((*_START, "close"), previous, ""), previous=previous)
    ceremony.prepare()
    ceremony.use_root()
    if carried:
        write_crl(ceremony, carried, in_step_before=True)
    ceremony.seal("close")
    return ceremony


def issue_crl(
    ceremony: HeldCeremony,
    *,
    entries: Sequence[Revoked] | None = None,
    number: int | None = None,
    day: str = DAY,
    next_update: dt.datetime = NEXT_UPDATE,
    signed_by: ec.EllipticCurvePrivateKey | None = None,
    given_up: bool = False,
    within: bool = False,
) -> None:
    """The step as it is done, but for what is said to be otherwise. With `given_up` the first signature is, and the next number made.

    `within` another step that issues the CRL.
    """
    if not within:
        ceremony.begin("issue-crl")
        ceremony.log_in()
    before = read_ledger(ceremony.previous_ledger or b"").ceremonies if ceremony.previous else ()
    if entries is None:
        certified = certified_by(before, sha256_hex(ceremony.root_der))
        new = revocations(ceremony.tables.revoke, certified, dt.date.fromisoformat(DAY), rehearsal=ceremony.rehearsal)
        label = ceremony.tables.root.label
        entries = merged((entry.as_entry() for entry in revocations_in(before, label)), (entry for entry, _ in new))
    wanted = number_after(last_crl_number(before)) if number is None else number
    for turn in (1, 2) if given_up else (1,):
        made = crl_profile(ceremony.root_der, dt.date.fromisoformat(day), next_update, wanted + turn - 1, tuple(entries))
        _sign(ceremony, made, turn, signed_by or ceremony.root_key, given_up=given_up and turn == 1)
    if not within:
        ceremony.finish()


def _sign(ceremony: HeldCeremony, profile: CrlProfile, turn: int, key: ec.EllipticCurvePrivateKey, *, given_up: bool) -> None:
    to_be_signed, _ = assemble_crl(profile, b"")
    digest, path = sha256_hex(to_be_signed), f"work/crl-{ceremony.tables.root.label}-{profile.number}.tbs"
    ceremony.act(f"store/{turn}", "store", {"path": path, "hex": to_be_signed.hex(), "sha256": digest}, {"path": path, "sha256": digest})
    ceremony.check_machine(f"crl/{turn}/machine")
    ceremony.ordered(f"crl/{turn}", digest)
    signature = key.sign(to_be_signed, ec.ECDSA(hashes.SHA384()))
    args = {
        "algorithm": "ecdsa-sha384", "to_be_signed": path, "sha256": digest, "serial": None, "crl_number": profile.number,
        "subject": name_text(profile.issuer), "purpose": "crl", "public_key": spki(ceremony.root_key).hex(),
    }  # fmt: skip
    sign = f"crl/{turn}/sign/{ceremony.tables.root.label}"
    ceremony.act(sign, "sign", args, {"given_up": True} if given_up else {"signature": signature.hex(), "sha256": digest})
    if given_up:
        recovered = {"key": sign, "verb": "sign", "how": "given-up", "crl_number": profile.number}
        ceremony.lines.insert(-1, {"type": "recovered", "step": ceremony.step, "actor": "officer", "data": recovered})
    else:
        write_crl(ceremony, crl_pem(assemble_crl(profile, signature)[1]).encode())


def write_crl(ceremony: HeldCeremony, octets: bytes, *, in_step_before: bool = False) -> None:
    """Writes the CRL's file, in this step or before the end of the last one."""
    end = [ceremony.lines.pop()] if in_step_before else []
    ceremony.write_file(f"crl/{ceremony.tables.root.label}.crl.pem", octets)
    ceremony.lines += end


def entries_of(ceremony: HeldCeremony) -> list[Revoked]:
    """Everything that the ledger of this ceremony's bundle says is revoked."""
    return [entry.as_entry() for entry in revocations_in(read_ledger(ceremony.bundle_files()[LEDGER]).ceremonies)]
