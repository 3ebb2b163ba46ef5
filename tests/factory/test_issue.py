"""Device certificates by the command: what is made, on which terms, and what is refused before anything is."""

import datetime as dt
import fcntl
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ceremony.crossing.artifacts import certificate_der
from ceremony.errors import CeremonyError
from ceremony.factory.device_profile import DeviceProfile, new_serial
from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.folder import Accepted
from ceremony.factory.issuer_key import open_issuer_key
from ceremony.factory.key_file import new_key
from ceremony.factory.making import Maker
from ceremony.factory.messages import Start, Wanted
from ceremony.factory.terms import BACKDATED, Terms
from ceremony.online.receipts import Receipts
from ceremony.pki.profiles import KeyName, utc_text
from ceremony.pki.signatures import issuer_key
from ceremony.simulator.server import Simulator
from ceremony.simulator.state import DpsState, UploadedCertificate
from ceremony.words import sha256_hex
from hsm.der import element
from tests.e2e.commands import Ended, ceremony, refused
from tests.e2e.openssl import field, openssl
from tests.e2e.secrets_kept import files_with
from tests.factory.given import PASSPHRASE, secret_file
from tests.factory.issuing import accepted_in_file, certify, check_whole, entries, history, issued, summary
from tests.factory.made_up import NOW, Root

THREE = ("--count", "3", "--prefix", "dev-")
IDS = ["dev-000001", "dev-000002", "dev-000003"]
OTHER = "another passphrase of good length"


@pytest.fixture
def accepted(tmp_path: Path) -> Accepted:
    return accepted_in_file(tmp_path / "alpha")


def test_openssl_takes_each_chain_for_a_tls_client(accepted: Accepted, tmp_path: Path) -> None:
    out, ids = tmp_path / "out", ["dev-1", "Dev_2:x.y", "-", "x" * 64]
    (tmp_path / "ids").write_text("\n".join(ids))
    assert summary(issued(accepted, out, "--ids", tmp_path / "ids", "--json")) == {
        "format": 1,
        "intermediate": "alpha.1",
        "rehearsal": False,
        "output": str(out),
        "index": str(out / "index.sqlite"),
        "listing": str(out / "index.csv"),
        "shard": "1/1",
        "asked": 4,
        "asked_of_this_shard": 4,
        "there_before": 0,
        "made": 4,
        "left": 0,
        "not_after": utc_text(accepted.certificate.not_valid_after_utc),
        "complete": True,
    }
    check_whole(out, accepted, ids)
    root = tmp_path / "root.pem"
    root.write_bytes(accepted.root.public_bytes(Encoding.PEM))
    for row in entries(out):
        chain = out / row["chain"]
        assert openssl("verify", "-purpose", "sslclient", "-CAfile", root, "-untrusted", chain, chain).endswith(": OK\n")
        assert field(chain, "subject") == f"subject=CN={row['registration_id']}"
    assert out.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()} == {0o600}


def test_a_handshake_with_an_issued_certificate(accepted: Accepted, tmp_path: Path) -> None:
    """TLS 1.2, by openssl's own client with the chain as it was written, at a service that knows the root alone."""
    summary(issued(accepted, tmp_path / "out", *THREE, "--json"))
    chain = tmp_path / "out" / entries(tmp_path / "out")[0]["chain"]
    key = chain.with_name("dev-000001.key.pem")
    state = DpsState()
    now = dt.datetime.now(dt.UTC)
    state.certificates["root"] = UploadedCertificate("root", certificate_der(accepted.root), True, now, now)
    with Simulator(tmp_path, state=state) as simulator:
        where = ("-connect", simulator.mqtt_host, "-CAfile", simulator.ca_file, "-verify_return_error", "-tls1_2")
        said = openssl("s_client", *where, "-cert", chain, "-cert_chain", chain, "-key", key)
        nobody = subprocess.run(["openssl", "s_client", *map(str, where)], input=b"", capture_output=True, check=False)
    assert "Verify return code: 0 (ok)" in said and "Protocol  : TLSv1.2" in said
    # Without a certificate the service ends the handshake: it was the certificate that was taken.
    assert nobody.returncode != 0


