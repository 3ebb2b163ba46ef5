"""Verified bundles as `accept` gets them, with certificates of any kind: what no ceremony of ours would make."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.crossing.verified import CertificateOfBundle, VerifiedBundle
from ceremony.pki.names import parse_name
from ceremony.words import sha256_hex

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class Root:
    """A root with a key of its own; `rehearsal` marks its subject."""

    def __init__(self, *, rehearsal: bool = False, path_length: int | None = 1, ends: int = 3000) -> None:
        self.rehearsal = rehearsal
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = parse_name(f"CN={'REHEARSAL ' if rehearsal else ''}Made-up Root")
        self.certificate = self.certify(self.key.public_key(), self.name, path_length=path_length, ends=ends)

    def certify(
        self,
        public_key: CertificatePublicKeyTypes,
        subject: x509.Name,
        *,
        ca: bool = True,
        path_length: int | None = 0,
        signs: bool = True,
        usages: Sequence[x509.ObjectIdentifier] = (CLIENT,),
        begins: int = -10,
        ends: int = 1000,
    ) -> x509.Certificate:
        """A certificate of this root; its times are days from now."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + dt.timedelta(days=begins))
            .not_valid_after(NOW + dt.timedelta(days=ends))
            .add_extension(x509.BasicConstraints(ca, path_length if ca else None), True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, signs, signs, False, False), True)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        return builder.sign(self.key, hashes.SHA256())

    def bundle(self, *certificates: x509.Certificate, number: int = 1, earlier: Sequence[str] = ()) -> VerifiedBundle:
        """A verified bundle with these intermediates, by the names one, two, ..."""
        named = dict(zip(("one", "two", "three"), certificates, strict=False))
        root = _entry("root/made-up.cert.pem", self.certificate)
        return VerifiedBundle(
            path=Path("/bundle"),
            fingerprint=sha256_hex(b"".join(certificate.public_bytes(Encoding.DER) for certificate in certificates) + bytes([number])),
            ceremony="0" * 32,
            number=number,
            rehearsal=self.rehearsal,
            label="made-up",
            root=root,
            root_fingerprint=sha256_hex(root.der),
            intermediates={name: _entry(f"intermediates/{name}.cert.pem", certificate) for name, certificate in named.items()},
            proofs={},
            earlier=tuple(earlier),
        )


def _entry(path: str, certificate: x509.Certificate) -> CertificateOfBundle:
    pem = certificate.public_bytes(Encoding.PEM)
    return CertificateOfBundle(path, sha256_hex(pem), pem, certificate)
