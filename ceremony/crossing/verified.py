"""A bundle as its users take it: verified against the fingerprint from paper first, then read by the digests of its seal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.artifacts import place_of, public_key_der, read_certificates, read_crl_file
from ceremony.crossing.bundle import CAPS, LEDGER
from ceremony.crossing.files import read_tree
from ceremony.crossing.ledger import LedgerOfCeremony, certified_in, read_ledger
from ceremony.crossing.subject import Subject, read_subject
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError
from ceremony.pki.crl import Crl
from ceremony.pki.names import shown_text
from ceremony.pki.revocation import Revoked
from ceremony.words import sha256_hex


@dataclass(frozen=True)
class CertificateOfBundle:
    """A certificate of the bundle: its path there, SHA-256 (hex) of that file, its PEM, and what it says."""

    path: str
    sha256: str
    pem: bytes
    certificate: x509.Certificate = field(repr=False)

    @property
    def der(self) -> bytes:
        """Its DER."""
        return self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True)
class DestroyedRoot:
    """A root of the chain whose key is destroyed: its label, SHA-256 (hex) of its certificate's DER, and why. Foreign text."""

    label: str
    certificate_sha256: str
    reason: str


@dataclass(frozen=True)
class VerifiedBundle:
    """What a verified bundle holds. `label` is the root's, and the certificate's name at the service.

    `intermediates` go by name, `proofs` by (service, certificate name). `earlier` are fingerprints from which receipts of this
    root may have begun. `policies` gives, by the name of the intermediate that is its issuing CA, the NAMESPACE/POLICY of Azure Device
    Registry that the script names. `crls` are the newest of each root at the time of the ceremony; `other_roots` those of the chain
    that live beside this one, by label, and `cross` the cross-certificates between them, by (label of the key, label of the issuer);
    `reissued` gives, by the name of an intermediate that the script re-issues, the serials of earlier certificates of its key;
    `destroyed` are the roots whose keys are gone, `revoked_names` names of intermediates of which a certificate is revoked.
    """

    path: Path
    fingerprint: str
    ceremony: str
    number: int
    rehearsal: bool
    label: str
    root: CertificateOfBundle
    root_fingerprint: str
    intermediates: Mapping[str, CertificateOfBundle]
    proofs: Mapping[tuple[str, str], CertificateOfBundle]
    earlier: tuple[str, ...]
    policies: Mapping[str, str] = field(default_factory=dict)
    crls: tuple[Crl, ...] = ()
    other_roots: Mapping[str, CertificateOfBundle] = field(default_factory=dict)
    cross: Mapping[tuple[str, str], CertificateOfBundle] = field(default_factory=dict)
    reissued: Mapping[str, frozenset[int]] = field(default_factory=dict)
    destroyed: tuple[DestroyedRoot, ...] = ()
    revoked_names: tuple[str, ...] = ()

    def revoked(self, serial: int) -> Revoked | None:
        """How a CRL of the bundle revokes the certificate with this serial (no two of a chain are alike); None where none does."""
        return next((crl.by_serial[serial] for crl in self.crls if serial in crl.by_serial), None)

    @property
    def files(self) -> dict[str, CertificateOfBundle]:
        """Every certificate, by path."""
        return {found.path: found for found in (self.root, *self.intermediates.values(), *self.proofs.values())}


