"""Certificates and requests decoded for people, and certificates compared with their profile to the last byte."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from ceremony.errors import CeremonyError
from ceremony.pki.assembly import assemble
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.profiles import EXTENDED_KEY_USAGES, CertificateProfile, end_text, utc_text
from ceremony.pki.signatures import algorithm_for, issuer_key
from ceremony.pki.weak_keys import key_text, problems_with_key
from ceremony.words import grouped, sha256_hex

_ALGORITHMS = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "ecdsa-sha256",
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: "ecdsa-sha384",
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "ecdsa-sha512",
    SignatureAlgorithmOID.RSA_WITH_SHA384: "rsa-pkcs1-sha384",
}
_EXTENSIONS = {
    ExtensionOID.BASIC_CONSTRAINTS: "basicConstraints",
    ExtensionOID.KEY_USAGE: "keyUsage",
    ExtensionOID.EXTENDED_KEY_USAGE: "extendedKeyUsage",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "subjectAltName",
    ExtensionOID.NAME_CONSTRAINTS: "nameConstraints",
    ExtensionOID.CERTIFICATE_POLICIES: "certificatePolicies",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "cRLDistributionPoints",
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "authorityInfoAccess",
    ExtensionOID.CRL_NUMBER: "cRLNumber",
    ExtensionOID.DELTA_CRL_INDICATOR: "deltaCRLIndicator",
    ExtensionOID.ISSUING_DISTRIBUTION_POINT: "issuingDistributionPoint",
}
_EXTENDED_KEY_USAGE_NAMES = {oid: name for name, oid in EXTENDED_KEY_USAGES.items()}
_KEY_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
_SHOWN_OCTETS = 48
# A name with a bit string in it is a TypeError of the library.
_UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip


def serial_text(serial: int) -> str:
    """A serial as the record writes it: 40 hex digits."""
    return f"{serial:040x}"


def pem_of(certificate_der: bytes) -> str:
    """The certificate (DER) in PEM, with lines of 64 and a newline at the end. Raises CeremonyError CERTIFICATE-BROKEN."""
    with reading("CERTIFICATE-BROKEN", "The certificate"):
        return x509.load_der_x509_certificate(certificate_der).public_bytes(Encoding.PEM).decode()


def decoded(certificate_der: bytes) -> tuple[str, ...]:
    """The certificate (DER) as lines for screens and paper, from its bytes alone. Raises CeremonyError CERTIFICATE-BROKEN."""
    return tuple(f"{field}: {text}" for field, text in fields_of(certificate_der).items())


def fields_of(certificate_der: bytes) -> dict[str, str]:
    """Each field of the certificate (DER) and its text, without the signature. A critical extension's field says so.

    Raises CeremonyError CERTIFICATE-BROKEN.
    """
    with reading("CERTIFICATE-BROKEN", "The certificate"):
        certificate = x509.load_der_x509_certificate(certificate_der)
        public_key = _public_key_of(certificate)
        fields = {
            "version": certificate.version.name,
            "serial": grouped(serial_text(certificate.serial_number)),
            "signature algorithm": algorithm_text(certificate.signature_algorithm_oid),
            "issuer": shown_text(name_text(certificate.issuer)),
            "not before": utc_text(certificate.not_valid_before_utc),
            "not after": end_text(certificate.not_valid_before_utc, certificate.not_valid_after_utc),
            "subject": shown_text(name_text(certificate.subject)),
            "public key": key_text(certificate.public_key()),
            "public key SHA-256": grouped(sha256_hex(public_key)),
        }
        return fields | dict(extension_fields(certificate.extensions))


def algorithm_text(algorithm: x509.ObjectIdentifier) -> str:
    """The name of a signature algorithm as the record has it; of one that we don't use, its number."""
    return _ALGORITHMS.get(algorithm, algorithm.dotted_string)


