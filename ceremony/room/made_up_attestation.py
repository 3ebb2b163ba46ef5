"""What a rehearsal makes up in place of a vendor's attestation: a root, devices and a leaf of its own, as long as the script says."""

import datetime as dt
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ceremony.pki.attestation import GENERATED, MADE_UP, SIGNING, YUBIHSM, YUBIKEY, AttestationTable
from ceremony.pki.names import parse_name

_ALWAYS = (dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2099, 12, 31, tzinfo=dt.UTC))


def make_up_chain(public_key_der: bytes, table: AttestationTable | None, token: str) -> list[x509.Certificate]:
    """A chain that holds, leaf first, for this key on the token of this serial; the keys above it are dropped."""
    if table is None:
        raise ValueError("a chain is made up for a script that names none")
    names = [f"CN={MADE_UP}", *(f"CN=REHEARSAL device {number}" for number in range(1, table.certificates - 1))]
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in names]
    chain = [_issued(names[0], names[0], keys[0].public_key(), keys[0], ca=True)]
    for (issuer, key), (name, own) in pairwise(zip(names, keys, strict=True)):
        chain.insert(0, _issued(name, issuer, own.public_key(), key, ca=True))
    attested = load_der_public_key(public_key_der)
    leaf = _issued("CN=REHEARSAL attestation", names[-1], attested, keys[-1], ca=False, says=_says(table, token))  # type: ignore[arg-type]  # a root's key
    return [leaf, *chain]


def _says(table: AttestationTable, token: str) -> dict[str, bytes]:
    """Yubico's extensions, each one short DER element. A token whose serial is no number has the device 1 vouch for it."""
    serial = int(token) if token.isdecimal() else 1
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    number = bytes([0x02, len(octets)]) + octets
    if table.style == "yubihsm2":
        able = SIGNING.to_bytes(8, "big")
        return {f"{YUBIHSM}2": number, f"{YUBIHSM}3": bytes([0x03, 2, 0, GENERATED]), f"{YUBIHSM}5": bytes([0x03, 9, 0]) + able}
    return {f"{YUBIKEY}7": number} if table.style == "yubikey-piv" else {}


def _issued(
    name: str,
    issuer: str,
    public_key: CertificatePublicKeyTypes,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
    says: dict[str, bytes] | None = None,
) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(parse_name(name)).issuer_name(parse_name(issuer)).public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(_ALWAYS[0]).not_valid_after(_ALWAYS[1])
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    for oid, value in (says or {}).items():
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=False)
    return builder.sign(key, hashes.SHA256())
