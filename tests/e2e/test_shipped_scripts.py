"""Each shipped script from end to end by the command, judged by openssl, sha256sum and tail."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.shipped import names
from tests.e2e.commands import ROOT, SCRIPTS, ceremony, done, last_bundle, rehearsed
from tests.e2e.openssl import accepts, extensions, field, openssl

ROOT_EXTENSIONS = """\
        X509v3 extensions:
            X509v3 Basic Constraints: critical
                CA:TRUE, pathlen:1
            X509v3 Key Usage: critical
                Digital Signature, Certificate Sign, CRL Sign
            X509v3 Subject Key Identifier:
                <key>
            X509v3 Authority Key Identifier:
                <key>
"""
_CLIENTS = "X509v3 Extended Key Usage:\n                TLS Web Client Authentication\n            "
INTERMEDIATE_EXTENSIONS = ROOT_EXTENSIONS.replace("pathlen:1", "pathlen:0").replace("X509v3 Subject Key", f"{_CLIENTS}X509v3 Subject Key")


def test_every_shipped_script_is_run_here() -> None:
    first, later = {"first-ceremony", "quorum-ceremony", "root-generation"}, {"proof-of-possession", "sign-intermediates"}
    later |= {"issue-crl", "revoke-intermediate", "check-token", "destroy-key", "reissue-intermediate", "backup-token", "twin-root"}
    later |= {"recover-from-backup", "recover-from-twin", "roll-over-root"}
    assert set(names()) == first | later | {"reshare", "recover-quorum", "sign-azure-issuing-ca"}
    assert all(SCRIPTS.joinpath(f"{name}.answers.toml").exists() for name in names())


def fingerprint(folder: Path, number: int) -> str:
    """The fingerprint of a bundle, as `status --json` tells it and `tail` and `sha256sum` find it."""
    told = json.loads(done("status", "--dir", folder, "--json").out)
    entry = told["bundles"][number - 1]
    assert entry["bundle"] == number
    transcript = folder / "bundles" / str(number) / "record" / "transcript.jsonl"
    last_line = subprocess.run(["tail", "-n1", transcript], capture_output=True, check=True).stdout
    assert hashlib.sha256(last_line).hexdigest() == entry["fingerprint"]
    return str(entry["fingerprint"])


def judged(folder: Path, bundles: int, previous: Path | None = None, label: str = "example-root-g1") -> Path:
    """All that can be said of every ceremony: each bundle verifies, by us and by others, and after the one before it.

    `previous` is the bundle of an earlier ceremony, `label` that of the ceremony's own root. Returns the last bundle.
    """
    assert sorted(bundle.name for bundle in (folder / "bundles").iterdir()) == [str(number) for number in range(1, bundles + 1)]
    for number in range(1, bundles + 1):
        bundle = folder / "bundles" / str(number)
        subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=bundle, check=True)
        read_aloud = fingerprint(folder, number)
        after: list[str | Path] = ["--previous", previous] if previous else []
        done("verify", bundle, "--fingerprint", read_aloud, *after)
        previous = bundle
        page = [sys.executable, "-I", "-S", str(ROOT / "docs" / "verify_bundle.py"), str(bundle), read_aloud]
        subprocess.run(page, cwd="/", check=True)
        root = bundle / "root" / f"{label}.cert.pem"
        accepts(root, root)
        for certificate in (*bundle.glob("intermediates/*.cert.pem"), *bundle.glob("proof-of-possession/*/*.cert.pem")):
            accepts(root, certificate)
    return last_bundle(folder)


def files(bundle: Path) -> set[str]:
    return {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}


ALWAYS = {
    "SHA256SUMS",
    "manifest.json",
    "record/ledger.json",
    "record/report.html",
    "record/report.pdf",
    "record/script.toml",
    "record/transcript.jsonl",
    "root/example-root-g1.cert.pem",
}
CRL = "crl/example-root-g1.crl.pem"
PROOF = "proof-of-possession/example-dps/example-root-g1.cert.pem"


def intermediates(*names: str) -> set[str]:
    return {f"intermediates/{name}.{kind}.pem" for name in names for kind in ("cert", "chain")}


def test_root_generation(root_generation: Path) -> None:
    bundle = judged(root_generation / "D", bundles=1)
    assert files(bundle) == ALWAYS
    root = bundle / "root" / "example-root-g1.cert.pem"
    assert extensions(root) == ROOT_EXTENSIONS
    name = "CN=REHEARSAL Example Devices Root CA G1,O=Example,C=NO"
    assert (field(root, "subject"), field(root, "issuer")) == (f"subject={name}", f"issuer={name}")


def test_first_ceremony_by_the_issues_own_commands(first_ceremony: Path) -> None:
    bundle = judged(first_ceremony / "D", bundles=2)
    assert files(first_ceremony / "D" / "bundles" / "1") == ALWAYS
    assert files(bundle) == ALWAYS | intermediates("alpha.1", "beta.1") | {PROOF}
    digest = hashlib.sha256((SCRIPTS / "first-ceremony.toml").read_bytes()).hexdigest()
    root = bundle / "root" / "example-root-g1.cert.pem"
    root_fingerprint = field(root, "fingerprint").split("=")[1]
    assert root_fingerprint
    der = openssl_der(root)
    done("verify", bundle, "--script-digest", digest, "--root-fingerprint", hashlib.sha256(der).hexdigest(), "--no-deviations")


def openssl_der(certificate: Path) -> bytes:
    return subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"], capture_output=True, check=True).stdout


@pytest.mark.parametrize(("name", "subject"), [("alpha.1", "Alpha 1"), ("beta.1", "Beta 1")])
def test_a_hostile_csr_comes_out_with_the_profiles_extensions_only(first_ceremony: Path, name: str, subject: str) -> None:
    csr = first_ceremony / ("a.pem" if name == "alpha.1" else "b.pem")
    asked = openssl("req", "-in", csr, "-noout", "-text", "-verify")
    assert "pathlen:5" in asked and "1.3.6.1.4.1.99999.7" in asked and "challengePassword" in asked
    certificate = first_ceremony / "D" / "bundles" / "2" / "intermediates" / f"{name}.cert.pem"
    assert extensions(certificate) == INTERMEDIATE_EXTENSIONS
    assert "99999" not in openssl("asn1parse", "-in", certificate)
    assert field(certificate, "subject") == f"subject=CN={subject},O=Example"
    assert field(certificate, "enddate") == "notAfter=Nov 19 00:00:00 2031 GMT"
    # The key is the CSR's own.
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl("req", "-in", csr, "-noout", "-pubkey")


def test_the_chain_file_is_leaf_first(first_ceremony: Path) -> None:
    bundle = first_ceremony / "D" / "bundles" / "2"
    chain, root = bundle / "intermediates" / "alpha.1.chain.pem", bundle / "root" / "example-root-g1.cert.pem"
    assert chain.read_bytes() == (bundle / "intermediates" / "alpha.1.cert.pem").read_bytes() + root.read_bytes()


def test_the_proof_is_no_ca_and_says_the_code(first_ceremony: Path) -> None:
    proof = first_ceremony / "D" / "bundles" / "2" / PROOF
    lines = (first_ceremony / "D" / "transcript.jsonl").read_text().splitlines()
    codes = {
        proof["verification_code"]
        for line in map(json.loads, lines)
        if line["type"] == "result" and line["data"]["verb"] == "import-request"
        for request in line["data"]["value"]["requests"]
        for proof in request["proofs"]
    }
    assert field(proof, "subject") == f"subject=CN={codes.pop()}"
    assert not codes
    assert "CA:TRUE" not in extensions(proof)
    assert field(proof, "issuer").removeprefix("issuer=") == "CN=REHEARSAL Example Devices Root CA G1,O=Example,C=NO"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("proof-of-possession", {PROOF}),
        ("sign-intermediates", intermediates("gamma.1", "delta.1")),
        ("reshare", set()),
        ("recover-quorum", set()),
        ("sign-azure-issuing-ca", intermediates("azure-issuing-ca.1")),
        ("issue-crl", {CRL}),
        ("revoke-intermediate", {CRL}),
        ("check-token", set()),
        ("destroy-key", {CRL}),
        ("backup-token", {CRL}),
        ("recover-from-backup", {CRL}),
        ("reissue-intermediate", intermediates("alpha.1")),
    ],
)
def test_a_later_ceremony_goes_on_from_the_root_of_an_earlier_one(name: str, made: set[str], tmp_path: Path) -> None:
    folder = tmp_path / "D"
    ended = rehearsed(name, folder)
    assert ended.code == 0, ended
    previous = folder / "work" / "rehearsal" / "past" / "bundles" / "1"
    bundle = judged(folder, bundles=1, previous=previous)
    assert files(bundle) == ALWAYS | made
    assert (bundle / "root" / "example-root-g1.cert.pem").read_bytes() == (previous / "root" / "example-root-g1.cert.pem").read_bytes()
    if CRL in made:
        number = 2 if name == "recover-from-backup" else 1
        judged_by_openssl(bundle, previous, revoked={"revoke-intermediate": "alpha.1"}.get(name), number=number)
    if name == "reissue-intermediate":
        judged_as_reissued(bundle, previous)
    if name == "sign-intermediates":
        assert ceremony("verify", bundle).code == 8
        other = ceremony("verify", previous, "--previous", bundle)
        assert other.code == 1 and "FAILED  previous:" in other.out


def test_a_twin_stands_beside_the_first_root_in_its_chain(tmp_path: Path) -> None:
    folder = tmp_path / "D"
    ended = rehearsed("twin-root", folder)
    assert ended.code == 0, ended
    previous = folder / "work" / "rehearsal" / "past" / "bundles" / "1"
    [first] = (previous / "root").iterdir()
    bundles = [folder / "bundles" / str(number) for number in (1, 2)]
    for number, (bundle, before) in enumerate(zip(bundles, (previous, bundles[0]), strict=True), 1):
        done("verify", bundle, "--fingerprint", fingerprint(folder, number), "--previous", before)
        page = [sys.executable, "-I", "-S", str(ROOT / "docs" / "verify_bundle.py"), str(bundle), fingerprint(folder, number)]
        subprocess.run(page, cwd="/", check=True)
        assert (bundle / "root" / first.name).read_bytes() == first.read_bytes()
    name = "example-root-twin.cert.pem"
    twin, proof = bundles[1] / "root" / name, bundles[1] / "proof-of-possession" / "example-dps" / name
    assert field(twin, "pubkey") != field(first, "pubkey")
    accepts(twin, twin)
    accepts(twin, proof)
    tokens = [path for path in (folder / "work" / "rehearsal").glob("*token*/tokens/*") if path.is_dir()]
    assert len(tokens) == 2, "the twin lies on a token of its own"
    told = json.loads(done("duties", bundles[1], "--json").out)
    assert not [duty for duty in told["duties"] if duty["kind"] == "backup"]


def test_the_roll_over_leaves_two_roots_and_either_reaches_what_is_under_the_other(tmp_path: Path) -> None:
    ended = rehearsed("roll-over-root", tmp_path / "D")
    assert ended.code == 0, ended
    old, new = "example-root-g1", "example-root-g2"
    previous = tmp_path / "D" / "work" / "rehearsal" / "past" / "bundles" / "1"
    bundle = judged(tmp_path / "D", bundles=2, previous=previous, label=new)
    cross = {(of, by): f"cross/{of}/by-{by}.cert.pem" for of, by in ((new, old), (old, new))}
    proof = PROOF.replace(old, new)
    assert files(bundle) == ALWAYS | {f"root/{new}.cert.pem", *cross.values(), proof} | intermediates("alpha.1", "beta.2")
    for trusted, other, held in ((old, new, bundle), (new, old, previous)):
        alpha, way = held / "intermediates" / "alpha.1.cert.pem", bundle / cross[other, trusted]
        openssl("verify", "-x509_strict", "-CAfile", bundle / "root" / f"{trusted}.cert.pem", "-untrusted", way, alpha)


def test_the_twin_takes_over_the_intermediates_of_a_root_that_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "D"
    ended = rehearsed("recover-from-twin", folder)
    assert ended.code == 0, ended
    rehearsal, bundle = folder / "work" / "rehearsal", folder / "bundles" / "1"
    before = rehearsal / "past-of-the-twin" / "bundles" / "1"
    done("verify", bundle, "--fingerprint", fingerprint(folder, 1), "--previous", before)
    old, new = (place / "intermediates" / "alpha.1.cert.pem" for place in (rehearsal / "past" / "bundles" / "1", bundle))
    for alike in ("subject", "pubkey"):
        assert field(old, alike) == field(new, alike)
    accepts(bundle / "root" / "example-root-twin.cert.pem", new)
    accepts(bundle / "root" / "example-root-g1.cert.pem", old)
    ledger = json.loads((bundle / "record" / "ledger.json").read_text())
    (lost,) = ledger["ceremonies"][-1]["lost_tokens"]
    assert (lost["label"], lost["token"]) == ("example-root-g1", ledger["ceremonies"][0]["token"])


def judged_as_reissued(bundle: Path, previous: Path) -> None:
    """By openssl the same key and subject under another serial: what either certificate signed chains to the other."""
    new, old = (folder / "intermediates" / "alpha.1.cert.pem" for folder in (bundle, previous))
    for alike in ("subject", "issuer", "pubkey"):
        assert field(new, alike) == field(old, alike)
    assert field(new, "serial") != field(old, "serial")
    accepts(previous / "root" / "example-root-g1.cert.pem", new)


def judged_by_openssl(bundle: Path, previous: Path, revoked: str | None, number: int) -> None:
    """The CRL is the root's by openssl too, which then refuses the intermediate that it revokes, and no other."""
    root = bundle / "root" / "example-root-g1.cert.pem"
    crl = subprocess.run(
        ["openssl", "crl", "-in", bundle / CRL, "-CAfile", root, "-noout", "-crlnumber"], capture_output=True, text=True, check=True
    )
    assert "verify OK" in crl.stderr and crl.stdout.strip() in (f"crlNumber=0x0{number}", f"crlNumber=0x{number}")
    for certificate in (root, *previous.glob("intermediates/*.cert.pem")):
        ended = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", root, "-CRLfile", bundle / CRL, certificate], capture_output=True
        )
        assert (b"certificate revoked" in ended.stderr) == (certificate.name == f"{revoked}.cert.pem")


def test_what_leaves_is_what_lies_in_the_folder_and_can_leave_again(first_ceremony: Path, tmp_path: Path) -> None:
    folder = first_ceremony / "D"
    ended = done("export", "--dir", folder, "--outbox", tmp_path, "--bundle", "1")
    copy = Path(ended.out.strip())
    assert copy.parent == tmp_path
    bundle = folder / "bundles" / "1"
    assert files(copy) == files(bundle)
    assert all((copy / path).read_bytes() == (bundle / path).read_bytes() for path in files(bundle))
    received = folder / "work" / "rehearsal" / "outbox" / copy.name
    assert all((received / path).read_bytes() == (bundle / path).read_bytes() for path in files(bundle))


def test_the_report_of_a_bundle_is_the_one_inside_it(first_ceremony: Path, tmp_path: Path) -> None:
    bundle = first_ceremony / "D" / "bundles" / "2"
    for ending in ("html", "pdf"):
        done("report", bundle, "-o", tmp_path / f"report.{ending}")
        assert (tmp_path / f"report.{ending}").read_bytes() == (bundle / "record" / f"report.{ending}").read_bytes()


def test_the_shipped_scripts_are_those_of_the_checkout() -> None:
    assert SCRIPTS == ROOT / "ceremony-scripts"
