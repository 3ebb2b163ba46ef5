"""A vendor's attestation holds whole, for this key, on this device, on this day, by the pinned root, or is refused with the reason."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.errors import CeremonyError
from ceremony.pki.attestation import GENERATED, SIGNING, YUBIHSM, YUBIKEY, AttestationTable, Attested, attested, chain_pem, read_chain
from ceremony.room.made_up_attestation import make_up_chain
from ceremony.words import sha256_hex

DAY = dt.date(2026, 12, 1)
ROOT_KEY = ec.generate_private_key(ec.SECP384R1())
SPKI = ROOT_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SERIAL = b"\x02\x03\x73\x33\xf6"
SAYS = {"2": SERIAL, "3": bytes([3, 2, 0, GENERATED]), "5": bytes([3, 9, 0]) + SIGNING.to_bytes(8, "big")}
TOKEN = "07549942"


class Vendor:
    """A root, a CA and a device of its own, which certify on demand; each part of each certificate can be spoilt."""

    def __init__(self) -> None:
        self.keys: list[Any] = [rsa.generate_private_key(65537, 2048), *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2))]

    def chain(self, leaf: Any = None, device: Any = None, ca: Any = None) -> list[x509.Certificate]:
        """Leaf, device, CA and root."""
        root = issued("root", "root", self.keys[0].public_key(), self.keys[0])
        middle = issued("ca", "root", self.keys[1].public_key(), self.keys[0], **(ca or {}))
        unit = issued("device", "ca", self.keys[2].public_key(), self.keys[1], **(device or {}))
        says = {f"{YUBIHSM}{number}": value for number, value in SAYS.items()}
        attestation = {"constraints": None, "says": says, **(leaf or {})}
        return [issued("leaf", "device", attestation.pop("key", ROOT_KEY.public_key()), self.keys[2], **attestation), unit, middle, root]


def issued(
    name: str, issuer: str, public_key: Any, key: Any, *, constraints: Any = x509.BasicConstraints(ca=True, path_length=None),  # noqa: B008
    usage: bool | None = None, until: int = 2071, says: dict[str, bytes] | None = None,
) -> x509.Certificate:  # fmt: skip
    named = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    builder = x509.CertificateBuilder().subject_name(named[0]).issuer_name(named[1]).public_key(public_key)
    builder = builder.serial_number(1).not_valid_before(dt.datetime(2017, 1, 1)).not_valid_after(dt.datetime(until, 1, 1))
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    if usage is not None:
        flags = (True, False, False, False, False, usage, False, False, False)
        builder = builder.add_extension(x509.KeyUsage(*flags), critical=True)
    for oid, value in (says or {}).items():
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=False)
    return builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return Vendor()


def table(chain: list[x509.Certificate], style: Any = "yubihsm2", certificates: int = 4) -> AttestationTable:
    return AttestationTable(vendor_root=sha256_hex(chain[-1].public_bytes(Encoding.DER)), certificates=certificates, style=style)


def of(chain: list[x509.Certificate], style: Any = "yubihsm2", token: str = TOKEN, **more: Any) -> Attested:
    return attested(read_chain(chain_pem(chain)), table(chain, style, **more), SPKI, DAY, token)


def refused(call: Callable[..., Any], *args: Any, **more: Any) -> str:
    with pytest.raises(CeremonyError) as caught:
        call(*args, **more)
    assert (caught.value.code, caught.value.exit_code) == ("ATTESTATION-REFUSED", 7)
    return caught.value.what


def test_a_chain_that_holds_names_device_and_root(vendor: Vendor) -> None:
    chain = vendor.chain()
    found = of(chain)
    assert (found.serial, found.root_subject, found.subject) == ("7549942", "CN=root", "CN=leaf")
    assert found.root_sha256 == sha256_hex(chain[-1].public_bytes(Encoding.DER))
    assert of(chain, "x509", token="any").serial == ""
    assert of(vendor.chain({"says": {f"{YUBIKEY}7": SERIAL}}), "yubikey-piv", token="any").serial == "7549942"
    # Yubico's devices may have a certificate of their own that does not say whether it is a CA's
    assert of(vendor.chain(device={"constraints": None})).serial == "7549942"


OTHER = ec.generate_private_key(ec.SECP384R1()).public_key()
NO_CA = x509.BasicConstraints(ca=False, path_length=None)
EXPORTABLE = bytes([3, 9, 0]) + (SIGNING | 1 << 16).to_bytes(8, "big")


def leaf(**says: bytes) -> dict[str, Any]:
    numbers = {"serial": "2", "origin": "3", "able": "5"}
    told = SAYS | {numbers[name]: value for name, value in says.items()}
    return {"says": {f"{YUBIHSM}{number}": value for number, value in told.items() if value}}


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"leaf": {"key": OTHER}}, "another key than the root's"),
        ({"leaf": {"until": 2020}}, "does not hold on 2026-12-01"),
        ({"ca": {"until": 2020}}, "does not hold on 2026-12-01"),
        ({"device": {"constraints": NO_CA}}, "marked as no CA"),
        ({"ca": {"constraints": None}}, "not marked as a CA"),
        ({"ca": {"constraints": x509.BasicConstraints(ca=True, path_length=0)}}, "as many CAs below it"),
        ({"ca": {"usage": False}}, "may sign no certificates"),
        ({"leaf": leaf(origin=bytes([3, 2, 0, 2]))}, "made on the device"),
        ({"leaf": leaf(origin=bytes([3, 2, 0, 0x11]))}, "made on the device"),
        ({"leaf": leaf(origin=b"")}, "made on the device"),
        ({"leaf": leaf(able=EXPORTABLE)}, "more than sign"),
        ({"leaf": leaf(able=b"")}, "more than sign"),
        ({"leaf": leaf(serial=b"\x02\x01\x05")}, "of the device 5"),
        ({"leaf": leaf(serial=b"")}, "names no device"),
    ],
)
def test_what_does_not_hold_is_refused(vendor: Vendor, spoilt: dict[str, Any], why: str) -> None:
    assert why in refused(of, vendor.chain(**spoilt))


def test_another_vendor_a_mixed_chain_and_one_out_of_order(vendor: Vendor) -> None:
    chain, others = vendor.chain(), Vendor().chain()
    assert "not the vendor's" in refused(attested, others, table(chain), SPKI, DAY, TOKEN)
    assert "is not signed by" in refused(attested, [*others[:-1], chain[-1]], table(chain), SPKI, DAY, TOKEN)
    assert "is not signed by" in refused(of, [chain[0], chain[2], chain[1], chain[3]])
    assert "is not marked as a CA" in refused(of, vendor.chain(device={"constraints": None}), "x509")


def test_a_key_that_the_vendor_attested_attests_none_of_its_own(vendor: Vendor) -> None:
    """Whoever has a key on a device of this vendor's can sign a certificate that looks like an attestation: the chain is then longer."""
    mine = ec.generate_private_key(ec.SECP256R1())
    chain = vendor.chain({"key": mine.public_key()})
    forged = [issued("leaf", "leaf", ROOT_KEY.public_key(), mine, constraints=None, says=leaf()["says"]), *chain]
    assert "5 certificates, and the script says 4" in refused(of, forged)
    assert "is not signed by" in refused(of, [forged[0], *chain[1:]])


