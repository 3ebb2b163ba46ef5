"""Certificate requests (PKCS#10, RFC 2986): a key, a name, and things asked for that are shown and never copied."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.errors import CeremonyError
from ceremony.pki.certificates import extension_fields, reading
from ceremony.pki.names import name_matches, problems_with_name
from ceremony.pki.profiles import ProfileTable
from ceremony.pki.weak_keys import unsuitable, weaknesses
from ceremony.words import sha256_hex

LARGEST_CSR = 64 << 10
"""A request is at most 64 KiB."""

_ONE_PEM_BLOCK = re.compile(
    rb"\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----\r?\n[A-Za-z0-9+/=\r\n]+\r?\n-----END (NEW )?CERTIFICATE REQUEST-----\s*"
)
_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_HASHES = ("sha256", "sha384", "sha512")
_MOST_LINES = 40
_LONGEST_LINE = 400


@dataclass(frozen=True)
class SigningRequest:
    """What a request says, its signature verified. The key is SPKI, DER, and its SHA-256 hex.

    `requested` holds a line for each extension and attribute it asks for; the lines may be shown. `wants_ca`: one of them
    is to be a CA.
    """

    subject: x509.Name
    public_key_der: bytes
    public_key_sha256: str
    requested: tuple[str, ...]
    wants_ca: bool


def read_csr(pem: bytes) -> SigningRequest:
    """The one request in PEM, nothing else in the file but white space.

    Raises CeremonyError CSR-BROKEN when it cannot be read, CSR-SIGNATURE when it is not signed by the key it holds,
    by a hash that is still taken.
    """
    if len(pem) > LARGEST_CSR:
        raise _broken(f"it has {len(pem)} bytes, more than {LARGEST_CSR}")
    if b"PRIVATE KEY-----" in pem:
        raise _broken("the file holds a private key; destroy every copy of it and use another key, for this one has left its place")
    if not _ONE_PEM_BLOCK.fullmatch(pem):
        raise _broken("the file is not one PEM block CERTIFICATE REQUEST and nothing else (from DER: openssl req -inform DER -in FILE)")
    with reading("CSR-BROKEN", "The certificate request"):
        request = x509.load_pem_x509_csr(pem)
        public_key = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        requested = (*_extensions_asked_for(request), *_attributes_asked_for(request))
        wants_ca = any(isinstance(asked.value, x509.BasicConstraints) and asked.value.ca for asked in request.extensions)
        holds, hash_algorithm, subject = request.is_signature_valid, request.signature_hash_algorithm, request.subject
    if public_key not in request.tbs_certrequest_bytes:
        raise _broken("its key is not in the usual encoding (RFC 5480 uncompressed named curve, RFC 8017 rsaEncryption)")
    if hash_algorithm and hash_algorithm.name not in _HASHES:
        raise CeremonyError("CSR-SIGNATURE", f"The request is signed with {hash_algorithm.name}; taken are {', '.join(_HASHES)}.")
    if not holds:
        raise CeremonyError("CSR-SIGNATURE", "The request is not signed by the key it asks a certificate for.")
    return SigningRequest(subject, public_key, sha256_hex(public_key), _not_too_much(requested), wants_ca)


def problems_with_csr(
    request: SigningRequest, profile: ProfileTable, root_public_key_der: bytes | None, certified: Collection[str]
) -> list[tuple[str, str]]:
    """Why a request is not taken under a profile: code and words for each reason; nothing when all is well.

    `certified` holds the SHA-256 (hex) of the keys (SPKI, DER) that have a certificate already. Codes: CSR-KEY-REFUSED,
    CSR-KEY-WEAK, CSR-ROOT-KEY, CSR-ALREADY-CERTIFIED, CSR-SUBJECT.
    """
    problems = [("CSR-KEY-REFUSED", problem) for problem in unsuitable(request.public_key_der, profile.keys)]
    problems += [("CSR-KEY-WEAK", problem) for problem in weaknesses(request.public_key_der)]
    if request.public_key_der == root_public_key_der:
        problems.append(("CSR-ROOT-KEY", "it is for the root's own key"))
    if request.public_key_sha256 in certified:
        problems.append(("CSR-ALREADY-CERTIFIED", f"the key {request.public_key_sha256} has a certificate already"))
    strange = problems_with_name(request.subject)
    problems += [("CSR-SUBJECT", f"its subject: {problem}") for problem in strange or name_matches(request.subject, profile.subject)]
    return problems


def _not_too_much(lines: tuple[str, ...]) -> tuple[str, ...]:
    kept = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}... ({len(line)} characters)" for line in lines]
    more = len(kept) - _MOST_LINES
    return (*kept[:_MOST_LINES], f"asks for {more} more") if more > 0 else tuple(kept)


def _broken(why: str) -> CeremonyError:
    return CeremonyError("CSR-BROKEN", f"The certificate request cannot be taken: {why}.")


def _extensions_asked_for(request: x509.CertificateSigningRequest) -> list[str]:
    return [f"asks for {field}: {text}" for field, text in extension_fields(request.extensions)]


def _attributes_asked_for(request: x509.CertificateSigningRequest) -> list[str]:
    # Only the kind: an attribute's value may be a secret (challengePassword).
    kinds = (attribute.oid.dotted_string for attribute in request.attributes)
    return [f"holds the attribute {kind}" for kind in kinds if kind != _EXTENSION_REQUEST]