def test_pkcs12_and_encrypted_keys_by_passphrases_in_files(accepted: Accepted, tmp_path: Path) -> None:
    out, p12, pem = tmp_path / "out", secret_file(tmp_path, PASSPHRASE, name="p12"), secret_file(tmp_path, OTHER, name="pem")
    both = ("--pkcs12", "--pkcs12-passphrase-file", p12, "--encrypt-keys-passphrase-file", pem)
    summary(issued(accepted, out, *THREE, *both, "--json"))
    [row, *_] = entries(out)
    chain = out / row["chain"]
    packed = chain.with_name("dev-000001.p12")
    listed = openssl("pkcs12", "-in", packed, "-passin", f"file:{p12}", "-nodes")
    assert listed.count("BEGIN CERTIFICATE") == 2 and "BEGIN PRIVATE KEY" in listed and "friendlyName: dev-000001" in listed
    spki = openssl("pkey", "-in", chain.with_name("dev-000001.key.pem"), "-passin", f"file:{pem}", "-pubout")
    assert spki == openssl("x509", "-in", chain, "-noout", "-pubkey") == openssl("pkey", "-pubout", given=listed.encode())
    assert not any(b"BEGIN PRIVATE KEY" in path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert files_with(out, PASSPHRASE) == files_with(out, OTHER) == []
    # One passphrase is stretched once for many keys, and no two encryptions are alike.
    first, second = (chain.with_name(f"{name}.key.pem").read_text() for name in IDS[:2])
    assert first[:200] != second[:200] or first[200:] != second[200:]


def test_short_passphrases_and_readable_files_are_refused(accepted: Accepted, tmp_path: Path) -> None:
    short, readable = secret_file(tmp_path, "1234", name="short"), secret_file(tmp_path, OTHER, name="open", mode=0o644)
    out = tmp_path / "out"
    refused(issued(accepted, out, *THREE, "--encrypt-keys-passphrase-file", short), 2, "PASSPHRASE-REFUSED")
    refused(issued(accepted, out, *THREE, "--pkcs12", "--pkcs12-passphrase-file", readable), 2, "SECRET-FILE")
    wrong = secret_file(tmp_path, OTHER, name="wrong")
    refused(ceremony("factory", "issue", accepted.factory.folder, "-o", out, *THREE, "--passphrase-file", wrong), 2, "PASSPHRASE-WRONG")
    refused(ceremony("factory", "issue", accepted.factory.folder, "-o", out, *THREE), 2, "SECRET-NEEDS-PERSON")
    # Nothing of that stands in the way of the right one.
    assert summary(issued(accepted, out, *THREE, "--json"))["made"] == 3


def test_a_rehearsal_marks_all_that_it_makes(tmp_path: Path) -> None:
    accepted, out = accepted_in_file(tmp_path / "alpha", Root(rehearsal=True)), tmp_path / "out"
    ended = issued(accepted, out, *THREE, "--json")
    assert summary(ended)["rehearsal"] is True and "REHEARSAL" in ended.err
    for leaf in check_whole(out, accepted, IDS):
        assert [(part.oid, part.value) for part in leaf.subject][0] == (NameOID.ORGANIZATIONAL_UNIT_NAME, "REHEARSAL")
        assert [part.value for part in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)][0] in IDS
    assert {row["rehearsal"] for row in entries(out)} == {"yes"}
    assert (out / "REHEARSAL.txt").read_text().startswith("REHEARSAL")
    with sqlite3.connect(out / "index.sqlite") as index:
        assert index.execute("SELECT DISTINCT rehearsal FROM device_certificates").fetchall() == [(1,)]
    index.close()


