"""Certificates for the simulator's tests: roots, intermediates, devices, proofs, with any dates."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)


class Issued(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def issue(
    common_name: str,
    issuer: Issued | None = None,
    *,
    is_ca: bool = False,
    path_length: int | None = None,
    begins: timedelta = timedelta(days=-2),
    ends: timedelta = timedelta(days=300),
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> Issued:
    """A certificate of a new key, P-256; its own issuer when none is given. The times count from now; `purpose` is of one that is no CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(is_ca, path_length), True)
        .add_extension(x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
    )
    if not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
    return Issued(builder.sign(issuer_key, hashes.SHA256()), key)


def root(name: str = "Simulated Root") -> Issued:
    """The one root of this name in this run."""
    return _root(name)


def intermediate(name: str, of: str = "Simulated Root") -> Issued:
    """The one intermediate of this name under this root, in this run."""
    return _intermediate(name, of)


# The caches are apart: a default that is left out and the same one given are two keys.
@cache
def _root(name: str) -> Issued:
    return issue(name, is_ca=True, ends=timedelta(days=3000))


@cache
def _intermediate(name: str, of: str) -> Issued:
    return issue(name, _root(of), is_ca=True, path_length=0, ends=timedelta(days=1000))


def device(name: str, issuer: Issued) -> Issued:
    return issue(name, issuer)


def write_chain(folder: Path, name: str, leaf: Issued, above: Sequence[Issued] = ()) -> tuple[Path, Path]:
    """Files of a device: its chain (leaf first) and its key, PEM."""
    chain, key = folder / f"{name}.chain.pem", folder / f"{name}.key.pem"
    chain.write_text("".join(issued.pem for issued in (leaf, *above)))
    key.write_bytes(leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, key
