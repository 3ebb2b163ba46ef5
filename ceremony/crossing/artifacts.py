"""The public files of a bundle: where each stands, and that it is what its place says."""

import re
import warnings
from collections.abc import Callable
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.crossing.private_keys import private_key_in
from ceremony.crossing.record import Artifact, ArtifactKind
from ceremony.errors import CeremonyError
from ceremony.pki.certificates import reading
from ceremony.pki.crl import Crl, crl_pem, read_crl
from ceremony.pki.names import name_text, shown_text
from ceremony.words import sha256_hex

_UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType
)  # fmt: skip
_NAME = r"([a-z0-9][a-z0-9._-]{0,63})"
_PLACES: tuple[tuple[re.Pattern[str], ArtifactKind], ...] = (
    (re.compile(rf"root/{_NAME}\.cert\.pem"), "root-certificate"),
    (re.compile(rf"intermediates/{_NAME}\.cert\.pem"), "intermediate-certificate"),
    (re.compile(rf"intermediates/{_NAME}\.chain\.pem"), "intermediate-chain"),
    (re.compile(rf"proof-of-possession/{_NAME}/{_NAME}\.cert\.pem"), "proof-certificate"),
    (re.compile(rf"cross/{_NAME}/by-{_NAME}\.cert\.pem"), "cross-certificate"),
    (re.compile(rf"attestation/{_NAME}/{_NAME}\.chain\.pem"), "attestation-chain"),
    (re.compile(rf"crl/{_NAME}\.crl\.pem"), "crl"),
    (re.compile(rf"attestation/{_NAME}/{_NAME}"), "vendor-evidence"),
)


_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")
_HELD: dict[str, tuple[int, int]] = {"intermediate-chain": (2, 2), "attestation-chain": (2, 6)}
"""How many certificates a file of a kind holds at least and at most; of the other kinds one."""


def place_of(path: str) -> tuple[ArtifactKind, str] | None:
    """The kind of artifact that stands at this path, and its name; None where none belongs.

    The name of a proof is `<service>/<certificate>`, of an attestation `<token>/<label of the root>`, of
    a cross-certificate `<label of the root whose key it holds>/<label of its issuer>`.
    """
    for pattern, kind in _PLACES:
        if found := pattern.fullmatch(path):
            return kind, "/".join(found.groups())
    return None


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file that holds nothing else, in the one form in which we write PEM.

    Raises ValueError that says what is wrong, fit for a screen.
    """
    blocks = _BLOCK.findall(pem)
    whole = blocks and b"".join(blocks) == pem
    return [certificate for block in (blocks if whole else [pem]) for certificate in _certificates_in(block)]


# A certificate stands in a bundle by itself and in its chain, its issuer's in each chain, and more than one check asks for it.
@lru_cache(maxsize=2500)
def _certificates_in(pem: bytes) -> tuple[x509.Certificate, ...]:
    certificates = _loaded(lambda: x509.load_pem_x509_certificates(pem))
    if b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates) != pem:
        raise ValueError("something stands beside the certificates, or they are written in another form")
    return tuple(certificates)


def read_crl_file(pem: bytes) -> Crl:
    """The CRL of a PEM file that holds nothing else, in the one form in which we write PEM. Raises CeremonyError CRL-BROKEN."""
    with reading("CRL-BROKEN", "The CRL"):
        crl_der = x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)
    if crl_pem(crl_der).encode() != pem:
        raise CeremonyError("CRL-BROKEN", "Something stands beside the CRL, or it is written in another form.")
    return read_crl(crl_der)


def read_to_be_signed(octets: bytes) -> x509.Certificate:
    """The fields of to-be-signed bytes (DER TBSCertificate); its signature is made up and holds for nothing. Raises ValueError."""
    # RFC 5280 section 4.1: ecdsa-with-SHA256 and an empty BIT STRING stand in for what is not there yet.
    rest = bytes.fromhex("300a06082a8648ce3d040302" "030100")
    length = len(octets) + len(rest)
    if not 256 <= length < 65536:
        raise ValueError("not the bytes of a certificate of ours")
    return _loaded(lambda: [x509.load_der_x509_certificate(b"\x30\x82" + length.to_bytes(2) + octets + rest)])[0]


def _loaded(load: Callable[[], list[x509.Certificate]]) -> list[x509.Certificate]:
    """What `load` gives, each field that we use decoded, so that nothing broken is met later."""
    try:
        with warnings.catch_warnings():
            # The library warns on stderr, which may be the app's screen; what it warns of no profile allows.
            warnings.simplefilter("ignore")
            certificates = load()
            for certificate in certificates:
                _ = (certificate.public_key(), certificate.subject, certificate.issuer, certificate.extensions)
                _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except _UNREADABLE as broken:
        raise ValueError(f"not a certificate that can be read: {shown_text(str(broken))}") from broken
    return certificates


def certificate_der(certificate: x509.Certificate) -> bytes:
    """The certificate's DER."""
    return certificate.public_bytes(Encoding.DER)


def public_key_der(certificate: x509.Certificate) -> bytes:
    """The certificate's key as DER SubjectPublicKeyInfo."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def describe_artifact(path: str, octets: bytes) -> Artifact:
    """The artifact's entry for the record, made from its bytes, which are parsed as the kind that belongs to `path`.

    A chain has no serial and no subject of its own; a CRL's subject is its root's name. Raises CeremonyError
    BUNDLE-PRIVATE-KEY or BUNDLE-KIND.
    """
    if found := private_key_in(octets):
        raise CeremonyError("BUNDLE-PRIVATE-KEY", f"{shown_text(path)} holds {found}.", state="Nothing was written.")
    return searched_artifact(path, octets)


def searched_artifact(path: str, octets: bytes) -> Artifact:
    """The same of bytes that were searched for private keys before. Raises CeremonyError BUNDLE-KIND."""
    place = place_of(path)
    if place is None:
        raise CeremonyError("BUNDLE-KIND", f"No public file belongs at {shown_text(path)}.", state="Nothing was written.")
    kind, _ = place
    if kind == "crl":
        return _described_crl(path, octets)
    if kind == "vendor-evidence":
        # What a vendor's tool wrote has no form that we know: it was searched for private keys, and is told by its digest.
        return Artifact(path, kind, sha256_hex(octets), len(octets), None, None)
    try:
        certificates = read_certificates(octets)
    except ValueError as why:
        raise CeremonyError("BUNDLE-KIND", f"{shown_text(path)} is no {kind}: {why}.", state="Nothing was written.") from why
    least, most = _HELD.get(kind, (1, 1))
    if not least <= len(certificates) <= most:
        wanted = f"{least} to {most}" if least < most else str(most)
        raise CeremonyError("BUNDLE-KIND", f"{shown_text(path)} holds {len(certificates)} certificates; its kind, {kind}, holds {wanted}.")
    leaf = certificates[0]
    own = kind not in _HELD
    return Artifact(
        path=path,
        kind=kind,
        sha256=sha256_hex(octets),
        size=len(octets),
        serial=f"{leaf.serial_number:040x}" if own else None,
        subject=name_text(leaf.subject) if own else None,
    )


def _described_crl(path: str, octets: bytes) -> Artifact:
    try:
        crl = read_crl_file(octets)
    except CeremonyError as why:
        raise CeremonyError("BUNDLE-KIND", f"{shown_text(path)} is no crl: {why.what}", state="Nothing was written.") from why
    return Artifact(path, "crl", sha256_hex(octets), len(octets), None, name_text(crl.issuer))
