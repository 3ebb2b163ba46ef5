"""Roots, intermediates and devices for the device side of the simulator, and a state that knows them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.simulator.state import DpsState, EnrollmentGroup, UploadedCertificate

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
"""The clock of the tests: far from this machine's, so that a check by the wrong clock shows."""


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def issued(
    common_name: str,
    issuer: Holder | None = None,
    *,
    is_ca: bool = False,
    path_length: int | None = None,
    days: int = 365,
    start: datetime = NOW - timedelta(days=1),
    key: ec.EllipticCurvePrivateKey | None = None,
    names: int = 1,
) -> Holder:
    """A certificate of `issuer`, or of its own when that is None. `names` is how often the CN stands in it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] * names)
    signer = issuer or Holder(None, key)  # type: ignore[arg-type]  # its own issuer has no certificate yet
    usage = x509.KeyUsage(True, False, False, False, False, is_ca, is_ca, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_ca, path_length), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), False)
    )
    if not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    return Holder(builder.sign(signer.key, hashes.SHA256()), key)


@dataclass
class Factory:
    """A root, two intermediates of it, and the state of a service where the root is verified and each intermediate has a group."""

    root: Holder
    alpha: Holder
    beta: Holder
    state: DpsState

    def device(self, name: str, intermediate: Holder | None = None, **details: Any) -> tuple[Holder, list[bytes]]:
        """A device of an intermediate (alpha unless said), and the chain it sends."""
        above = intermediate or self.alpha
        leaf = issued(name, above, **details)
        return leaf, [leaf.der, above.der]


def factory(**details: Any) -> Factory:
    """A new factory; `details` are the state's."""
    root = issued("Root G1", is_ca=True, path_length=1, days=7000)
    alpha, beta = (issued(name, root, is_ca=True, path_length=0, days=2000) for name in ("alpha.1", "beta.1"))
    made = Factory(root, alpha, beta, DpsState(clock=lambda: NOW, **details))
    upload(made.state, "root-g1", root)
    enroll(made.state, "alpha.1", alpha)
    enroll(made.state, "beta.1", beta)
    return made


def upload(state: DpsState, name: str, holder: Holder, *, is_verified: bool = True) -> None:
    """A CA certificate of the service."""
    state.certificates[name] = UploadedCertificate(name, holder.der, is_verified, NOW, NOW)


def enroll(state: DpsState, group_id: str, *signing: Holder, roots: tuple[str, ...] = (), **record: Any) -> EnrollmentGroup:
    """An enrollment group of these intermediates, or of uploaded roots by name."""
    record = {"enrollmentGroupId": group_id, "provisioningStatus": "enabled", **record}
    group = EnrollmentGroup(group_id, record, NOW, NOW, tuple(holder.der for holder in signing), roots)
    state.groups[group_id] = group
    return group


def disable(state: DpsState, group_id: str) -> None:
    """As an operator does in an emergency."""
    state.groups[group_id].record["provisioningStatus"] = "disabled"


def written(folder: Path, name: str, leaf: Holder, *above: Holder) -> tuple[Path, Path]:
    """PEM files of the chain (leaf first) and of the leaf's key."""
    chain_file, key_file = folder / f"{name}.chain.pem", folder / f"{name}.key.pem"
    chain_file.write_bytes(b"".join(holder.pem for holder in (leaf, *above)))
    key_file.write_bytes(leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain_file, key_file