def test_what_is_no_chain(vendor: Vendor) -> None:
    whole = chain_pem(vendor.chain())
    for pem in (b"", b"no certificate", whole.replace(b"MII", b"MIJ", 1), bytes(70000)):
        refused(read_chain, pem)
    # what stands beside certificates is left behind, and no private key with it
    assert chain_pem(read_chain(b"-- notes --\n" + whole)) == whole


@pytest.mark.parametrize("style", ["x509", "yubihsm2", "yubikey-piv"])
@pytest.mark.parametrize("certificates", [2, 4, 6])
def test_a_rehearsal_makes_up_a_chain_that_says_so_and_holds_nowhere_else(style: Any, certificates: int) -> None:
    of_script = AttestationTable(vendor_root="0" * 64, certificates=certificates, style=style)
    chain = make_up_chain(SPKI, of_script, "a1b2c3")
    assert "REHEARSAL" in attested(chain, of_script, SPKI, DAY, "a1b2c3", made_up=True).root_subject
    assert "not the vendor's" in refused(attested, chain, of_script, SPKI, DAY, "a1b2c3")


def test_a_vendors_chain_does_not_pass_for_a_made_up_one(vendor: Vendor) -> None:
    chain = vendor.chain()
    assert "does not say so" in refused(attested, chain, table(chain), SPKI, DAY, TOKEN, made_up=True)
