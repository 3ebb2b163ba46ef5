"""An intermediate's certificate is taken over from a verified bundle: it is for the factory's key, and fit to issue.

What is written last, accepted.json, decides: an interruption before it leaves the state before, and the same command goes on.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cryptography import x509

from ceremony.crossing.artifacts import certificate_der, public_key_der, read_certificates
from ceremony.crossing.files import write_tree
from ceremony.crossing.verified import CertificateOfBundle, VerifiedBundle
from ceremony.errors import CeremonyError
from ceremony.factory.folder import (
    ACCEPTED,
    Accepted,
    AcceptedFile,
    Factory,
    file_of,
    json_of,
    read_accepted,
    read_accepted_file,
    write_file,
)
from ceremony.factory.issuer import problems_with_issuer
from ceremony.machine.disk import make_folders
from ceremony.pki.names import name_text, shown_text
from ceremony.transcript import Moment
from ceremony.words import sha256_hex

EARLIER = "earlier"
"""The folder for what a newer certificate took the place of: `earlier/<SHA-256 of the certificate>/`."""

_UNCHANGED = "The factory's folder is unchanged."

Outcome = Literal["accepted", "renewed", "unchanged"]


@dataclass(frozen=True)
class Acceptance:
    """What came of it: the folder as it is now, and what a person should know, a line each."""

    outcome: Outcome
    accepted: Accepted
    notes: tuple[str, ...]


def accept(factory: Factory, bundle: VerifiedBundle, clock: Callable[[], Moment]) -> Acceptance:
    """Takes over the certificate that the bundle holds for the factory's key.

    A second time with the same certificate there is nothing to do but to mend its files; a newer one for the same key takes its
    place, and the old is kept. Raises CeremonyError FACTORY-NOT-IN-BUNDLE, FACTORY-CERTIFICATE-UNFIT, FACTORY-REHEARSED,
    FACTORY-OTHER-ROOT, FACTORY-NOT-NEWER, FACTORY-BROKEN, FACTORY-UNWRITABLE.
    """
    name, found = _for_this_key(factory, bundle)
    moment = clock()
    if problems := problems_with_issuer(found.certificate, bundle.root.certificate, dt.datetime.fromisoformat(moment.time)):
        what = f"The certificate {shown_text(found.path)} can't be used: {'; '.join(problems)}."
        raise CeremonyError("FACTORY-CERTIFICATE-UNFIT", what, state=_UNCHANGED)
    before = read_accepted_file(factory)
    outcome = _outcome(factory, bundle, found, before)
    if outcome == "renewed" and before is not None:
        _keep(factory, before)
    # The same certificate in a later bundle changes nothing: accepted.json goes on naming the first.
    after = before if outcome == "unchanged" and before is not None else _accepted_file(bundle, found, moment)
    for path, octets in (
        (factory.chain_path.name, found.pem + bundle.root.pem),
        (factory.certificate_path.name, found.pem),
        (ACCEPTED, json_of(after)),
    ):
        if file_of(factory.folder, path) != octets:
            write_file(factory.folder, path, octets)
    return Acceptance(outcome, read_accepted(factory.folder), tuple(_notes(factory, name, found)))


def _for_this_key(factory: Factory, bundle: VerifiedBundle) -> tuple[str, CertificateOfBundle]:
    """The bundle's name for this key's certificate, and the certificate; the newest, if there are several."""
    digest = factory.spki_sha256
    found = [item for item in bundle.intermediates.items() if sha256_hex(public_key_der(item[1].certificate)) == digest]
    if found:
        return max(found, key=lambda item: _dates(item[1].certificate))
    if sha256_hex(public_key_der(bundle.root.certificate)) == digest:
        what = "The factory's key is the root's own: a root issues no device certificates."
        raise CeremonyError("FACTORY-CERTIFICATE-UNFIT", what, state=_UNCHANGED)
    what = f"The bundle holds {len(bundle.intermediates)} intermediates, and none for the key {digest}."
    raise CeremonyError("FACTORY-NOT-IN-BUNDLE", what, state=_UNCHANGED)


def _outcome(factory: Factory, bundle: VerifiedBundle, found: CertificateOfBundle, before: AcceptedFile | None) -> Outcome:
    if before is None:
        return "accepted"
    if before.rehearsal != bundle.rehearsal:
        was, now = ("a rehearsal", "production") if before.rehearsal else ("production", "a rehearsal")
        what = f"The key was certified in {was}, and the bundle is of {now}."
        raise CeremonyError("FACTORY-REHEARSED", what, state=_UNCHANGED)
    if before.root_fingerprint != bundle.root_fingerprint:
        what = f"The accepted certificate is of the root {before.root_fingerprint}, and the bundle of {bundle.root_fingerprint}."
        raise CeremonyError("FACTORY-OTHER-ROOT", what, state=_UNCHANGED)
    if before.certificate_sha256 == sha256_hex(found.der):
        return "unchanged"
    old, new = _dates(_accepted_certificate(factory, before)), _dates(found.certificate)
    if new < old or (new == old and before.bundle_fingerprint not in bundle.earlier):
        what = f"The bundle's certificate is valid from {new[0]:%Y-%m-%d} to {new[1]:%Y-%m-%d}, "
        what += f"and the accepted one, another, from {old[0]:%Y-%m-%d} to {old[1]:%Y-%m-%d}."
        raise CeremonyError("FACTORY-NOT-NEWER", what, state=_UNCHANGED)
    return "renewed"


def _accepted_certificate(factory: Factory, before: AcceptedFile) -> x509.Certificate:
    """The certificate that accepted.json names: beside it, or among the earlier ones when a renewal was interrupted."""
    for folder in (factory.folder, factory.folder / EARLIER / before.certificate_sha256):
        octets = file_of(folder, factory.certificate_path.name)
        try:
            certificate = read_certificates(octets or b"")[0]
        except ValueError:
            continue
        if sha256_hex(certificate_der(certificate)) == before.certificate_sha256:
            return certificate
    what = f"{factory.certificate_path.name} is not the certificate that {ACCEPTED} names."
    raise CeremonyError("FACTORY-BROKEN", what, state=_UNCHANGED)


def _keep(factory: Factory, before: AcceptedFile) -> None:
    """Puts what a renewal takes the place of aside, once."""
    target = factory.folder / EARLIER / before.certificate_sha256
    if target.exists():
        return
    names = (factory.certificate_path.name, factory.chain_path.name, ACCEPTED)
    try:
        make_folders(target.parent)
        write_tree(target, {name: octets for name in names if (octets := file_of(factory.folder, name)) is not None})
    except OSError as failed:
        what = f"{shown_text(str(target))} could not be written: {failed.strerror}."
        raise CeremonyError("FACTORY-UNWRITABLE", what, state=_UNCHANGED) from failed


def _accepted_file(bundle: VerifiedBundle, found: CertificateOfBundle, moment: Moment) -> AcceptedFile:
    return AcceptedFile(
        format=1,
        bundle_fingerprint=bundle.fingerprint,
        root_fingerprint=bundle.root_fingerprint,
        rehearsal=bundle.rehearsal,
        certificate_sha256=sha256_hex(found.der),
        accepted_at=moment.time,
    )


def _notes(factory: Factory, name: str, found: CertificateOfBundle) -> list[str]:
    notes = []
    if name != factory.name:
        notes.append(f"The ceremony's script calls this intermediate {name}; here it is {factory.name}.")
    subject = name_text(found.certificate.subject)
    if subject != factory.subject:
        notes.append(f"The certificate's subject is {shown_text(subject)}; {shown_text(factory.subject)} was asked for.")
    return notes


def _dates(certificate: x509.Certificate) -> tuple[dt.datetime, dt.datetime]:
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc
