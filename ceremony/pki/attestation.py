"""Device attestation as a chain of certificates: a vendor's word, by its own keys, that a key was made on its device (design, rule 1).

The leaf holds the attested key; each certificate above it signed the one below, up to the vendor's root, which the script pins. What the
leaf says in Yubico's extensions is read where the script names that style: of the YubiHSM 2 below 1.3.6.1.4.1.41482.4 (2: serial,
3: origin, 5: capabilities, as github.com/YubicoLabs/yubihsm-parse-attestation reads them), of a YubiKey's PIV keys below
1.3.6.1.4.1.41482.3 (7: serial; a YubiKey attests no key that was imported). No device was at hand: tested with chains made for it.
"""

import datetime as dt
import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.errors import CeremonyError
from ceremony.pki.names import name_text, shown_text
from ceremony.words import sha256_hex

LARGEST_CHAIN: Final = 65536
"""A file with a chain has at most 64 KiB."""

MADE_UP: Final = "REHEARSAL vendor root"
"""Stands in the subject of the root that a rehearsal makes up."""

Style = Literal["x509", "yubihsm2", "yubikey-piv"]

YUBIHSM: Final = "1.3.6.1.4.1.41482.4."
YUBIKEY: Final = "1.3.6.1.4.1.41482.3."
GENERATED: Final = 0x01
SIGNING: Final = 0b1_1110_0000
"""The bits of a YubiHSM's capabilities sign-pkcs, sign-pss, sign-ecdsa and sign-eddsa: what a root's key may be able to do, and no more."""

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_INTEGER, _BIT_STRING = 0x02, 0x03


class AttestationTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The script's table `[attestation]`: the vendor's root by SHA-256 (hex) of its certificate's DER, and how long the chain is.

    `certificates` counts leaf and root. It is exact: a key that the vendor has attested could else sign an attestation of its own.
    """

    vendor_root: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    certificates: Annotated[int, msgspec.Meta(ge=2, le=6)]
    style: Style = "x509"


class Attested(msgspec.Struct, frozen=True):
    """What a chain that holds attests: of which device (its serial by the leaf, "" where it says none), and by which root."""

    subject: str
    serial: str
    root_subject: str
    root_sha256: str


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, leaf first. Raises CeremonyError ATTESTATION-REFUSED."""
    if len(pem) > LARGEST_CHAIN:
        raise _refused([f"it has more than {LARGEST_CHAIN} bytes"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chain = x509.load_pem_x509_certificates(pem)
            for certificate in chain:
                _ = (certificate.extensions, certificate.public_key(), certificate.subject, certificate.issuer)
                _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension) as broken:
        raise _refused([f"a certificate cannot be read: {shown_text(str(broken))}"]) from broken
    return chain


def chain_pem(chain: Sequence[x509.Certificate]) -> bytes:
    """The same certificates in the one form in which we write PEM: what stood beside them is left behind."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)


def attested(
    chain: Sequence[x509.Certificate], table: AttestationTable, public_key_der: bytes, day: dt.date, token: str, *, made_up: bool = False
) -> Attested:
    """What the chain attests of this key (DER SubjectPublicKeyInfo), as of this day, on the token of this serial.

    `made_up`: by a rehearsal, whose root is of its own making and says so. Raises CeremonyError ATTESTATION-REFUSED with all that is wrong.
    """
    problems = [*_problems_with_length(chain, table)] or [
        *_problems_with_links(chain, table, day),
        *_problems_with_root(chain[-1], table, made_up=made_up),
        *_problems_with_leaf(chain[0], table, public_key_der, None if made_up else token),
    ]
    if problems:
        raise _refused(problems)
    root = chain[-1]
    return Attested(name_text(chain[0].subject), _serial(chain[0], table.style), name_text(root.subject), _sha256(root))


def _refused(problems: Sequence[str]) -> CeremonyError:
    return CeremonyError("ATTESTATION-REFUSED", f"The attestation is refused: {'; '.join(problems)}.", state="Nothing of it was taken.")


def _sha256(certificate: x509.Certificate) -> str:
    return sha256_hex(certificate.public_bytes(Encoding.DER))


def _problems_with_length(chain: Sequence[x509.Certificate], table: AttestationTable) -> Iterator[str]:
    if len(chain) != table.certificates:
        yield f"it has {len(chain)} certificates, and the script says {table.certificates}"


def _problems_with_links(chain: Sequence[x509.Certificate], table: AttestationTable, day: dt.date) -> Iterator[str]:
    for place, certificate in enumerate(chain):
        name = shown_text(name_text(certificate.subject) or "a certificate without a name")
        if not certificate.not_valid_before_utc.date() <= day <= certificate.not_valid_after_utc.date():
            yield f"{name} does not hold on {day}"
        issuer = chain[min(place + 1, len(chain) - 1)]
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            yield f"{name} is not signed by {shown_text(name_text(issuer.subject))}"
        if place:
            yield from (f"{name} {problem}" for problem in _problems_with_issuer(certificate, place, table.style))


def _problems_with_issuer(certificate: x509.Certificate, place: int, style: Style) -> Iterator[str]:
    """RFC 5280, 6.1.4 (k) to (n). Yubico's devices may have a certificate of their own that says nothing of being a CA."""
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None:
        if place > 1 or style == "x509":
            yield "is not marked as a CA"
    elif not constraints.ca:
        yield "is marked as no CA"
    elif constraints.path_length is not None and constraints.path_length < place - 1:
        yield "may not have as many CAs below it"
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield "may sign no certificates"


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _problems_with_root(root: x509.Certificate, table: AttestationTable, *, made_up: bool) -> Iterator[str]:
    if made_up:
        if MADE_UP not in name_text(root.subject):
            yield "a root that a rehearsal made up does not say so"
    elif _sha256(root) != table.vendor_root:
        yield f"its root is {_sha256(root)}, and not the vendor's that the script names"


def _problems_with_leaf(leaf: x509.Certificate, table: AttestationTable, public_key_der: bytes, token: str | None) -> Iterator[str]:
    """`token` is the serial of the token with the key; None where a rehearsal has no device of the vendor's."""
    if leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_key_der:
        yield "it attests another key than the root's"
    if table.style == "x509":
        return
    serial = _serial(leaf, table.style)
    if not serial:
        yield "it names no device"
    elif table.style == "yubihsm2" and token is not None and token.lstrip("0") != serial:
        yield f"it is of the device {serial}, and the key is on the token {shown_text(token)}"
    if table.style == "yubihsm2":
        if _bits(leaf, f"{YUBIHSM}3") != GENERATED:
            yield "it does not say that the key was made on the device"
        capabilities = _bits(leaf, f"{YUBIHSM}5")
        if not capabilities or capabilities & ~SIGNING:
            yield "the key can do more than sign, or what it can do is not said"


def _serial(leaf: x509.Certificate, style: Style) -> str:
    place = {"x509": None, "yubihsm2": f"{YUBIHSM}2", "yubikey-piv": f"{YUBIKEY}7"}[style]
    content = _content(leaf, place, _INTEGER) if place else None
    return str(int.from_bytes(content, "big")) if content else ""


def _bits(leaf: x509.Certificate, oid: str) -> int | None:
    """A BIT STRING of whole octets as a number; None where there is none."""
    content = _content(leaf, oid, _BIT_STRING)
    return int.from_bytes(content[1:], "big") if content and content[0] == 0 else None


def _content(leaf: x509.Certificate, oid: str, tag: int) -> bytes | None:
    """The content of an extension that is one short DER element of this tag; None where it is not."""
    try:
        value = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value.public_bytes()
    except x509.ExtensionNotFound:
        return None
    return value[2:] if len(value) > 2 and value[0] == tag and value[1] == len(value) - 2 < 0x80 else None
