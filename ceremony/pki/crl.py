"""A CRL on its way from the one before to its signature: what is signed is what was shown and checked, as with a certificate.

RFC 5280 section 5: version 2, a number that goes up, the root's key identifier, a reason and a date with each entry. It is
a whole CRL of all that the root has signed, without an issuing distribution point and never a delta.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.errors import CeremonyError
from ceremony.pki.assembly import assemble_crl
from ceremony.pki.certificates import algorithm_text, extension_fields, reading
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import end_text, utc_text
from ceremony.pki.revocation import REASONS, CrlProfile, Revoked
from ceremony.pki.signatures import algorithm_for, signature_holds
from ceremony.words import sha256_hex

_REASON_NAMES = {flag: name for name, flag in REASONS.items()}


@dataclass(frozen=True)
class Crl:
    """A CRL that was read. Times are UTC; `der` is all of it, `signed` the bytes under its signature."""

    der: bytes
    issuer: x509.Name
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    revoked: tuple[Revoked, ...]
    signed: bytes
    signature: bytes

    def is_signed_by(self, public_key_der: bytes) -> bool:
        """Whether its signature is this key's (SPKI, DER). Raises ValueError for a key that signs no CRLs."""
        return signature_holds(public_key_der, self.signed, self.signature)

    @cached_property
    def by_serial(self) -> dict[int, Revoked]:
        """Its entries, by serial."""
        return {entry.serial: entry for entry in self.revoked}


@dataclass(frozen=True)
class CrlDraft:
    """The bytes to be signed (DER TBSCertList), the profile they were made from, and the CRL before (DER) if there was one."""

    profile: CrlProfile
    to_be_signed: bytes
    previous: bytes | None

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes to be signed: what the order names."""
        return sha256_hex(self.to_be_signed)

    @property
    def algorithm(self) -> str:
        """The algorithm the token is to use, such as `ecdsa-sha384`."""
        return algorithm_for(self.profile.issuer_public_key_der)

    @property
    def subject(self) -> str:
        """The root's name, RFC 4514: whose CRL it is."""
        return name_text(self.profile.issuer)

    def shown(self) -> tuple[str, ...]:
        """The bytes to be signed, decoded, as lines; the last says how they differ from what was asked for."""
        problems = _problems(self._around(b""), self.profile, self.previous)
        return (*decoded_crl(self._around(b"")), f"difference to the profile: {'; '.join(problems) or 'none'}")

    def difference_to(self, other_crl_der: bytes | None) -> tuple[str, ...]:
        """What is not as in the CRL before (DER), a line a field or entry; None where there was none before."""
        if other_crl_der is None:
            return ("the first of its kind",)
        this, other = fields_of_crl(self._around(b"")), fields_of_crl(other_crl_der)
        return tuple(
            f"{field}: {this.get(field, 'LOST')} (the last one: {other.get(field, 'none')})"
            for field in other | this
            if this.get(field) != other.get(field)
        )

    def signed_with(self, signature: bytes) -> bytes:
        """The CRL (DER) with this signature (DER ECDSA-Sig-Value, or the RSA block).

        Raises CeremonyError DRAFT-SIGNATURE-BAD when the root's key did not make it over the bytes shown,
        DRAFT-BYTES-DIFFER when the CRL would hold other bytes, DRAFT-PROFILE when it is not what was asked for.
        """
        if not signature_holds(self.profile.issuer_public_key_der, self.to_be_signed, signature):
            raise CeremonyError("DRAFT-SIGNATURE-BAD", "The signature for the CRL is not one over the bytes that were shown.")
        crl = self._around(signature)
        _refuse_other_than(crl, self.profile, self.previous)
        return crl

    def _around(self, signature: bytes) -> bytes:
        to_be_signed, crl = assemble_crl(self.profile, signature)
        if to_be_signed != self.to_be_signed:
            raise CeremonyError("DRAFT-BYTES-DIFFER", "The CRL would not hold the bytes that were shown.")
        return crl


