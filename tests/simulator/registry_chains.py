"""Chains for an issuing CA of Azure Device Registry: one that is taken, and one for each demand that it breaks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
_USAGES = {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@cache
def root_key(kind: str = "ec") -> Any:
    return rsa.generate_private_key(65537, 3072) if kind == "rsa" else ec.generate_private_key(ec.SECP384R1())


@dataclass(frozen=True)
class Ca:
    """All of a CA certificate that a demand is about."""

    subject: x509.Name
    path_length: int | None
    public_key: Any = None
    signed_by: str = "ec"
    hashed: Any = field(default_factory=hashes.SHA384)
    is_ca: bool = True
    critical: bool = True
    usages: dict[str, bool] = field(default_factory=lambda: dict(_USAGES))
    extended: tuple[x509.ObjectIdentifier, ...] = ()
    has_identifier: bool = True
    begins: timedelta = timedelta(days=-1)
    ends: timedelta = timedelta(days=1825)

    def made(self, issuer: x509.Name) -> x509.Certificate:
        signing = root_key(self.signed_by)
        key = self.public_key or signing.public_key()
        none = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        usage = x509.KeyUsage(**none, **self.usages, encipher_only=False, decipher_only=False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + self.begins)
            .not_valid_after(NOW + self.ends)
            .add_extension(x509.BasicConstraints(self.is_ca, self.path_length if self.is_ca else None), self.critical)
            .add_extension(usage, True)
        )
        if self.extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.extended), False)
        if self.has_identifier:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        return builder.sign(signing, self.hashed)


ROOT = Ca(named("Example Root"), 1, ends=timedelta(days=7300))
_CA = Callable[[Ca], Ca]
_SAME: _CA = lambda ca: ca  # noqa: E731 - a table of changes reads best as one

BROKEN: dict[str, tuple[_CA, _CA]] = {
    "RSA root": (lambda ca: replace(ca, signed_by="rsa"), lambda ca: replace(ca, signed_by="rsa")),
    "root without path length": (lambda ca: replace(ca, path_length=None), _SAME),
    "root of path length 2": (lambda ca: replace(ca, path_length=2), _SAME),
    "root with 364 days left": (lambda ca: replace(ca, ends=timedelta(days=364, hours=23)), _SAME),
    "root whose usage lacks digitalSignature": (lambda ca: replace(ca, usages={**_USAGES, "digital_signature": False}), _SAME),
    "root without identifier": (lambda ca: replace(ca, has_identifier=False), _SAME),
    "root not valid yet": (lambda ca: replace(ca, begins=timedelta(days=1)), _SAME),
    "root for servers": (lambda ca: replace(ca, extended=(ExtendedKeyUsageOID.SERVER_AUTH,)), _SAME),
    "constraints not critical": (_SAME, lambda ca: replace(ca, critical=False)),
    "no CA": (_SAME, lambda ca: replace(ca, is_ca=False)),
    "usage lacks cRLSign": (_SAME, lambda ca: replace(ca, usages={**_USAGES, "crl_sign": False})),
    "extended usage lacks clientAuth": (_SAME, lambda ca: replace(ca, extended=(ExtendedKeyUsageOID.SERVER_AUTH,))),
    "no identifier": (_SAME, lambda ca: replace(ca, has_identifier=False)),
    "not valid yet": (_SAME, lambda ca: replace(ca, begins=timedelta(hours=1))),
    "364 days left": (_SAME, lambda ca: replace(ca, ends=timedelta(days=364, hours=23))),
    "another subject": (_SAME, lambda ca: replace(ca, subject=named("Somebody else"))),
    "RSA key": (_SAME, lambda ca: replace(ca, public_key=root_key("rsa").public_key())),
    "a curve that is not taken": (_SAME, lambda ca: replace(ca, public_key=ec.generate_private_key(ec.SECP224R1()).public_key())),
}  # fmt: skip
"""By what is wrong: what changes in the root, and in the issuing CA's certificate."""


def chain_for(
    csr: x509.CertificateSigningRequest, of_root: _CA = _SAME, of_ca: _CA = _SAME
) -> tuple[x509.Certificate, x509.Certificate]:
    """The issuing CA's certificate for this CSR and its root, as changed."""
    root, issuing_ca = of_root(ROOT), of_ca(Ca(csr.subject, 0, csr.public_key()))
    return issuing_ca.made(root.subject), root.made(root.subject)


def pem_of(*chain: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain)