def test_no_id_gets_a_second_certificate_unless_it_is_renewed(accepted: Accepted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary(issued(accepted, out, *THREE, "--days", "30", "--json"))
    first = {row["registration_id"]: row["serial"] for row in entries(out)}
    # The same order is done.
    said = summary(issued(accepted, out, *THREE, "--days", "30", "--json"))
    assert (said["made"], said["there_before"], said["complete"]) == (0, 3, True)
    # Another that has ids of it is not taken, whatever their case.
    told = refused(issued(accepted, out, "--count", "4", "--prefix", "DEV-"), 7, "FACTORY-ID-TAKEN")
    assert "3 of the ids" in told and "'DEV-000003' has a certificate until" in told and "DEV-000004" not in told
    assert {row["registration_id"]: row["serial"] for row in entries(out)} == first
    # New ids under the same intermediate are.
    assert summary(issued(accepted, out, "--count", "1", "--first", "4", "--prefix", "dev-", "--json"))["made"] == 1
    # What ends within 29 days: nothing. Within 31: the first three; the fourth lasts as long as the intermediate.
    four = ("--count", "4", "--prefix", "dev-")
    assert summary(issued(accepted, out, *four, "--renew", "29", "--json"))["made"] == 0
    assert summary(issued(accepted, out, *four, "--renew", "31", "--json"))["made"] == 3
    rows = [(registration_id, status, serial == first.get(registration_id)) for registration_id, serial, status in history(out)]
    superseded, fourth, renewed = rows[:3], rows[3], rows[4:]
    assert sorted(row["registration_id"] for row in entries(out)) == [*IDS, "dev-000004"]
    assert superseded == [(name, "superseded", True) for name in IDS] and fourth == ("dev-000004", "issued", False)
    assert sorted(renewed) == [(name, "issued", False) for name in IDS]
    assert summary(issued(accepted, out, *four, "--renew", "31", "--json"))["made"] == 0
    # The listing is a list of ids, too.
    assert summary(issued(accepted, out, "--ids", out / "index.csv", "--renew", "31", "--json"))["asked"] == 4
    # What would be due again at once is no renewal.
    told = refused(issued(accepted, out, *four, "--renew", "31", "--days", "31"), 2, "FACTORY-VALIDITY")
    assert "--renew 31 renews" in told


def test_a_renewed_intermediate_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    root, out = Root(), tmp_path / "out"
    accepted = accepted_in_file(tmp_path / "alpha", root, ends=30)
    summary(issued(accepted, out, *THREE, "--json"))
    again = certify(accepted.factory, root, ends=1000)
    assert again.certificate != accepted.certificate
    refused(issued(again, out, *THREE), 7, "FACTORY-ID-TAKEN")
    assert summary(issued(again, out, *THREE, "--renew", "60", "--json"))["made"] == 3
    assert [status for _, _, status in history(out)] == ["superseded"] * 3 + ["issued"] * 3
    assert {row["issuer_sha256"] for row in entries(out)} == {sha256_hex(certificate_der(again.certificate))}
    for row in entries(out):
        leaf, above = x509.load_pem_x509_certificates((out / row["chain"]).read_bytes())
        assert above == again.certificate and leaf.not_valid_after_utc == again.certificate.not_valid_after_utc


def test_shares_make_all_of_a_list_and_nothing_twice(accepted: Accepted, tmp_path: Path) -> None:
    ids = [f"dev-{number}" for number in range(40)]
    (tmp_path / "ids").write_text("\n".join(ids))
    made = []
    for share in ("1/3", "2/3", "3/3"):
        out = tmp_path / share.replace("/", "-")
        said = summary(issued(accepted, out, "--ids", tmp_path / "ids", "--shard", share, "--json"))
        assert said["asked"] == 40 and said["asked_of_this_shard"] == said["made"] == len(entries(out))
        made += [row["registration_id"] for row in entries(out)]
    assert sorted(made) == sorted(ids)
    # A folder is of one share.
    refused(issued(accepted, tmp_path / "1-3", "--ids", tmp_path / "ids", "--shard", "2/3"), 2, "FACTORY-OUT-OTHER")
    refused(issued(accepted, tmp_path / "1-3", "--ids", tmp_path / "ids"), 2, "FACTORY-OUT-OTHER")


def test_folders_that_hold_something_else_are_left_alone(accepted: Accepted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary(issued(accepted, out, *THREE, "--json"))
    beta = accepted_in_file(tmp_path / "beta", name="beta.1")
    assert "another intermediate issued" in refused(issued(beta, out, "--count", "1", "--prefix", "x"), 2, "FACTORY-OUT-OTHER")
    for other in ("letters", "link", "file"):
        shutil.copytree(out, tmp_path / other)
    (tmp_path / "letters" / "index.sqlite").unlink()
    assert "holds devices" in refused(issued(accepted, tmp_path / "letters", *THREE), 2, "FACTORY-OUT-OTHER")
    (tmp_path / "link" / "index.sqlite").rename(tmp_path / "elsewhere")
    (tmp_path / "link" / "index.sqlite").symlink_to(tmp_path / "elsewhere")
    refused(issued(accepted, tmp_path / "link", *THREE), 2, "FACTORY-OUT-OTHER")
    (tmp_path / "file" / "index.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    refused(issued(accepted, tmp_path / "file", *THREE), 1, "FACTORY-OUT-BROKEN")
    sqlite3.connect(tmp_path / "file" / "another.sqlite").close()
    (tmp_path / "file" / "index.sqlite").write_bytes(b"")
    refused(issued(accepted, tmp_path / "file", *THREE), 2, "FACTORY-OUT-OTHER")
    (tmp_path / "to-out").symlink_to(out)
    refused(issued(accepted, tmp_path / "to-out", *THREE), 2, "FACTORY-OUT-UNWRITABLE")
    refused(issued(accepted, accepted.factory.folder, *THREE), 2, "FACTORY-OUT-OTHER")
    check_whole(out, accepted, IDS)


def test_one_writer_at_a_time(accepted: Accepted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary(issued(accepted, out, *THREE, "--json"))
    descriptor = os.open(out, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    refused(issued(accepted, out, *THREE), 2, "FACTORY-OUT-IN-USE")
    os.close(descriptor)
    assert summary(issued(accepted, out, *THREE, "--json"))["made"] == 0


@pytest.mark.parametrize(
    ("days_ago", "details", "why"),
    [
        (5, {"ends": -1}, "it ended at"),
        (5, {"begins": -9, "ends": -4}, "it ended at"),
        (-50, {"begins": 40}, "it is not valid before"),
    ],
)
def test_an_intermediate_out_of_its_time_issues_nothing(tmp_path: Path, days_ago: int, details: dict[str, Any], why: str) -> None:
    accepted = accepted_in_file(tmp_path / "alpha", days_ago=days_ago, **details)
    assert why in refused(issued(accepted, tmp_path / "out", *THREE), 7, "FACTORY-CERTIFICATE-UNFIT")
    assert not (tmp_path / "out").exists()


def test_validity_never_leaves_the_intermediate_s(accepted: Accepted, tmp_path: Path) -> None:
    issuer, now = accepted.certificate, dt.datetime.now(dt.UTC)
    begins, ends = Terms().validity(issuer, now)
    assert ends == issuer.not_valid_after_utc and begins == now.replace(microsecond=0) - BACKDATED
    assert Terms().validity(issuer, issuer.not_valid_before_utc)[0] == issuer.not_valid_before_utc
    assert Terms(days=30).validity(issuer, now)[1] == now.replace(microsecond=0) + dt.timedelta(days=30)
    assert Terms(not_after=ends).validity(issuer, now)[1] == ends
    for terms in (Terms(days=1001), Terms(not_after=ends + dt.timedelta(seconds=1)), Terms(not_after=now)):
        with pytest.raises(CeremonyError) as failed:
            terms.validity(issuer, now)
        assert failed.value.code == "FACTORY-VALIDITY"
    out = tmp_path / "out"
    assert "later than their intermediate" in refused(issued(accepted, out, *THREE, "--days", "5000"), 2, "FACTORY-VALIDITY")
    tomorrow = now.date() + dt.timedelta(days=1)
    said = summary(issued(accepted, out, *THREE, "--not-after", tomorrow.isoformat(), "--json"))
    assert said["not_after"] == f"{tomorrow}T23:59:59Z"
    check_whole(out, accepted, IDS)


@pytest.mark.parametrize(
    "options",
    [
        ("--count", "3"),
        ("--ids", "x", "--prefix", "p"),
        ("--ids", "x", "--first", "2"),
        (*THREE, "--pkcs12"),
        (*THREE, "--pkcs12-passphrase-file", "x"),
        ("--csrs", "x", "--pkcs12", "--pkcs12-passphrase-file", "x"),
        ("--csrs", "x", "--encrypt-keys-passphrase-file", "x"),
        (*THREE, "--jobs", "0"),
        (*THREE, "--days", "0"),
        (*THREE, "--renew", "-1"),
        (*THREE, "--not-after", "tomorrow"),
        (*THREE, "--not-after", "2031-13-01"),
        (*THREE, "--shard", "3/2"),
        (*THREE, "--receipts", "none"),
        (*THREE, "--group", "alpha.1"),
    ],
)
def test_options_that_do_not_go_together(accepted: Accepted, tmp_path: Path, options: tuple[str, ...]) -> None:
    refused(issued(accepted, tmp_path / "out", *options), 2, "USAGE")


def test_a_disabled_group_is_issued_nothing(accepted: Accepted, tmp_path: Path) -> None:
    path, out = tmp_path / "receipts.jsonl", tmp_path / "out"

    def told(kind: Any, name: str = "alpha.1", service: str = "one", hour: int = 0) -> None:
        with Receipts(path, None) as receipts:
            receipts.append(kind, f"2027-06-01T{hour:02}:00:00Z", {"service": service, "name": name})

    def run(first: int, *more: str) -> Ended:
        return issued(accepted, out, "--count", "1", "--first", str(first), "--prefix", "dev-", "--receipts", path, *more)

    told("group-disabled", name="Beta.1")
    told("device-disabled")
    # Receipts that tell nothing of the group vouch for nothing; under the name that the ceremony gave it they tell.
    assert "no enrollment group called alpha.1" in refused(run(1), 2, "FACTORY-GROUP-UNKNOWN")
    assert "beta.1 was disabled" in refused(run(1, "--group", "beta.1"), 7, "FACTORY-GROUP-DISABLED")
    told("group-made")
    assert run(1).code == 0
    told("group-disabled", hour=7)
    assert "alpha.1 was disabled at 2027-06-01T07:00:00Z" in refused(run(2), 7, "FACTORY-GROUP-DISABLED")
    told("group-made", service="two")
    refused(run(2), 7, "FACTORY-GROUP-DISABLED")
    told("group-changed")
    assert run(2).code == 0
    told("group-deleted")
    refused(run(3), 7, "FACTORY-GROUP-DISABLED")
    path.write_bytes(path.read_bytes().replace(b"T07:00", b"T08:00"))
    refused(run(3), 1, "RECEIPTS-BROKEN")


@pytest.mark.parametrize(
    ("kind", "year", "rehearsal"),
    [
        ("ec:secp256r1", 2049, False),
        ("ec:secp256r1", 2050, True),
        ("ec:secp384r1", 2049, True),
        ("ec:secp521r1", 2050, False),
        ("rsa:3072", 2049, False),
    ],
)
def test_our_encoding_is_the_library_s(kind: KeyName, year: int, rehearsal: bool) -> None:
    """For each kind of issuer and of device, and ids of any length; `problems_with` compares all bytes with the library's builder."""
    root, own = Root(rehearsal=rehearsal, ends=15_000), FileIssuerKey(new_key(kind))
    issuer = root.certify(issuer_key(own.public_key_der), root.name, ends=14_000)
    profile = DeviceProfile(issuer, NOW, dt.datetime(year, 12, 31, 23, 59, 59, tzinfo=dt.UTC), rehearsal=rehearsal)
    other = FileIssuerKey(new_key(kind))
    device_keys = (new_key("ec:secp256r1"), new_key("ec:secp384r1"), rsa.generate_private_key(65537, 2048))
    spkis = [key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in device_keys]
    for length in (1, 2, 63, 64):
        for spki in spkis:
            draft = profile.draft("x" * length, spki, new_serial())
            made = profile.signed(draft, own.sign(draft.to_be_signed, profile.algorithm))
            assert profile.problems_with(made.der, "x" * length) == []
            assert profile.problems_with(made.der, "y" * length) != []
    draft = profile.draft("x", spkis[0], new_serial())
    for signature in (own.sign(b"other bytes", profile.algorithm), b"garbage", other.sign(draft.to_be_signed, profile.algorithm)):
        with pytest.raises(CeremonyError) as failed:
            profile.signed(draft, signature)
        assert failed.value.code == "DRAFT-SIGNATURE-BAD"


def test_bytes_that_change_on_their_way_are_noticed(accepted: Accepted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is one over the draft, and a bit of the certificate around it flips."""
    profile = DeviceProfile(accepted.certificate, NOW, NOW + dt.timedelta(days=1), rehearsal=False)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    draft = profile.draft("dev-1", key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), new_serial())

    def flipping(tag: int, *contents: bytes) -> bytes:
        return element(tag, *(content.replace(b"dev-1", b"dev-2") for content in contents))

    with open_issuer_key(accepted.factory, bytearray(PASSPHRASE.encode())) as issuer:
        signature = issuer.sign(draft.to_be_signed, profile.algorithm)
    monkeypatch.setattr("ceremony.factory.device_profile.element", flipping)
    with pytest.raises(CeremonyError) as failed:
        profile.signed(draft, signature)
    assert failed.value.code == "DRAFT-BYTES-DIFFER"


def test_serials_have_twenty_octets_and_are_positive() -> None:
    serials = {new_serial() for _ in range(1000)}
    assert len(serials) == 1000 and {serial.bit_length() for serial in serials} == {159}


def test_a_signature_or_a_profile_that_is_wrong_makes_nothing(
    accepted: Accepted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own checks, with the maker in this process."""
    start = Start(certificate_der(accepted.certificate), 0, 2**31, False, (0, 0, 0))
    folder = tmp_path / "batch"
    folder.mkdir()
    with open_issuer_key(accepted.factory, bytearray(PASSPHRASE.encode())) as key:
        bad = Maker(start, lambda drafts, algorithm: [key.sign(b"x", algorithm) for _ in drafts], bytearray(), bytearray())
        good = Maker(start, lambda drafts, algorithm: [key.sign(draft, algorithm) for draft in drafts], bytearray(), bytearray())
        wanted = [Wanted("dev-1", None)]
        with pytest.raises(CeremonyError) as failed:
            bad.make(wanted, str(folder))
        assert failed.value.code == "DRAFT-SIGNATURE-BAD" and not list(folder.iterdir())
        monkeypatch.setattr("ceremony.factory.device_profile._FIXED_EXTENSIONS", bytes.fromhex("300c0603551d130101ff04023000"))
        with pytest.raises(CeremonyError) as failed:
            good.make(wanted, str(folder))
        assert failed.value.code == "DRAFT-PROFILE" and not list(folder.iterdir())