def draft_crl(profile: CrlProfile, previous: bytes | None) -> CrlDraft:
    """The draft of the CRL that comes after `previous` (DER), or of a first one. The same input gives the same bytes.

    Raises CeremonyError CRL-BACKWARDS when it would go back behind the one before (see problems_after), DRAFT-PROFILE when what
    was put together is not what was asked for.
    """
    try:
        to_be_signed, crl = assemble_crl(profile, b"")
    except ValueError as unusable:
        raise CeremonyError("DRAFT-PROFILE", f"The CRL cannot be put together: {shown_text(str(unusable))}.") from unusable
    if previous is not None and (backwards := problems_after(crl, previous)):
        raise CeremonyError("CRL-BACKWARDS", f"The CRL would go backwards: {'; '.join(backwards)}.", state="Nothing was signed.")
    _refuse_other_than(crl, profile, previous)
    return CrlDraft(profile, to_be_signed, previous)


def read_crl(crl_der: bytes) -> Crl:
    """A CRL of ours. Raises CeremonyError CRL-BROKEN for what can't be read, or lacks number, end, or a reason we give."""
    return _crl(lambda: x509.load_der_x509_crl(crl_der))


def read_to_be_signed_crl(octets: bytes) -> Crl:
    """The fields of to-be-signed bytes (DER TBSCertList); its signature is made up. Raises CeremonyError CRL-BROKEN."""
    # RFC 5280 section 5.1: the algorithm stands within the bytes too, right after the version, and must be the same outside.
    version = b"\x02\x01\x01\x30"
    place = octets.find(version, 2, 12) + len(version) - 1
    algorithm = octets[place : place + 2 + octets[place + 1]] if place > len(version) and len(octets) > place + 1 else b""
    content = octets + algorithm + b"\x03\x01\x00"
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    # X.690 section 8.1.3: a length of 128 and more is told after its own number of octets.
    return read_crl(b"\x30" + (bytes([0x80 | len(length)]) if len(content) >= 128 else b"") + length + content)


def crl_pem(crl_der: bytes) -> str:
    """The CRL (DER) in PEM, with lines of 64 and a newline at the end. Raises CeremonyError CRL-BROKEN."""
    with reading("CRL-BROKEN", "The CRL"):
        return x509.load_der_x509_crl(crl_der).public_bytes(Encoding.PEM).decode()


def decoded_crl(crl_der: bytes) -> tuple[str, ...]:
    """The CRL (DER) as lines for screens and paper, from its bytes alone. Raises CeremonyError CRL-BROKEN."""
    return tuple(f"{field}: {text}" for field, text in fields_of_crl(crl_der).items())


def fields_of_crl(crl_der: bytes) -> dict[str, str]:
    """Each field of the CRL (DER) and its text, an entry a field, without the signature. Raises CeremonyError CRL-BROKEN."""
    with reading("CRL-BROKEN", "The CRL"):
        crl = x509.load_der_x509_crl(crl_der)
        begins, ends = crl.last_update_utc, crl.next_update_utc
        return {
            "signature algorithm": algorithm_text(crl.signature_algorithm_oid),
            "issuer": shown_text(name_text(crl.issuer)),
            "this update": utc_text(begins),
            "next update": end_text(begins, ends) if ends else "none",
            **dict(extension_fields(crl.extensions)),
            "entries": str(len(crl)),
            **{f"revoked {entry.serial_number:040x}": _entry_text(entry) for entry in crl},
        }


