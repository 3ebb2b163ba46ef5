"""The bundle under verification, read once: its files, its record, its script and its certificates."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509

from ceremony.crossing.artifacts import certificate_der, place_of, public_key_der, read_certificates
from ceremony.crossing.bundle import LEDGER, SCRIPT, TRANSCRIPT
from ceremony.crossing.ledger import LedgerOfCeremony, read_ledger
from ceremony.crossing.record import Artifact, Record
from ceremony.crossing.script_data import ScriptAsData, read_script
from ceremony.errors import CeremonyError
from ceremony.pki.signatures import signature_holds
from ceremony.transcript import read_lines
from ceremony.words import sha256_hex


@dataclass(frozen=True)
class CertificateFile:
    """A certificate of the bundle, and the seal's entry for it."""

    artifact: Artifact
    certificate: x509.Certificate

    @cached_property
    def der(self) -> bytes:
        """The certificate's DER."""
        return certificate_der(self.certificate)

    @cached_property
    def public_key_der(self) -> bytes:
        """Its key, DER SPKI."""
        return public_key_der(self.certificate)

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether its signature is this key's (DER SPKI). More than one check asks that. Raises ValueError for a key that signs none."""
        if public_key not in self._signed_by:
            signed = self.certificate.tbs_certificate_bytes
            self._signed_by[public_key] = signature_holds(public_key, signed, self.certificate.signature)
        return self._signed_by[public_key]

    @cached_property
    def _signed_by(self) -> dict[bytes, bool]:
        return {}


@dataclass(frozen=True)
class Subject:
    """What `verify` looks at. Files by path; `certificates` are those that could be read, in the order of the seal."""

    files: Mapping[str, bytes]
    record: Record
    script: ScriptAsData
    certificates: tuple[CertificateFile, ...]

    @cached_property
    def root(self) -> CertificateFile | None:
        """The certificate of the ceremony's own root: the one that the seal names, or the only one."""
        roots, named = self.of_kind("root-certificate"), self.record.sealed.root_certificate_sha256
        found = [root for root in roots if len(roots) == 1 or sha256_hex(root.der) == named]
        return found[0] if found else None

    @cached_property
    def roots(self) -> Mapping[str, CertificateFile]:
        """The certificates of all roots of the chain that the bundle holds, by label."""
        return {str(place[1]): root for root in self.of_kind("root-certificate") if (place := place_of(root.artifact.path))}

    @cached_property
    def earlier(self) -> tuple[LedgerOfCeremony, ...]:
        """What the ledger holds of the ceremonies before; nothing where it is missing. Raises CeremonyError LEDGER-BROKEN."""
        return read_ledger(self.files[LEDGER]).ceremonies[:-1] if LEDGER in self.files else ()

    @cached_property
    def root_fingerprint(self) -> str | None:
        """SHA-256 (hex) of the root certificate's DER."""
        return sha256_hex(self.root.der) if self.root else None

    def of_kind(self, kind: str) -> list[CertificateFile]:
        """The certificates of this kind."""
        return [entry for entry in self.certificates if entry.artifact.kind == kind]


def read_subject(files: Mapping[str, bytes]) -> Subject:
    """Reads record and script of a bundle's files. Raises CeremonyError RECORD-BROKEN when that is not possible."""
    for path in (SCRIPT, TRANSCRIPT):
        if path not in files:
            raise CeremonyError("RECORD-BROKEN", f"{path} is missing.")
    lines, torn = read_lines(files[TRANSCRIPT])
    if torn:
        raise CeremonyError("RECORD-BROKEN", f"The last line of {TRANSCRIPT} has no end.")
    record = Record(lines)
    return Subject(files, record, read_script(files[SCRIPT]), tuple(_certificates(files, record)))


def _certificates(files: Mapping[str, bytes], record: Record) -> list[CertificateFile]:
    found = []
    for artifact in record.sealed.artifacts:
        if artifact.kind in ("intermediate-chain", "attestation-chain", "crl", "vendor-evidence") or artifact.path not in files:
            continue
        try:
            certificate, *others = read_certificates(files[artifact.path])
        except ValueError:
            continue
        if not others:
            found.append(CertificateFile(artifact, certificate))
    return found
