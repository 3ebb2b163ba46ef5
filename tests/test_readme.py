"""The README's last section: exactly its commands, run by sh against a bundle that is good and against bundles that are not."""

import datetime as dt
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

ROOT = Path(__file__).parent.parent
SECTION = (ROOT / "README.md").read_text().split("## Verify a bundle with sha256sum, tail and openssl alone\n")[1]
TRANSCRIPT, ALPHA = Path("record/transcript.jsonl"), Path("intermediates/alpha.1.cert.pem")
PROOF = Path("proof-of-possession/example-dps/example-root-g1.cert.pem")
FILES = (
    "SHA256SUMS", "manifest.json", "root/example-root-g1.cert.pem", "intermediates/alpha.1.cert.pem", "intermediates/alpha.1.chain.pem",
    "intermediates/beta.1.cert.pem", "intermediates/beta.1.chain.pem", str(PROOF),
    "record/script.toml", str(TRANSCRIPT), "record/ledger.json", "record/report.html", "record/report.pdf",
)  # fmt: skip


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last bundle of a rehearsal of first-ceremony.toml, by the command itself."""
    folder = tmp_path_factory.mktemp("rehearsed") / "ceremony"
    script = ROOT / "ceremony-scripts" / "first-ceremony.toml"
    answers = script.with_name("first-ceremony.answers.toml")
    command = [sys.executable, "-m", "ceremony", "rehearse", str(script), "--answers", str(answers), "--dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder / "bundles" / "2"


@pytest.fixture
def bundle(rehearsed: Path, tmp_path: Path) -> Path:
    """A copy to do things to."""
    return Path(shutil.copytree(rehearsed, tmp_path / "bundle"))


def fingerprint_of(bundle: Path) -> str:
    return hashlib.sha256((bundle / TRANSCRIPT).read_bytes().splitlines(keepends=True)[-1]).hexdigest()


def as_the_readme_says(bundle: Path, fingerprint: str) -> str:
    """What the commands of the section say, on both streams; the first block, which is the reader's, filled in."""
    inputs, *blocks = re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert [line.partition("=")[0].split()[0] for line in inputs.splitlines()] == ["cd", "FINGERPRINT"]
    typed = "\n".join([f"cd '{bundle}'", f"FINGERPRINT={fingerprint}", *blocks])
    done = subprocess.run(
        ["sh"], input=typed, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, timeout=60
    )
    return done.stdout + done.stderr


def is_good(said: str) -> bool:
    good, wrong = "GOOD: the bundle is the one on paper" in said, "WRONG:" in said
    assert good != wrong, said
    return good


def sums_again(bundle: Path) -> None:
    """As a forger would: SHA256SUMS made anew from what is there."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(bundle)}\n" for path in files)
    (bundle / "SHA256SUMS").write_text("".join(sums))


def forged(bundle: Path, path: Path, octets: bytes) -> None:
    """Another file in the place of a certificate, and seal and sums that name it: only the paper, or openssl, can tell."""
    before = hashlib.sha256((bundle / path).read_bytes()).hexdigest()
    (bundle / path).write_bytes(octets)
    *lines, seal = (bundle / TRANSCRIPT).read_bytes().splitlines(keepends=True)
    changed = seal.replace(before.encode(), hashlib.sha256(octets).hexdigest().encode())
    assert changed != seal
    (bundle / TRANSCRIPT).write_bytes(b"".join(lines) + changed)
    sums_again(bundle)


def by_another_key(certificate_pem: bytes) -> bytes:
    """The same certificate in all that can be read, signed by a key that is not the root's."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    builder = x509.CertificateBuilder().subject_name(certificate.subject).issuer_name(certificate.issuer)
    builder = builder.not_valid_before(certificate.not_valid_before_utc).not_valid_after(certificate.not_valid_after_utc)
    builder = builder.serial_number(certificate.serial_number).public_key(certificate.public_key())
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()).public_bytes(Encoding.PEM)


def test_the_commands_use_sha256sum_tail_and_openssl_alone() -> None:
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL))
    foreign = ("find", "grep", "sed", "awk", "python", "cut", "sort", "cat", "head", "jq", "xxd", "ceremony verify")
    assert [word for word in foreign if re.search(rf"(^|[\s|(;]){word}\s", blocks, re.MULTILINE)] == []
    assert all("-attime" in line for line in blocks.splitlines() if "openssl verify" in line)