def verified_bundle(path: Path, fingerprint: str) -> VerifiedBundle:
    """The bundle at `path`, which must verify and be the one of this fingerprint (SHA-256, 64 lower-case hex digits).

    Raises CeremonyError BUNDLE-MISSING, BUNDLE-REFUSED.
    """
    verdict = verify_bundle(path, fingerprint=fingerprint)
    failed = [f"{check.name}: {check.detail}" for check in verdict.checks if not check.passed]
    if failed:
        raise _refused(path, "; ".join(failed))
    files = read_tree(path, CAPS).files
    subject = read_subject(files)
    # The fingerprint is of the seal, and the seal names each file's digest: what is read here is what was sealed.
    sealed = {artifact.path: artifact for artifact in subject.record.sealed.artifacts}
    if subject.record.fingerprint != fingerprint or any(sha256_hex(files.get(name, b"")) != entry.sha256 for name, entry in sealed.items()):
        raise _refused(path, "it changed while it was read")
    found: dict[str, dict[str, CertificateOfBundle]] = {}
    for name in sealed:
        place = place_of(name)
        if place is not None and place[0] not in ("intermediate-chain", "attestation-chain", "crl", "vendor-evidence"):
            certificate = read_certificates(files[name])[0]
            entry = CertificateOfBundle(name, sealed[name].sha256, files[name], certificate)
            found.setdefault(place[0], {})[place[1]] = entry
    roots = found.get("root-certificate", {})
    label = next((label for label, root in roots.items() if sha256_hex(root.der) == subject.root_fingerprint), None)
    if label is None or subject.root_fingerprint is None:
        raise _refused(path, f"it holds {len(roots)} root certificates, and its own is wanted")
    previous = subject.record.opened.previous
    ledger = read_ledger(files[LEDGER])
    return VerifiedBundle(
        path=path.absolute(),
        fingerprint=fingerprint,
        ceremony=subject.record.sealed.ceremony,
        number=subject.record.sealed.bundle,
        rehearsal=subject.record.opened.rehearsal,
        label=label,
        root=roots[label],
        root_fingerprint=subject.root_fingerprint,
        intermediates=found.get("intermediate-certificate", {}),
        proofs=_by_pair(found.get("proof-certificate", {})),
        reissued=_reissued(subject, found.get("intermediate-certificate", {}), ledger.ceremonies[:-1]),
        destroyed=_destroyed(ledger.ceremonies),
        revoked_names=tuple(found.name for found in certified_in(ledger.ceremonies) if found.revoked and found.name),
        earlier=(
            *(seal for ceremony in ledger.ceremonies for seal in ceremony.seals),
            *((previous.fingerprint,) if previous else ()),
        ),
        policies={
            entry.name: entry.device_registry
            for entry in subject.script.intermediates
            if entry.device_registry and entry.name in found.get("intermediate-certificate", {})
        },
        crls=tuple(read_crl_file(files[name]) for name, entry in sealed.items() if entry.kind == "crl"),
        other_roots={name: root for name, root in roots.items() if name != label},
        cross=_by_pair(found.get("cross-certificate", {})),
    )


def _reissued(
    subject: Subject, made: Mapping[str, CertificateOfBundle], before: Sequence[LedgerOfCeremony]
) -> dict[str, frozenset[int]]:
    names = [entry.name for entry in subject.script.intermediates if entry.reissue and entry.name in made]
    keys = {name: sha256_hex(public_key_der(made[name].certificate)) for name in names}
    certified = certified_in(before)
    return {name: frozenset(int(old.serial, 16) for old in certified if old.public_key_sha256 == keys[name]) for name in names}


def _destroyed(ceremonies: Sequence[LedgerOfCeremony]) -> tuple[DestroyedRoot, ...]:
    roots = {ceremony.root.public_key_sha256: ceremony.root for ceremony in ceremonies if ceremony.root}
    gone = [(roots.get(key.public_key_sha256), key) for ceremony in ceremonies for key in ceremony.destroyed]
    return tuple(DestroyedRoot(root.label, root.certificate_sha256, key.reason) for root, key in gone if root)


def _by_pair(found: Mapping[str, CertificateOfBundle]) -> dict[tuple[str, str], CertificateOfBundle]:
    return {(name.split("/")[0], name.split("/")[1]): entry for name, entry in found.items()}


def _refused(path: Path, why: str) -> CeremonyError:
    return CeremonyError("BUNDLE-REFUSED", f"The bundle {shown_text(str(path))} is refused: {why}.", state="Nothing was done with it.")
