"""What is signed is what was shown and checked: a certificate on its way from its profile to its signature.

A `Draft` is made by `draft_certificate` from the profile, the keys and the serial; the bytes to sign are compared
with the profile before anybody sees them. `signed_with` is the only way out, and it gives the certificate or refuses.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ceremony.errors import CeremonyError
from ceremony.pki.assembly import assemble
from ceremony.pki.certificates import decoded, fields_of, pem_of, problems_with_certificate, serial_text
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import CertificateProfile
from ceremony.pki.signatures import algorithm_for, signature_holds
from ceremony.words import sha256_hex

__all__ = ["Draft", "decoded", "draft_certificate", "pem_of", "problems_with_certificate", "serial_number", "serial_text"]

_SHORTEST_RANDOM = 20


@dataclass(frozen=True)
class Draft:
    """The bytes to be signed (DER TBSCertificate) and all they were made of. Keys are SPKI, DER."""

    profile: CertificateProfile
    subject_public_key_der: bytes
    issuer_public_key_der: bytes
    serial: int
    to_be_signed: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes to be signed: what the order names."""
        return sha256_hex(self.to_be_signed)

    @property
    def algorithm(self) -> str:
        """The algorithm the token is to use, such as `ecdsa-sha384`."""
        return algorithm_for(self.issuer_public_key_der)

    @property
    def subject(self) -> str:
        """The name that is certified, RFC 4514."""
        return name_text(self.profile.subject)

    def fields(self) -> dict[str, str]:
        """The fields decoded from the bytes to be signed (see certificates.fields_of)."""
        return fields_of(self._around(b""))

    def shown(self) -> tuple[str, ...]:
        """The bytes to be signed, decoded, as lines; the last says how they differ from the profile."""
        problems = problems_with_certificate(self._around(b""), self.profile)
        return (*decoded(self._around(b"")), f"difference to the profile: {'; '.join(problems) or 'none'}")

    def difference_to(self, other_certificate_der: bytes | None) -> tuple[str, ...]:
        """What is not as in the last certificate of its kind (DER), a line a field; None where there was none before."""
        if other_certificate_der is None:
            return ("the first of its kind",)
        this, other = self.fields(), fields_of(other_certificate_der)
        return _difference(this, other, this | other)

    def difference_to_known(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        """The same where only some fields of the other certificate are known; the rest is not compared."""
        return _difference(self.fields(), fields, fields)

    def signed_with(self, signature: bytes) -> bytes:
        """The certificate (DER) with this signature (DER ECDSA-Sig-Value, or the RSA block).

        Raises CeremonyError DRAFT-SIGNATURE-BAD when the issuer's key did not make it over the bytes shown,
        DRAFT-BYTES-DIFFER when the certificate would hold other bytes, DRAFT-PROFILE when it is not what the profile says.
        """
        if not signature_holds(self.issuer_public_key_der, self.to_be_signed, signature):
            what = f"The signature for {shown_text(self.subject)} is not one over the bytes that were shown."
            raise CeremonyError("DRAFT-SIGNATURE-BAD", what)
        certificate = self._around(signature)
        _refuse_other_than(self.profile, certificate)
        return certificate

    def _around(self, signature: bytes) -> bytes:
        to_be_signed, certificate = assemble(self.profile, self.subject_public_key_der, self.issuer_public_key_der, self.serial, signature)
        if to_be_signed != self.to_be_signed:
            what = f"The certificate of {shown_text(self.subject)} would not hold the bytes that were shown."
            raise CeremonyError("DRAFT-BYTES-DIFFER", what)
        return certificate


def draft_certificate(profile: CertificateProfile, subject_public_key_der: bytes, issuer_public_key_der: bytes, serial: int) -> Draft:
    """The draft of a certificate of this profile for this key, to be signed by that one (both SPKI, DER).

    The same input gives the same bytes. Raises CeremonyError DRAFT-PROFILE when the keys are not those that the
    profile speaks of, when a key is not one it takes, or when what was put together is not what the profile says.
    """
    signs_itself = subject_public_key_der == issuer_public_key_der
    if signs_itself != (profile.purpose == "root"):
        raise CeremonyError("DRAFT-PROFILE", "A root is for the key that signs it, and no other certificate is.")
    if profile.issuer_public_key_der not in (issuer_public_key_der, None if signs_itself else issuer_public_key_der):
        raise CeremonyError("DRAFT-PROFILE", "The key that would sign is not the key of the root that the profile speaks of.")
    try:
        to_be_signed, certificate = assemble(profile, subject_public_key_der, issuer_public_key_der, serial, b"")
    except ValueError as unusable:
        raise CeremonyError("DRAFT-PROFILE", f"The certificate cannot be put together: {shown_text(str(unusable))}.") from unusable
    _refuse_other_than(profile, certificate)
    return Draft(profile, subject_public_key_der, issuer_public_key_der, serial, to_be_signed)


def _difference(this: Mapping[str, str], other: Mapping[str, str], fields: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        f"{field}: {this.get(field, 'none')} (the last one: {other.get(field, 'none')})"
        for field in fields
        if this.get(field) != other.get(field)
    )


def _refuse_other_than(profile: CertificateProfile, certificate: bytes) -> None:
    problems = problems_with_certificate(certificate, profile)
    if problems:
        subject = shown_text(name_text(profile.subject))
        raise CeremonyError("DRAFT-PROFILE", f"The certificate of {subject} is not what its profile says: {'; '.join(problems)}.")


def serial_number(token_random: bytes, system_random: bytes) -> int:
    """A serial of exactly 20 octets, positive (RFC 5280 section 4.1.2.2), from two generators: 158 bits that neither sets alone.

    Raises ValueError when either gives fewer than 20 octets, or both give the same.
    """
    if min(len(token_random), len(system_random)) < _SHORTEST_RANDOM or token_random == system_random:
        raise ValueError(f"a serial wants {_SHORTEST_RANDOM} octets or more from each of two generators")
    hashed = hashlib.sha256(hashlib.sha256(token_random).digest() + hashlib.sha256(system_random).digest()).digest()
    return int.from_bytes(bytes([hashed[0] & 0x3F | 0x40]) + hashed[1:20])