def test_a_good_bundle_is_good_by_every_command(bundle: Path) -> None:
    said = as_the_readme_says(bundle, fingerprint_of(bundle))
    assert is_good(said)
    root_der = x509.load_pem_x509_certificate((bundle / FILES[2]).read_bytes()).public_bytes(Encoding.DER)
    assert hashlib.sha256(root_der).hexdigest() in said
    assert said.count(": OK") == 4


def test_the_files_that_are_tampered_with_below_are_all_there_are(rehearsed: Path) -> None:
    assert {str(path.relative_to(rehearsed)) for path in rehearsed.rglob("*") if path.is_file()} == set(FILES)


def test_another_fingerprint_on_paper_is_told(bundle: Path) -> None:
    assert not is_good(as_the_readme_says(bundle, hashlib.sha256(b"another record").hexdigest()))


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("place", ["middle", "last"])
def test_a_flipped_bit_in_any_file_is_told(bundle: Path, path: str, place: str) -> None:
    fingerprint = fingerprint_of(bundle)
    octets = bytearray((bundle / path).read_bytes())
    octets[len(octets) // 2 if place == "middle" else -1] ^= 0x20
    (bundle / path).write_bytes(octets)
    assert not is_good(as_the_readme_says(bundle, fingerprint))


ADDED = (
    "extra.pem",
    ".hidden",
    "root/extra.cert.pem",
    "intermediates/.hidden",
    "record/extra",
    "a/b/c/extra",
    ".folder/extra",
    "record/report.txt/extra",
)


@pytest.mark.parametrize("path", ADDED)
@pytest.mark.parametrize("with_sums", [False, True], ids=["sums as they were", "sums made again"])
def test_a_file_too_many_is_told(bundle: Path, path: str, with_sums: bool) -> None:
    (bundle / path).parent.mkdir(parents=True, exist_ok=True)
    (bundle / path).write_bytes((bundle / ALPHA).read_bytes())
    if with_sums:
        sums_again(bundle)
    assert not is_good(as_the_readme_says(bundle, fingerprint_of(bundle)))


@pytest.mark.parametrize("path", FILES)
def test_a_missing_file_is_told(bundle: Path, path: str) -> None:
    fingerprint = fingerprint_of(bundle)
    (bundle / path).unlink()
    assert not is_good(as_the_readme_says(bundle, fingerprint))


@pytest.mark.parametrize("path", [ALPHA, PROOF])
def test_a_certificate_that_is_missing_from_the_sums_too_is_told(bundle: Path, path: Path) -> None:
    (bundle / path).unlink()
    sums_again(bundle)
    assert not is_good(as_the_readme_says(bundle, fingerprint_of(bundle)))


def test_a_renamed_file_is_told(bundle: Path) -> None:
    (bundle / ALPHA).rename(bundle / "intermediates/gamma.1.cert.pem")
    sums_again(bundle)
    assert not is_good(as_the_readme_says(bundle, fingerprint_of(bundle)))


@pytest.mark.parametrize("path", [str(ALPHA), "record", "intermediates"])
def test_a_link_in_the_place_of_a_file_or_folder_is_told(bundle: Path, path: str) -> None:
    elsewhere = bundle.with_name("elsewhere")
    (bundle / path).rename(elsewhere)
    (bundle / path).symlink_to(elsewhere)
    assert not is_good(as_the_readme_says(bundle, fingerprint_of(bundle)))


def test_two_certificates_that_changed_places_are_told(bundle: Path) -> None:
    beta = bundle / "intermediates/beta.1.cert.pem"
    alpha_pem, beta_pem = (bundle / ALPHA).read_bytes(), beta.read_bytes()
    (bundle / ALPHA).write_bytes(beta_pem)
    beta.write_bytes(alpha_pem)
    sums_again(bundle)
    assert not is_good(as_the_readme_says(bundle, fingerprint_of(bundle)))


def with_lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def done(bundle: Path) -> None:
        lines = (bundle / TRANSCRIPT).read_bytes().splitlines(keepends=True)
        (bundle / TRANSCRIPT).write_bytes(b"".join(change(lines)))
        sums_again(bundle)

    return done


def with_another_script(bundle: Path) -> None:
    script = bundle / "record/script.toml"
    script.write_bytes(script.read_bytes() + b"# another\n")
    sums_again(bundle)


RECORDS = {
    "a line was changed": with_lines(lambda lines: [*lines[:50], lines[50].replace(b"Z", b"z", 1), *lines[51:]]),
    "a line was left out": with_lines(lambda lines: [*lines[:50], *lines[51:]]),
    "two lines changed places": with_lines(lambda lines: [*lines[:50], lines[51], lines[50], *lines[52:]]),
    "the beginning is cut off": with_lines(lambda lines: lines[1:]),
    "the end is cut off": with_lines(lambda lines: lines[:-1]),
    "a line was added": with_lines(lambda lines: [*lines, lines[-1]]),
    "the last line has no end": with_lines(lambda lines: [*lines[:-1], lines[-1][:-1]]),
    "the script is another": with_another_script,
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS.keys())
def test_a_record_that_is_not_the_one_on_paper_is_told_whatever_the_sums_say(bundle: Path, change: Callable[[Path], None]) -> None:
    fingerprint = fingerprint_of(bundle)
    change(bundle)
    assert not is_good(as_the_readme_says(bundle, fingerprint))


@pytest.mark.parametrize("path", [ALPHA, PROOF])
def test_a_certificate_of_another_key_is_told_by_openssl_where_seal_and_sums_name_it(bundle: Path, path: Path) -> None:
    forged(bundle, path, by_another_key((bundle / path).read_bytes()))
    said = as_the_readme_says(bundle, fingerprint_of(bundle))
    assert not is_good(said)
    assert f"WRONG: {path} is not a certificate of this root" in said
    assert said.count("WRONG:") == 1


def test_a_bundle_is_looked_at_from_the_day_of_its_seal(bundle: Path) -> None:
    """The proof is valid for 30 days; years later the commands give the same answer, and openssl without a day would not."""
    proof = x509.load_pem_x509_certificate((bundle / PROOF).read_bytes())
    seal = json.loads((bundle / TRANSCRIPT).read_bytes().splitlines()[-1])
    sealed_at = dt.datetime.fromisoformat(seal["time"])
    assert proof.not_valid_before_utc <= sealed_at <= proof.not_valid_after_utc
    later = int((sealed_at + dt.timedelta(days=365)).timestamp())
    root = str(bundle / "root/example-root-g1.cert.pem")
    alone = ["openssl", "verify", "-x509_strict", "-attime", str(later), "-no-CApath", "-no-CAstore", "-CAfile", root, str(bundle / PROOF)]
    assert b"certificate has expired" in subprocess.run(alone, capture_output=True).stderr
    moments = re.findall(r"-attime (\S+)", SECTION)
    assert set(moments) == {'"$moment"'}


@pytest.fixture(scope="session")
def revoking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a rehearsal of revoke-intermediate.toml, which holds a CRL."""
    folder = tmp_path_factory.mktemp("revoking") / "ceremony"
    script = ROOT / "ceremony-scripts" / "revoke-intermediate.toml"
    answers = script.with_name("revoke-intermediate.answers.toml")
    command = [sys.executable, "-m", "ceremony", "rehearse", str(script), "--answers", str(answers), "--dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder / "bundles" / "1"


def test_a_crl_that_another_key_signed_is_told_by_openssl_where_seal_and_sums_name_it(revoking: Path, tmp_path: Path) -> None:
    bundle, path = Path(shutil.copytree(revoking, tmp_path / "bundle")), Path("crl/example-root-g1.crl.pem")
    assert is_good(as_the_readme_says(bundle, fingerprint_of(bundle)))
    crl = x509.load_pem_x509_crl((bundle / path).read_bytes())
    assert crl.next_update_utc is not None
    builder = x509.CertificateRevocationListBuilder(crl.issuer, crl.last_update_utc, crl.next_update_utc, list(crl.extensions))
    forged(bundle, path, builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()).public_bytes(Encoding.PEM))
    said = as_the_readme_says(bundle, fingerprint_of(bundle))
    assert f"WRONG: {path} is not a CRL of this root" in said and said.count("WRONG:") == 1
