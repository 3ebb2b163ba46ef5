"""What a certificate of ours is, to the last extension: the policy `private-iot-root`.

The tables are what a ceremony script says; a `CertificateProfile` is all of a certificate but its key and serial.
The root is what Azure Device Registry takes too (EC key, path length 1, digitalSignature beside the two CA
usages, key identifiers); identifiers are the SHA-1 of RFC 5280 section 4.2.1.2 (1), which every consumer knows.
"""

import datetime as dt
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.errors import CeremonyError
from ceremony.pki.names import is_rehearsal_name, name_text, parse_name, rehearsal_name, shown_text

KeyName = Literal["ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "rsa:3072", "rsa:4096"]
ExtendedKeyUsageName = Literal["clientAuth", "serverAuth", "codeSigning", "emailProtection", "timeStamping"]
Purpose = Literal["root", "intermediate", "proof", "cross", "device"]

ALL_KEYS: tuple[KeyName, ...] = ("ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "rsa:3072", "rsa:4096")
EXTENDED_KEY_USAGES: dict[str, x509.ObjectIdentifier] = {
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "codeSigning": ExtendedKeyUsageOID.CODE_SIGNING,
    "emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timeStamping": ExtendedKeyUsageOID.TIME_STAMPING,
}

PROOF_DAYS = 30
"""How long a proof-of-possession certificate is valid, unless the root ends earlier."""

_CA_USAGES = ("digitalSignature", "keyCertSign", "cRLSign")

Instant = Annotated[dt.datetime, msgspec.Meta(tz=True, description="A date and time with its offset, such as 2046-11-19T00:00:00Z.")]
PathLength = Annotated[int, msgspec.Meta(ge=0, le=8)]


class RootTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The script's table `[root]`. `label` names the key on the token and the certificate's file.

    `always_authenticate`: the token wants the PIN again before each signature (CKA_ALWAYS_AUTHENTICATE).
    """

    subject: str
    key: KeyName
    label: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]
    not_after: Instant
    not_before: Literal["ceremony-day"] = "ceremony-day"
    path_length: PathLength = 1
    always_authenticate: bool = False


class ProfileTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table `[profiles.NAME]`: how intermediates are certified.

    `subject` is a pattern (see names.name_matches). `keys` are the keys taken; an RSA size stands for that size and up.
    """

    not_after: Instant
    path_length: PathLength = 0
    extended_key_usage: tuple[ExtendedKeyUsageName, ...] = ()
    subject: str = "CN=*"
    keys: Annotated[tuple[KeyName, ...], msgspec.Meta(min_length=1)] = ALL_KEYS


@dataclass(frozen=True)
class CertificateProfile:
    """All of a certificate but its key and its serial. Times are UTC in whole seconds, both ends included.

    `path_length` is None for what is not a CA. `issuer_public_key_der` (SPKI) and `issuer_key_identifier` are
    None where they are not known before there is a key: for a root, which signs itself, and in a plan.
    """

    purpose: Purpose
    subject: x509.Name
    issuer: x509.Name
    not_before: dt.datetime
    not_after: dt.datetime
    path_length: int | None
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    keys: tuple[str, ...]
    issuer_public_key_der: bytes | None = None
    issuer_key_identifier: bytes | None = None

    @property
    def is_ca(self) -> bool:
        """Whether the certificate is one of a certification authority (basicConstraints cA)."""
        return self.path_length is not None

    def fields(self) -> dict[str, str]:
        """What such a certificate says, as far as it is known without its key: field and text, as `certificates.fields_of` has them."""
        fields = {
            "issuer": _shown(self.issuer),
            "not before": utc_text(self.not_before),
            "not after": end_text(self.not_before, self.not_after),
            "subject": _shown(self.subject),
            "basicConstraints (critical)": "not a CA" if self.path_length is None else f"CA, path length {self.path_length}",
            "keyUsage (critical)": ", ".join(self.key_usage),
        }
        if self.extended_key_usage:
            fields["extendedKeyUsage"] = ", ".join(self.extended_key_usage)
        return fields

    def lines(self) -> tuple[str, ...]:
        """The same as lines, for a plan that is shown before there is a key."""
        return (*(f"{field}: {text}" for field, text in self.fields().items()), f"keys taken: {', '.join(self.keys)}")


def end_text(not_before: dt.datetime, not_after: dt.datetime) -> str:
    """The end of a validity and the whole days until then."""
    return f"{utc_text(not_after)} ({(not_after - not_before).days} days)"


def utc_text(moment: dt.datetime) -> str:
    """A UTC time as RFC 3339 writes it, with seconds and a Z."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def root_profile(table: RootTable, ceremony_day: dt.date, rehearsal: bool) -> CertificateProfile:
    """The root of `[root]`, valid from 00:00:00Z of the ceremony's day. A rehearsal's subject says REHEARSAL, no other does.

    Raises CeremonyError NAME-REFUSED or PROFILE-DATES.
    """
    subject = parse_name(table.subject)
    if is_rehearsal_name(subject):
        raise CeremonyError("NAME-REFUSED", f"The root's subject '{_shown(subject)}' says REHEARSAL: that is for rehearsals, which add it.")
    if not subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        raise CeremonyError("NAME-REFUSED", f"The root's subject '{_shown(subject)}' has no CN.")
    if rehearsal:
        subject = rehearsal_name(subject)
    profile = CertificateProfile(
        purpose="root",
        subject=subject,
        issuer=subject,
        not_before=_start_of(ceremony_day),
        not_after=_whole_second(table.not_after),
        path_length=table.path_length,
        key_usage=_CA_USAGES,
        extended_key_usage=(),
        keys=(table.key,),
    )
    _refuse_impossible_dates(profile)
    return profile


def intermediate_profile(
    table: ProfileTable, subject: x509.Name, root: bytes | CertificateProfile, ceremony_day: dt.date
) -> CertificateProfile:
    """An intermediate of `[profiles.NAME]` under this root: the root's certificate (DER), or in a plan its profile.

    Raises CeremonyError PROFILE-DATES when it would outlive the root, PROFILE-PATH when the root's path length has no
    room for it, PROFILE-ISSUER when the root is no CA, NAME-REFUSED when the subject is the root's own (RFC 5280
    section 3.2: a self-issued certificate does not count in a path's length).
    """
    issuer = issuer_of(root)
    if table.path_length >= (issuer.path_length or 0):
        raise CeremonyError("PROFILE-PATH", f"Path length {table.path_length} does not fit under a root of {issuer.path_length}.")
    if name_text(subject).casefold() == name_text(issuer.subject).casefold():
        raise CeremonyError("NAME-REFUSED", f"The subject '{_shown(subject)}' is the root's own.")
    profile = replace(
        issuer,
        purpose="intermediate",
        subject=subject,
        not_before=_start_of(ceremony_day),
        not_after=_whole_second(table.not_after),
        path_length=table.path_length,
        key_usage=_CA_USAGES,
        extended_key_usage=table.extended_key_usage,
        keys=table.keys,
    )
    _refuse_impossible_dates(profile, issuer)
    return profile


def proof_profile(verification_code: str, root: bytes | CertificateProfile, ceremony_day: dt.date) -> CertificateProfile:
    """The certificate that shows a service who holds the root's key: no CA, CN = the code byte for byte, 30 days, never past the root.

    `root` is the root's certificate (DER), or in a plan its profile. Raises CeremonyError PROOF-CODE for a code that is
    not 1 to 64 printable ASCII characters without a space, PROFILE-DATES or PROFILE-ISSUER.
    """
    if not 1 <= len(verification_code) <= 64 or not all("!" <= character <= "~" for character in verification_code):
        code = shown_text(verification_code[:80])
        raise CeremonyError("PROOF-CODE", f"The verification code '{code}' is not 1 to 64 printable ASCII characters without a space.")
    issuer = issuer_of(root)
    not_before = _start_of(ceremony_day)
    profile = replace(
        issuer,
        purpose="proof",
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, verification_code)]),
        not_before=not_before,
        not_after=min(not_before + dt.timedelta(days=PROOF_DAYS), issuer.not_after),
        path_length=None,
        key_usage=("digitalSignature",),
        extended_key_usage=(),
        keys=("ec:secp256r1", "ec:secp384r1", "ec:secp521r1"),
    )
    _refuse_impossible_dates(profile, issuer)
    return profile


def issuer_of(root: bytes | CertificateProfile) -> CertificateProfile:
    """What a certificate or CRL under this root (certificate, DER, or profile) takes from it; all else is still the root's own.

    Raises CeremonyError PROFILE-ISSUER when it is no CA with a path length.
    """
    return root if isinstance(root, CertificateProfile) else _issuer_in(root)


@lru_cache(maxsize=16)
def _issuer_in(root: bytes) -> CertificateProfile:
    try:
        certificate = x509.load_der_x509_certificate(root)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        public_key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.ExtensionNotFound, x509.DuplicateExtension) as broken:
        raise CeremonyError("PROFILE-ISSUER", f"The root certificate is not one of ours: {shown_text(str(broken))}.") from broken
    if not constraints.ca or constraints.path_length is None:
        raise CeremonyError("PROFILE-ISSUER", f"The certificate of {_shown(certificate.subject)} is not one of a CA with a path length.")
    return CertificateProfile(
        purpose="root",
        subject=certificate.subject,
        issuer=certificate.subject,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        path_length=constraints.path_length,
        key_usage=_CA_USAGES,
        extended_key_usage=(),
        keys=(),
        issuer_public_key_der=public_key,
        issuer_key_identifier=identifier.digest,
    )


def _start_of(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _whole_second(moment: dt.datetime) -> dt.datetime:
    utc = moment.astimezone(dt.UTC)
    if utc.microsecond:
        # RFC 5280 section 4.1.2.5: the times of a certificate have no fractions.
        raise CeremonyError("PROFILE-DATES", f"The end {moment.isoformat()} is not a whole second.")
    return utc


def _refuse_impossible_dates(profile: CertificateProfile, issuer: CertificateProfile | None = None) -> None:
    begins, ends = utc_text(profile.not_before), utc_text(profile.not_after)
    why = ""
    if profile.not_after <= profile.not_before:
        why = f"end at {ends}, not after its beginning at {begins}"
    elif issuer and profile.not_before < issuer.not_before:
        why = f"begin at {begins}, before its root does at {utc_text(issuer.not_before)}"
    elif issuer and profile.not_after > issuer.not_after:
        why = f"end at {ends}, later than its root at {utc_text(issuer.not_after)}"
    if why:
        raise CeremonyError("PROFILE-DATES", f"{_shown(profile.subject)} would {why}.")


def _shown(name: x509.Name) -> str:
    return shown_text(name_text(name))
