"""The simulator's own TLS certificate and the root that vouches for it, made for each folder. No ceremony knows of them."""

import ipaddress
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK_ADDRESSES = (*(f"127.0.0.{last}" for last in range(1, 10)), "::1")
"""Those that the certificate always names: of the service and of up to eight hubs."""
_LIFETIME = timedelta(days=3650)


class Identity(NamedTuple):
    """Paths of three PEM files: the root that clients trust, the server's certificate, its key (0600)."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def make_identity(folder: Path, addresses: Iterable[str] = ()) -> Identity:
    """The identity of this folder; made if it is not there, and anew, root and all, if it does not name all of `addresses`.

    Raises OSError.
    """
    identity = Identity(folder / "simulator-ca.pem", folder / "simulator-server.pem", folder / "simulator-server.key")
    wanted = {str(ipaddress.ip_address(address)) for address in (*LOOPBACK_ADDRESSES, *addresses)}
    if all(path.exists() for path in identity) and wanted <= _named(identity.certificate_file):
        return identity
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("root-ceremony simulator TLS root")
    ca = _certificate(ca_name, ca_key, ca_name, ca_key, is_ca=True)
    server = _certificate(_name("localhost"), key, ca_name, ca_key, is_ca=False, addresses=wanted)
    identity.ca_file.write_bytes(ca.public_bytes(Encoding.PEM))
    identity.certificate_file.write_bytes(server.public_bytes(Encoding.PEM))
    descriptor = os.open(identity.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return identity


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _named(certificate_file: Path) -> set[str]:
    """The addresses that the certificate names; none when it can't be read."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return set()
    return {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
    addresses: Iterable[str] = (),
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
        names = [x509.IPAddress(ipaddress.ip_address(address)) for address in sorted(addresses)]
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    return builder.sign(issuer_key, hashes.SHA256())
