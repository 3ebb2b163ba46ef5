"""A device's files, read before anything is sent."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from ceremony.device.identity import (
    LARGEST_FILE,
    Identity,
    needs_passphrase,
    read_identity,
    refuse_rehearsal_elsewhere,
    registration_id_of,
)
from ceremony.errors import CeremonyError
from tests.simulator.chains import Issued, device, intermediate, issue, root, write_chain

A = intermediate("A")
LEAF = device("dev-1", A)
PKCS8, OLD = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


def key_pem(issued: Issued, form: PrivateFormat = PKCS8, passphrase: bytes | None = None) -> bytes:
    return issued.key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(passphrase) if passphrase else NoEncryption())


def read(folder: Path, chain: bytes, key: bytes, passphrase: bytes | None = None) -> Identity:
    (folder / "chain.pem").write_bytes(chain)
    return read_identity(folder / "chain.pem", folder / "key.pem", key, bytearray(passphrase) if passphrase else None)


CHAIN = (LEAF.pem + A.pem).encode()


@pytest.mark.parametrize("form", [PKCS8, OLD])
def test_keys_in_both_forms_encrypted_or_not(tmp_path: Path, form: PrivateFormat):
    assert not needs_passphrase(key_pem(LEAF, form))
    assert needs_passphrase(key_pem(LEAF, form, b"word"))
    for key, passphrase in ((key_pem(LEAF, form), None), (key_pem(LEAF, form, b"word"), b"word")):
        found = read(tmp_path, CHAIN, key, passphrase)
        assert [certificate.subject for certificate in found.certificates] == [LEAF.certificate.subject, A.certificate.subject]
        assert registration_id_of(found, None) == "dev-1"


def test_text_and_line_ends_around_the_certificates_do_not_matter(tmp_path: Path):
    windows = b"subject=dev-1\r\n" + CHAIN.replace(b"\n", b"\r\n") + b"\r\nthe end"
    assert len(read(tmp_path, windows, key_pem(LEAF)).certificates) == 2


@pytest.mark.parametrize(
    ("chain", "key", "passphrase", "code", "says"),
    [
        (CHAIN, key_pem(A), None, "DEVICE-KEY-DIFFERS", "it is that of number 2"),
        ((A.pem + LEAF.pem).encode(), key_pem(LEAF), None, "DEVICE-KEY-DIFFERS", "it is that of number 2"),
        (CHAIN, key_pem(root()), None, "DEVICE-KEY-DIFFERS", "nor of any other there"),
        (CHAIN, key_pem(LEAF, PKCS8, b"word"), b"wrong", "PASSPHRASE-WRONG", "does not open"),
        (LEAF.der, key_pem(LEAF), None, "DEVICE-CERTIFICATE-BROKEN", "it is DER"),
        (key_pem(LEAF), key_pem(LEAF), None, "DEVICE-CERTIFICATE-BROKEN", "no certificate in PEM"),
        (CHAIN[:300], key_pem(LEAF), None, "DEVICE-CERTIFICATE-BROKEN", "no certificate in PEM"),
        (b"", key_pem(LEAF), None, "DEVICE-CERTIFICATE-BROKEN", "no certificate in PEM"),
        (CHAIN, b"\x30\x82", None, "DEVICE-KEY-BROKEN", "it is DER"),
        (CHAIN, CHAIN, None, "DEVICE-KEY-BROKEN", "no private key in PEM"),
        (b"x" * (LARGEST_FILE + 1), key_pem(LEAF), None, "DEVICE-FILE", "over 256 KiB"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, chain: bytes, key: bytes, passphrase: bytes | None, code: str, says: str):
    with pytest.raises(CeremonyError) as refused:
        read(tmp_path, chain, key, passphrase)
    assert (refused.value.code, says in refused.value.what, refused.value.state) == (code, True, "Nothing was sent.")


@pytest.mark.parametrize("name", ["dev 1", "d\u00e9v", "dev.", "dev_", "x/y", "dev\x1b"])
def test_a_cn_that_is_no_registration_id(tmp_path: Path, name: str):
    odd = device(name, A)
    chain, key = write_chain(tmp_path, "odd", odd, [A])
    with pytest.raises(CeremonyError) as refused:
        registration_id_of(read_identity(chain, key, key.read_bytes(), None), None)
    assert refused.value.code == "DEVICE-ID"
    assert refused.value.what.isascii() and refused.value.what.isprintable()


def test_a_rehearsal_shows_in_any_name_of_the_chain(tmp_path: Path):
    marked_root = issue("REHEARSAL Root", is_ca=True)
    above = issue("alpha", marked_root, is_ca=True)
    for chain in ((device("d", above), above), (device("d", marked_root),), (device("REHEARSAL d", A), A)):
        found = read(tmp_path, "".join(one.pem for one in chain).encode(), key_pem(chain[0]))
        for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
            refuse_rehearsal_elsewhere(found, host)
        for host in ("global.azure-devices-provisioning.net", "10.0.0.1", "localhost.example", "127.0.0.1.example"):
            with pytest.raises(CeremonyError) as refused:
                refuse_rehearsal_elsewhere(found, host)
            assert (refused.value.code, int(refused.value.exit_code)) == ("DEVICE-REHEARSAL", 7)
    refuse_rehearsal_elsewhere(read(tmp_path, CHAIN, key_pem(LEAF)), "10.0.0.1")
