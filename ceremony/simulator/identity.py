"""The simulator's own TLS certificate and the root that vouches for it, made for each folder. No ceremony knows of them."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK_ADDRESSES = (*(f"127.0.0.{last}" for last in range(1, 10)), "::1")
"""Those that the certificate names: of the service and of up to eight hubs."""
_LIFETIME = timedelta(days=3650)


class Identity(NamedTuple):
    """Paths of three PEM files: the root that clients trust, the server's certificate, its key (0600)."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def make_identity(folder: Path) -> Identity:
    """The identity of this folder; made if it is not there. Raises OSError."""
    identity = Identity(folder / "simulator-ca.pem", folder / "simulator-server.pem", folder / "simulator-server.key")
    if all(path.exists() for path in identity):
        return identity
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("root-ceremony simulator TLS root")
    ca = _certificate(ca_name, ca_key, ca_name, ca_key, is_ca=True)
    server = _certificate(_name("localhost"), key, ca_name, ca_key, is_ca=False)
    identity.ca_file.write_bytes(ca.public_bytes(Encoding.PEM))
    identity.certificate_file.write_bytes(server.public_bytes(Encoding.PEM))
    descriptor = os.open(identity.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return identity


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, *, is_ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(is_ca, None), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
    )
    if not is_ca:
        addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in LOOPBACK_ADDRESSES]
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    return builder.sign(issuer_key, hashes.SHA256())
