"""What `verify` asks of the CRLs: that each goes on from the last one of its root, and revokes what the script or an interruption says."""

import datetime as dt
from collections.abc import Iterator

from ceremony.crossing.artifacts import place_of, read_crl_file
from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import LedgerOfCeremony, key_sha256, revocations_in
from ceremony.crossing.lost import lost_before, numbers_left_out
from ceremony.crossing.record import Artifact, Signature
from ceremony.crossing.revocations import numbers_given_up
from ceremony.crossing.roots import certified_by, last_crl, last_crl_number, living_roots
from ceremony.crossing.subject import Subject
from ceremony.errors import CeremonyError
from ceremony.pki.crl import Crl, problems_with_crl
from ceremony.pki.revocation import crl_profile, merged, number_after
from ceremony.pki.revoking import Certified, revocations
from ceremony.words import sha256_hex


def problems_with_the_crl(subject: Subject) -> Iterator[str]:
    """One CRL a root at most: the own root's signed here, by the script and the ledger before; all others carried over as they were."""
    if LEDGER not in subject.files:
        yield f"{LEDGER} is missing: what was revoked before is not known"
        return
    before = subject.earlier
    files = [artifact for artifact in subject.record.sealed.artifacts if artifact.kind == "crl" and artifact.path in subject.files]
    made = [signature for signature in subject.record.signatures if signature.arguments.purpose == "crl" and signature.is_made]
    if len(made) > 1:
        yield f"there are {len(made)} signatures of a CRL"
        return
    own = subject.script.root.label
    labels = {place[1]: artifact for artifact in files if (place := place_of(artifact.path))}
    if made and own not in labels:
        yield f"the signature of the CRL (line {made[0].line.seq}) has no file here"
    for label, artifact in labels.items():
        if label not in subject.roots:
            yield f"{artifact.path} does not bear the label of a root that is here"
            continue
        crl = read_crl_file(subject.files[artifact.path])
        if not crl.is_signed_by(subject.roots[label].public_key_der):
            yield f"{artifact.path} was not signed by the root itself"
        if made and label == own:
            yield from _problems_with_made(subject, artifact, crl, made[0], before)
        elif (last := last_crl(before, label)) is None or last.sha256 != artifact.sha256:
            yield f"{artifact.path}: no line tells of its signature, and it is not the last CRL of the ledger"
    wanted = {root.label for root in living_roots(before)} | {own}
    for label in sorted(wanted - labels.keys()):
        if last_crl(before, label) and not (label == own and (made or subject.script.crl)):
            yield f"the last CRL of {label} in the ledger is not here"


def _problems_with_made(
    subject: Subject, artifact: Artifact, crl: Crl, signature: Signature, before: tuple[LedgerOfCeremony, ...]
) -> Iterator[str]:
    asked, path = signature.arguments, artifact.path
    if (asked.sha256, signature.made and signature.made.signature) != (sha256_hex(crl.signed), crl.signature.hex()):
        yield f"{path} is not what line {signature.line.seq} and its result signed"
    if subject.script.crl is None or subject.root is None:
        yield f"{path}: the script asks for no CRL"
        return
    products = subject.record.products(signature.line.step)
    try:
        day = dt.date.fromisoformat(products.ceremony_day or "")
    except ValueError as broken:
        raise CeremonyError("RECORD-BROKEN", "Nobody agreed on the day before the CRL was signed.") from broken
    certified = [*certified_by(before, subject.root_fingerprint), *_given_up_before(subject, signature)]
    named = subject.record.opened.previous
    own = named.lost if named else None
    lost = lost_before(before) or bool(own and own.is_hole)
    tables, rehearsal = subject.script.revoke, subject.record.opened.rehearsal
    new = [entry for entry, _ in revocations(tables, certified, day, rehearsal=rehearsal, lost=lost)]
    label = subject.script.root.label
    entries = merged((entry.as_entry() for entry in revocations_in(before, label)), new)
    last = last_crl(before, label)
    left_out = numbers_left_out(before) + (own.jump if own else 0)
    number = number_after(last_crl_number(before), jump=len(numbers_given_up(subject.record)) + left_out)
    if last is not None and crl.this_update < dt.datetime.fromisoformat(last.this_update):
        yield f"{path} begins before the CRL before it, at {last.this_update}"
    profile = crl_profile(subject.root.der, day, subject.script.crl.next_update, number, entries)
    yield from (f"{path}: {problem}" for problem in problems_with_crl(crl.der, profile))


def _given_up_before(subject: Subject, crl: Signature) -> Iterator[Certified]:
    """The certificates of this ceremony whose signature was given up before the CRL was drafted: they belong on it (rule 7)."""
    for signature in subject.record.signatures:
        asked = signature.arguments
        by_another = key_sha256(signature) != key_sha256(crl)
        if asked.serial and not signature.is_made and signature.line.seq < crl.line.seq and not by_another:
            yield Certified(asked.serial, asked.purpose, asked.subject, None, possibly=True)
