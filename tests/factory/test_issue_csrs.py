"""Devices that keep their keys: what requests give, and what they are refused for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509.oid import NameOID

from ceremony.factory.folder import Accepted
from ceremony.factory.issuer_key import open_issuer_key
from tests.e2e.commands import refused
from tests.e2e.openssl import extensions, hostile_csr, openssl
from tests.factory.given import PASSPHRASE
from tests.factory.issuing import accepted_in_file, check_whole, entries, history, issued, summary


def request(
    common_name: str | None, key: CertificateIssuerPrivateKeyTypes | None = None, *, ca: bool = False, more: str = ""
) -> x509.CertificateSigningRequest:
    """A request; without a common name its subject is empty."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, more)] if more else []
    names += [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder(x509.Name(names))
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


def pem(made: x509.CertificateSigningRequest) -> bytes:
    return made.public_bytes(Encoding.PEM)


class Line(NamedTuple):
    """An intermediate, and the folder that its devices put requests into."""

    accepted: Accepted
    requests: Path
    out: Path

    def put(self, name: str, octets: bytes) -> None:
        (self.requests / name).write_bytes(octets)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    (tmp_path / "csrs").mkdir()
    return Line(accepted_in_file(tmp_path / "alpha"), tmp_path / "csrs", tmp_path / "out")


def test_keys_of_the_devices_in_every_form_that_a_request_comes_in(line: Line, tmp_path: Path) -> None:
    big: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {"p384": ec.generate_private_key(ec.SECP384R1())}
    big["rsa"] = rsa.generate_private_key(65537, 2048)
    line.put("p256.csr.pem", pem(request("p256")))
    line.put("p384.csr", pem(request("p384", big["p384"])))
    line.put("rsa.PEM", pem(request("rsa", big["rsa"])))
    line.put("empty%3Asubject.der", request(None).public_bytes(Encoding.DER))
    line.put("Raw:Name.csr.der", request("Raw:Name").public_bytes(Encoding.DER))
    assert summary(issued(line.accepted, line.out, "--csrs", line.requests, "--json"))["made"] == 5
    rows, ids = entries(line.out), ["p256", "p384", "rsa", "empty:subject", "Raw:Name"]
    made = check_whole(line.out, line.accepted, ids, own_keys=False)
    leaves = {row["registration_id"]: leaf for row, leaf in zip(rows, made, strict=True)}
    assert {row["key_source"] for row in rows} == {"request"}
    assert all(leaves[name].public_key() == key.public_key() for name, key in big.items())
    assert not list(line.out.rglob("*.key.pem"))
    # The same order once more has nothing to do.
    assert summary(issued(line.accepted, line.out, "--csrs", line.requests, "--json"))["made"] == 0


def test_what_a_request_asks_for_is_not_copied(line: Line, tmp_path: Path) -> None:
    """openssl asks for all that it can, but to be a CA, which is refused."""
    hostile = hostile_csr(tmp_path / "x.pem", "dev-1")
    config = hostile.with_suffix(".cnf")
    config.write_text(config.read_text().replace("critical,CA:TRUE,pathlen:5", "CA:FALSE").replace("O = Example\n", ""))
    openssl("req", "-new", "-config", config, "-key", hostile.with_suffix(".key"), "-out", line.requests / "dev-1.csr.pem")
    summary(issued(line.accepted, line.out, "--csrs", line.requests, "--json"))
    [row] = entries(line.out)
    assert [text.strip() for text in extensions(line.out / row["chain"]).splitlines()] == [
        "X509v3 extensions:",
        "X509v3 Basic Constraints: critical", "CA:FALSE",
        "X509v3 Key Usage: critical", "Digital Signature",
        "X509v3 Extended Key Usage:", "TLS Web Client Authentication",
        "X509v3 Subject Key Identifier:", "<key>",
        "X509v3 Authority Key Identifier:", "<key>",
    ]  # fmt: skip


def _with_bad_signature() -> bytes:
    octets = bytearray(request("bad").public_bytes(Encoding.DER))
    octets[-1] ^= 1
    return bytes(octets)


def _key_file() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "ca.csr": (lambda: pem(request("ca", ca=True)), "it asks to be a CA"),
    "one.csr": (lambda: pem(request("another")), "it asks for another name than its file's: CN=another"),
    "case.csr": (lambda: pem(request("CASE")), "it asks for another name than its file's: CN=CASE"),
    "more.csr": (lambda: pem(request("more", more="Example")), "it asks for another name than its file's: CN=more,O=Example"),
    "escape.csr": (lambda: pem(request("escape\x1b[2J")), "it asks for another name than its file's: CN=escape\\u{1B}[2J"),
    "weak.csr": (lambda: pem(request("weak", rsa.generate_private_key(65537, 1024))), "an RSA key of 1024 bits is not taken"),
    "p521.csr": (lambda: pem(request("p521", ec.generate_private_key(ec.SECP521R1()))), "a key ec:secp521r1 is not taken"),
    "exponent.csr": (lambda: pem(request("exponent", rsa.generate_private_key(3, 2048))), "its exponent 0x3 is not over 2^16"),
    "bad.der": (_with_bad_signature, "(CSR-SIGNATURE)"),
    "key.pem": (_key_file, "the file holds a private key"),
    "two.pem": (lambda: 2 * pem(request("two")), "not one PEM block"),
    "empty.csr": (bytes, "not one PEM block"),
    "text.csr": (lambda: b"hello", "cannot be read"),
    "large.csr": (lambda: b"x" * 65537, "has more than 65536 bytes"),
    "notes.txt": (lambda: b"", "does not end with one of"),
    "bad id.csr": (lambda: pem(request("bad id")), "has characters other than"),
    ".csr": (lambda: pem(request(None)), "is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_requests_that_are_refused(line: Line, name: str) -> None:
    make, why = BAD[name]
    line.put(name, make())
    line.put("good.csr.pem", pem(request("good")))
    told = refused(issued(line.accepted, line.out, "--csrs", line.requests), 7, "FACTORY-CSRS")
    assert "1 of the requests are refused" in told and name in told and why in told
    assert not line.out.exists()


def test_what_is_no_file_of_its_own_is_refused_and_all_is_told_at_once(line: Line) -> None:
    line.put("good.csr.pem", pem(request("good")))
    (line.requests / "link.csr").symlink_to("good.csr.pem")
    (line.requests / "folder.csr").mkdir()
    os.mkfifo(line.requests / "pipe.csr")
    told = refused(issued(line.accepted, line.out, "--csrs", line.requests), 7, "FACTORY-CSRS")
    assert "3 of the requests" in told and "link.csr: is a link" in told and "folder.csr: is not a file" in told and "pipe.csr" in told
    refused(issued(line.accepted, line.out, "--csrs", line.requests / "none"), 7, "FACTORY-CSRS")


def test_keys_that_have_another_place_are_refused(line: Line, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    line.put("one.csr", pem(request("one", key)))
    line.put("two.csr", pem(request("two", key)))
    assert "has the same key as" in refused(issued(line.accepted, line.out, "--csrs", line.requests), 7, "FACTORY-CSRS")
    (line.requests / "two.csr").unlink()
    with open_issuer_key(line.accepted.factory, bytearray(PASSPHRASE.encode())) as issuer:
        own = load_der_private_key(issuer.pkcs8(), None)  # type: ignore[union-attr]  # it is in a file
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    line.put("three.csr", pem(request("three", own)))
    assert "the key of the intermediate" in refused(issued(line.accepted, line.out, "--csrs", line.requests), 7, "FACTORY-CSRS")
    (line.requests / "three.csr").unlink()
    summary(issued(line.accepted, line.out, "--csrs", line.requests, "--days", "30", "--json"))
    # A key that has a certificate in this folder, under another name and under its own.
    (line.requests / "one.csr").unlink()
    line.put("four.csr", pem(request("four", key)))
    told = refused(issued(line.accepted, line.out, "--csrs", line.requests), 7, "FACTORY-ID-TAKEN")
    assert "'four' has the key of 'one'" in told
    refused(issued(line.accepted, line.out, "--csrs", line.requests, "--renew", "31"), 7, "FACTORY-ID-TAKEN")
    (line.requests / "four.csr").unlink()
    line.put("one.csr.pem", pem(request("one", key)))
    line.put("five.csr", pem(request("five")))
    assert "'one' has a certificate until" in refused(issued(line.accepted, line.out, "--csrs", line.requests), 7, "FACTORY-ID-TAKEN")
    # Renewal is asked for: the same key again, for the same id alone.
    assert summary(issued(line.accepted, line.out, "--csrs", line.requests, "--renew", "31", "--json"))["made"] == 2
    found = [(registration_id, status) for registration_id, _, status in history(line.out)]
    assert found[0] == ("one", "superseded") and sorted(found[1:]) == [("five", "issued"), ("one", "issued")]