@contextmanager
def reading(code: str, what: str) -> Iterator[None]:
    """While foreign bytes are read: what the library raises becomes a CeremonyError with this code; its warnings are dropped.

    It warns on stderr, which is the app's screen; what it warns of (names too long) is refused by name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _UNREADABLE as broken:
        raise CeremonyError(code, f"{what} cannot be read: {shown_text(str(broken))[:200]}.") from broken


def extension_fields(extensions: Iterable[x509.Extension[Any]]) -> Iterator[tuple[str, str]]:
    """Name and text of each extension. What we have no words for is shown as the hex of its first octets, and its length."""
    for extension in extensions:
        name = _EXTENSIONS.get(extension.oid, f"extension {extension.oid.dotted_string}")
        yield name + " (critical)" * extension.critical, _extension_text(extension.value)


def problems_with_certificate(certificate_der: bytes, profile: CertificateProfile) -> list[str]:
    """How a certificate (DER) differs from its profile, each in words that may be shown; nothing when it is that and nothing else.

    Its serial is positive and has 20 octets, its key is one the profile takes, every field says what the profile
    says, and all its bytes but the signature's are those that the profile, the key and the serial give. Whether the
    signature holds is not asked (see signatures.signature_holds).
    """
    try:
        found = fields_of(certificate_der)
    except CeremonyError as broken:
        return [broken.what]
    certificate = x509.load_der_x509_certificate(certificate_der)
    public_key = _public_key_of(certificate)
    problems = problems_with_key(public_key, profile.keys)
    if problems:
        return problems
    issuer_public_key = profile.issuer_public_key_der or public_key
    if certificate.serial_number.bit_length() not in range(153, 160):
        problems.append(f"the serial {found['serial']} is not a positive number of 20 octets")
    wanted = profile.fields() | {
        "version": "v3",
        "public key": profile.keys[0] if profile.purpose == "root" else found["public key"],
        "signature algorithm": algorithm_for(issuer_public_key),
        "subjectKeyIdentifier": _identifier(public_key),
        "authorityKeyIdentifier": profile.issuer_key_identifier.hex() if profile.issuer_key_identifier else _identifier(issuer_public_key),
    }
    for field in sorted((wanted.keys() | found.keys()) - {"serial", "public key SHA-256"}):
        if wanted.get(field) != found.get(field):
            problems.append(f"{field} is '{found.get(field, 'not there')}'; the profile wants '{wanted.get(field, 'none')}'")
    if not problems:
        _, expected = assemble(profile, public_key, issuer_public_key, certificate.serial_number, certificate.signature)
        if expected != certificate_der:
            problems.append("its bytes are not those that its profile, key and serial give")
    return problems


def _public_key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _identifier(public_key_der: bytes) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(issuer_key(public_key_der)).digest.hex()


def _extension_text(value: x509.ExtensionType) -> str:
    match value:
        case x509.BasicConstraints(ca=False, path_length=None):
            return "not a CA"
        case x509.BasicConstraints(ca=True, path_length=length):
            return "CA, any path length" if length is None else f"CA, path length {length}"
        case x509.KeyUsage():
            return ", ".join(_key_usage_names(value))
        case x509.ExtendedKeyUsage():
            return ", ".join(_EXTENDED_KEY_USAGE_NAMES.get(oid, oid.dotted_string) for oid in value)
        case x509.SubjectKeyIdentifier():
            return value.digest.hex()
        case x509.AuthorityKeyIdentifier(key_identifier=bytes() as found) if value == x509.AuthorityKeyIdentifier(found, None, None):
            return found.hex()
        case x509.CRLNumber():
            return str(value.crl_number)
        case x509.SubjectAlternativeName():
            return ", ".join(shown_text(f"{type(name).__name__} {name.value}") for name in value)
        case _:
            octets = value.public_bytes()
            return f"{octets[:_SHOWN_OCTETS].hex()}{'...' if len(octets) > _SHOWN_OCTETS else ''} ({len(octets)} octets)"


def _key_usage_names(usage: x509.KeyUsage) -> Iterator[str]:
    yield from (name for attribute, name in _KEY_USAGES.items() if getattr(usage, attribute))
    if usage.key_agreement:
        yield from ["encipherOnly"] * usage.encipher_only + ["decipherOnly"] * usage.decipher_only
