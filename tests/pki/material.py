"""Software keys and certificates for the tests of ceremony.pki. The keys are made once in a run."""

import datetime as dt
import subprocess
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ceremony.pki.crl import CrlDraft
from ceremony.pki.draft import Draft, draft_certificate
from ceremony.pki.names import parse_name
from ceremony.pki.profiles import CertificateProfile, ProfileTable, RootTable, intermediate_profile, proof_profile, root_profile
from ceremony.pki.signatures import hash_of

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KEYS = ("ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "rsa:3072", "rsa:4096")
DAY = dt.date(2026, 11, 24)
CODE = "3F8A" * 12
ROOT_TABLE = RootTable(
    subject="CN=Example Devices Root CA G1,O=Example,C=NO",
    key="ec:secp384r1",
    label="example-root-g1",
    not_after=dt.datetime(2046, 11, 19, tzinfo=dt.UTC),
)
FACTORY = ProfileTable(not_after=dt.datetime(2031, 11, 19, tzinfo=dt.UTC), extended_key_usage=("clientAuth",), subject="CN=*,O=Example")
SERIAL = 0x4A3FCE235DC0C4E9838B45F839F766ADACA62EB9


@cache
def private_key(name: str, number: int = 0) -> PrivateKey:
    """A key of this kind; another number is another key."""
    kind, _, size = name.partition(":")
    if kind == "rsa":
        return rsa.generate_private_key(65537, int(size))
    curves: dict[str, type[ec.EllipticCurve]] = {curve.name: curve for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)}
    return ec.generate_private_key(curves[size]())


def spki(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signature_of(key: PrivateKey, draft: Draft | CrlDraft) -> bytes:
    hashed = hash_of(draft.algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(draft.to_be_signed, padding.PKCS1v15(), hashed)
    return key.sign(draft.to_be_signed, ec.ECDSA(hashed))


def issue(profile: CertificateProfile, subject: PrivateKey, issuer: PrivateKey, serial: int = SERIAL) -> bytes:
    draft = draft_certificate(profile, spki(subject), spki(issuer), serial)
    return draft.signed_with(signature_of(issuer, draft))


def root_of(name: str) -> RootTable:
    """The root's table for another kind of key."""
    return RootTable(subject=ROOT_TABLE.subject, key=name, label=ROOT_TABLE.label, not_after=ROOT_TABLE.not_after)  # type: ignore[arg-type]  # the names in KEYS are KeyName's


@cache
def root(name: str = "ec:secp384r1") -> bytes:
    """A root certificate (DER) of this kind of key."""
    key = private_key(name)
    return issue(root_profile(root_of(name), DAY, False), key, key)


def alpha(root_der: bytes) -> CertificateProfile:
    return intermediate_profile(FACTORY, parse_name("CN=alpha.1,O=Example"), root_der, DAY)


def proof(root_der: bytes) -> CertificateProfile:
    return proof_profile(CODE, root_der, DAY)


def pem(certificate_der: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate_der).public_bytes(Encoding.PEM)


def openssl(*arguments: str | Path, stdin: bytes | None = None) -> str:
    """What openssl prints; it must succeed."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