def problems_with_crl(crl_der: bytes, profile: CrlProfile) -> list[str]:
    """How a CRL (DER) differs from its profile, each in words that may be shown; nothing when it is that and nothing else.

    Every field and entry says what the profile says, and all its bytes but the signature's are those that the profile gives.
    Whether the signature holds is not asked (see Crl.is_signed_by).
    """
    try:
        found, crl = fields_of_crl(crl_der), read_crl(crl_der)
    except CeremonyError as broken:
        return [broken.what]
    wanted = profile.fields() | {"signature algorithm": algorithm_for(profile.issuer_public_key_der)}
    problems = [
        f"{field} is '{found.get(field, 'not there')}'; it should be '{wanted.get(field, 'none')}'"
        for field in sorted(wanted.keys() | found.keys())
        if wanted.get(field) != found.get(field)
    ]
    if not problems and assemble_crl(profile, crl.signature)[1] != crl_der:
        problems.append("its bytes are not those that its profile gives")
    return problems


def problems_after(crl_der: bytes, previous_der: bytes) -> list[str]:
    """Why this CRL can't follow that one (both DER): another issuer, a number or day that goes back, an entry lost or changed."""
    try:
        crl, previous = read_crl(crl_der), read_crl(previous_der)
    except CeremonyError as broken:
        return [broken.what]
    problems = []
    if crl.issuer != previous.issuer:
        problems.append("it is of another root than the one before")
    if crl.number <= previous.number:
        problems.append(f"its number {crl.number} is not higher than {previous.number}, that of the one before")
    if crl.this_update < previous.this_update:
        problems.append(f"it begins at {utc_text(crl.this_update)}, before the one before it at {utc_text(previous.this_update)}")
    for entry in previous.revoked:
        if (found := crl.by_serial.get(entry.serial)) != entry:
            told = f"is changed to: {found.text}" if found else "is lost"
            problems.append(f"the entry {entry.serial:040x} ({entry.text}) of the one before {told}")
    return problems


def _problems(crl_der: bytes, profile: CrlProfile, previous: bytes | None) -> list[str]:
    return [*problems_with_crl(crl_der, profile), *(problems_after(crl_der, previous) if previous is not None else [])]


def _refuse_other_than(crl_der: bytes, profile: CrlProfile, previous: bytes | None) -> None:
    if problems := _problems(crl_der, profile, previous):
        raise CeremonyError("DRAFT-PROFILE", f"The CRL is not what was asked for: {'; '.join(problems)}.")


def _crl(load: Callable[[], x509.CertificateRevocationList]) -> Crl:
    with reading("CRL-BROKEN", "The CRL"):
        crl = load()
        numbers = [extension.value.crl_number for extension in crl.extensions if isinstance(extension.value, x509.CRLNumber)]
        revoked = tuple(_revoked(entry) for entry in crl)
        if len(numbers) != 1 or crl.next_update_utc is None:
            raise ValueError("a CRL of ours has a number and an end")
        if len({entry.serial for entry in revoked}) < len(revoked):
            raise ValueError("a serial stands in it twice")
        return Crl(
            crl.public_bytes(Encoding.DER), crl.issuer, numbers[0], crl.last_update_utc, crl.next_update_utc, revoked,
            crl.tbs_certlist_bytes, crl.signature,
        )  # fmt: skip


def _revoked(entry: x509.RevokedCertificate) -> Revoked:
    reasons = [_REASON_NAMES.get(each.value.reason) for each in entry.extensions if isinstance(each.value, x509.CRLReason)]
    if len(reasons) != 1 or reasons[0] is None:
        raise ValueError(f"the entry {entry.serial_number:040x} has no reason that a root gives")
    return Revoked(entry.serial_number, entry.revocation_date_utc, reasons[0])


def _entry_text(entry: x509.RevokedCertificate) -> str:
    """As Revoked.text has it; anything beside reason and date follows."""
    reason, others = "no reason", []
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason) and not extension.critical:
            reason = _REASON_NAMES.get(extension.value.reason, extension.value.reason.value)
        else:
            others += [f"{name} {text}" for name, text in extension_fields([extension])]
    return ", ".join([reason, f"since {utc_text(entry.revocation_date_utc)}", *others])
