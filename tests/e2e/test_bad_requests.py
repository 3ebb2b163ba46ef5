"""What is wrong with what comes in over the air gap: refused by its name, the record whole, and the ceremony goes on with a good one."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ceremony.canonical import canonical_json
from ceremony.crossing.files import sums_of
from ceremony.steps.roll_call import IDENTIFIED
from ceremony.words import sha256_hex
from hsm.client import Module
from tests.e2e.commands import SCRIPTS, Ended, ceremony, done, four_parts, refused
from tests.e2e.held import copied, gone_on_to_the_end, lines_of, nothing_half_written, paused_for, status
from tests.e2e.openssl import csr, openssl

Files = dict[str, bytes]
NAMES = ("alpha.1", "beta.1")


@pytest.fixture(scope="session")
def answers(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The shipped answers, but for leaving at the crossing."""

    def make(folder: Path) -> None:
        shipped = (SCRIPTS / "first-ceremony.answers.toml").read_text()
        (folder / "answers.toml").write_text(shipped + '"crossing/go-on" = "leave"\n')

    return once("answers-that-leave", make) / "answers.toml"


@pytest.fixture(scope="session")
def before_import(once: Callable[[str, Callable[[Path], None]], Path], answers: Path) -> Path:
    """A first ceremony whose root has left, paused where the inbound medium is asked for; the next command is `resume`."""

    def make(folder: Path) -> None:
        script = SCRIPTS / "first-ceremony.toml"
        done("rehearse", script, "--answers", answers, "--dir", folder / "D")
        people = ["Kari Holm", "Nils Berg", "Eva Lund", "Jon Vik", *["present"] * 4, *[IDENTIFIED[0]] * 4]
        bag, seal = "REHEARSAL-BAG-0002", "REHEARSAL-SEAL-0002"
        typed = [status(folder / "D")["fingerprint"], *people, "agrees", "agrees", "seen", "seen", bag, bag, seal, seal, ":pause"]
        ended = ceremony("resume", "--dir", folder / "D", "--plain", typed="".join(f"{line}\n" for line in typed))
        assert ended.code == 0, ended
        paused_for(folder / "D", "operator")

    return once("before-import", make) / "D"


@pytest.fixture(scope="session")
def good(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A medium with a request that nothing is wrong with."""

    def make(folder: Path) -> None:
        given = [f"--csr={name}={csr(folder / f'{name}.pem', f'/O=Example/CN={name}')}" for name in NAMES]
        done("online", "request", "-o", folder / "medium" / "request-1", *given)

    return once("good-request", make) / "medium"


def signing_request(
    key: CertificateIssuerPrivateKeyTypes, common_name: str = "Alpha 1", organisation: str = "Example"
) -> x509.CertificateSigningRequest:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes)).sign(key, hashes.SHA256())


def request_files(given: dict[str, bytes], **changes: object) -> Files:
    """A request as somebody makes it who checks nothing; `changes` go into request.json."""
    packed = []
    for name, pem in given.items():
        try:
            key = x509.load_pem_x509_csr(pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except ValueError:
            key = b""
        packed.append({"name": name, "path": f"csr/{name}.csr.pem", "sha256": sha256_hex(pem), "spki_sha256": sha256_hex(key)})
    usual = {"format": 1, "made_at": "2026-11-20T00:00:00Z", "root_fingerprint": None, "proofs": [], "csrs": packed}
    files = {**{f"csr/{name}.csr.pem": pem for name, pem in given.items()}, "request.json": canonical_json({**usual, **changes}) + b"\n"}
    return {**files, "SHA256SUMS": sums_of(files)}


def one(pem: bytes | x509.CertificateSigningRequest, name: str = "alpha.1", **changes: object) -> Files:
    return request_files({name: pem if isinstance(pem, bytes) else pem.public_bytes(Encoding.PEM)}, **changes)


def put(files: Files, medium: Path) -> Path:
    for path, octets in files.items():
        target = medium / "request-1" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(octets)
    return medium


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def with_a_wrong_hash() -> Files:
    files = one(signing_request(ec_key()))
    return {**files, "csr/alpha.1.csr.pem": files["csr/alpha.1.csr.pem"] + b"\n"}


def with_a_path_out_of_the_folder() -> Files:
    pem = signing_request(ec_key()).public_bytes(Encoding.PEM)
    entry = {"name": "alpha.1", "path": "../../work/x.pem", "sha256": sha256_hex(pem), "spki_sha256": "0" * 64}
    return request_files({}, csrs=[entry])


def with_an_unknown_file() -> Files:
    files = {**one(signing_request(ec_key())), "run-me.sh": b"#!/bin/sh\n"}
    del files["SHA256SUMS"]
    return {**files, "SHA256SUMS": sums_of(files)}


def with_a_name_that_we_do_not_take() -> Files:
    return {**one(signing_request(ec_key())), "csr/\u202ecod.exe": b""}


def that_is_too_large() -> Files:
    return one(b"#" * 70_000)


def with_a_broken_csr() -> Files:
    return one(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")


def with_a_csr_signed_by_another_key() -> Files:
    ours, theirs = (signing_request(ec_key()).public_bytes(Encoding.DER) for _ in range(2))
    tbs = len(x509.load_der_x509_csr(ours).tbs_certrequest_bytes)
    spliced = x509.load_der_x509_csr(theirs).tbs_certrequest_bytes
    assert len(spliced) == tbs
    der = ours.replace(x509.load_der_x509_csr(ours).tbs_certrequest_bytes, spliced)
    return one(openssl("req", "-inform", "DER", given=der).encode())


BROKEN: dict[Callable[[], Files], tuple[str, int]] = {
    with_a_wrong_hash: ("REQUEST-SUMS", 1),
    with_a_path_out_of_the_folder: ("REQUEST-BROKEN", 1),
    with_an_unknown_file: ("REQUEST-FILES", 1),
    with_a_name_that_we_do_not_take: ("MEDIUM-NAME", 1),
    that_is_too_large: ("MEDIUM-TOO-LARGE", 1),
    with_a_broken_csr: ("CSR-BROKEN", 2),
    with_a_csr_signed_by_another_key: ("CSR-SIGNATURE", 7),
}
"""Requests that can't be read as one: the import itself fails."""


@pytest.mark.parametrize("bad", BROKEN, ids=lambda bad: bad.__name__)
def test_a_request_that_is_broken(bad: Callable[[], Files], before_import: Path, good: Path, answers: Path, tmp_path: Path) -> None:
    folder = copied(before_import, tmp_path / "D")
    put(bad(), tmp_path / "I")
    code, exit_code = BROKEN[bad]
    ended = ceremony("resume", "--dir", folder, "--answers", answers, "--inbox", tmp_path / "I")
    assert ended.code == exit_code, ended
    assert four_parts(ended.err)["Code"] == code
    paused_for(folder, "error", code)
    assert not list((tmp_path / "D").rglob("x.pem"))
    nothing_half_written(folder)
    if bad in TO_THE_END:
        same_key(gone_on_to_the_end(folder, answers, "--inbox", good), good)


def same_key(bundle: Path, good: Path) -> None:
    """The good CSRs were certified, and nothing that a rehearsal made up."""
    for name in NAMES:
        certified = openssl("x509", "-in", bundle / "intermediates" / f"{name}.cert.pem", "-noout", "-pubkey")
        assert certified == openssl("req", "-in", good.parent / f"{name}.pem", "-noout", "-pubkey")


def test_a_link_on_the_medium(before_import: Path, good: Path, answers: Path, tmp_path: Path) -> None:
    folder = copied(before_import, tmp_path / "D")
    medium = put(one(signing_request(ec_key())), tmp_path / "I")
    (medium / "request-1" / "csr" / "alpha.1.csr.pem").unlink()
    (medium / "request-1" / "csr" / "alpha.1.csr.pem").symlink_to("/etc/passwd")
    ended = ceremony("resume", "--dir", folder, "--answers", answers, "--inbox", medium)
    assert ended.code == 1 and four_parts(ended.err)["Code"] == "MEDIUM-LINK", ended
    paused_for(folder, "error", "MEDIUM-LINK")
    gone_on_to_the_end(folder, answers, "--inbox", good)


def with_a_name_that_the_script_lacks(folder: Path) -> Files:
    return one(signing_request(ec_key()), "gamma.1")


def with_rsa_1024(folder: Path) -> Files:
    return one(signing_request(rsa.generate_private_key(65537, 1024)))


def with_a_refused_curve(folder: Path) -> Files:
    return one(signing_request(ec.generate_private_key(ec.SECP256K1())))


def with_the_roots_own_key(folder: Path) -> Files:
    """Signed on the token itself, as only somebody could who has the PIN."""
    root = x509.load_pem_x509_certificate((folder / "bundles/1/root/example-root-g1.cert.pem").read_bytes())
    public = root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    stand_in = ec.generate_private_key(ec.SECP384R1())
    stand_in_public = stand_in.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    draft = signing_request(stand_in).tbs_certrequest_bytes.replace(stand_in_public, public)
    [opened] = [line for line in lines_of(folder) if line.type == "opened"]
    generated = next(line for line in lines_of(folder) if line.type == "result" and line.data["verb"] == "generate-key")
    environment = {"SOFTHSM2_CONF": str(folder / "work/rehearsal/token/softhsm2.conf")}
    with Module.start(Path(opened.data["module"]["path"]), environment) as module:
        token = module.token(label="example-root")
        token.login(bytearray(b"rehearsal-user-pin"))
        made = token.sign(bytes.fromhex(generated.data["value"]["key_id"]), "ecdsa-sha256", draft)
    # CertificationRequest: the draft, ecdsa-with-SHA256 (RFC 5758 section 3.2), the signature as a bit string.
    rest = bytes.fromhex("300a06082a8648ce3d040302") + b"\x03" + bytes([len(made.signature) + 1, 0]) + made.signature
    der = b"\x30\x82" + (len(draft) + len(rest)).to_bytes(2, "big") + draft + rest
    line = ["openssl", "req", "-inform", "DER", "-verify", "-noout"]
    assert b"verify OK" in subprocess.run(line, input=der, capture_output=True, check=True).stderr
    return one(openssl("req", "-inform", "DER", given=der).encode())


def with_a_subject_outside_the_pattern(folder: Path) -> Files:
    return one(signing_request(ec_key(), organisation="Somebody Else"))


def with_a_subject_that_turns_its_direction(folder: Path) -> Files:
    return one(signing_request(ec_key(), "Alpha \u202e1 rotcaF"))


def with_a_subject_that_controls_the_screen(folder: Path) -> Files:
    return one(signing_request(ec_key(), "Alpha\x1b]0;owned\x07 1"))


def for_another_root(folder: Path) -> Files:
    return one(signing_request(ec_key()), root_fingerprint="ab" * 32)


def from_the_future(folder: Path) -> Files:
    return one(signing_request(ec_key()), made_at="2199-01-01T00:00:00Z")


def with_one_key_under_two_names(folder: Path) -> Files:
    pem = signing_request(ec_key()).public_bytes(Encoding.PEM)
    return request_files({"alpha.1": pem, "beta.1": pem})


REFUSED: dict[Callable[[Path], Files], str] = {
    with_a_name_that_the_script_lacks: "REQUEST-NAME",
    with_rsa_1024: "CSR-KEY-REFUSED",
    with_a_refused_curve: "CSR-KEY-REFUSED",
    with_the_roots_own_key: "CSR-ROOT-KEY",
    with_a_subject_outside_the_pattern: "CSR-SUBJECT",
    with_a_subject_that_turns_its_direction: "CSR-SUBJECT",
    with_a_subject_that_controls_the_screen: "CSR-SUBJECT",
    for_another_root: "REQUEST-ROOT",
    from_the_future: "REQUEST-TIME",
    with_one_key_under_two_names: "CSR-ALREADY-CERTIFIED",
}
"""Requests that are whole, and that script or profile do not take: the step says why, and asks for another medium."""


TO_THE_END: tuple[Callable[..., Files], ...] = (
    with_a_wrong_hash,
    with_a_csr_signed_by_another_key,
    with_rsa_1024,
    with_one_key_under_two_names,
)
"""After these the ceremony goes on to its end: one where sums and one where a CSR broke the import, two that the step refused.

The others leave the record as one of these does, which is asserted of each.
"""


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.__name__)
def test_a_request_that_the_script_does_not_take(
    bad: Callable[[Path], Files], before_import: Path, good: Path, answers: Path, tmp_path: Path
) -> None:
    folder = copied(before_import, tmp_path / "D")
    medium = put(bad(folder), tmp_path / "I")
    # In lines, as a person would read it; an unattended run is not shown what is to be read before an answer.
    typed = [status(folder)["fingerprint"], *["present"] * 4, "import", "seen", "import", "pause"]
    ended = ceremony("resume", "--dir", folder, "--plain", "--inbox", medium, typed="".join(f"{line}\n" for line in typed))
    assert f"{REFUSED[bad]}: " in ended.err, ended
    assert all(character == "\n" or " " <= character <= "~" for character in ended.err)
    # What was brought and refused is not made up in its place.
    assert ended.code == 2 and four_parts(ended.err)["Code"] == "MEDIUM-NO-REQUEST", ended
    paused_for(folder, "error", "MEDIUM-NO-REQUEST")
    assert not any(line.type == "result" and line.data["verb"] == "serial-number" and line.step == 21 for line in lines_of(folder))
    nothing_half_written(folder)
    if bad in TO_THE_END:
        same_key(gone_on_to_the_end(folder, answers, "--inbox", good), good)


def test_a_medium_without_a_request(before_import: Path, answers: Path, tmp_path: Path) -> None:
    """Gone, not mounted, or somebody's holiday pictures: a rehearsal with a medium says so."""
    folder = copied(before_import, tmp_path / "D")
    ended = ceremony("resume", "--dir", folder, "--answers", answers, "--inbox", tmp_path / "gone")
    assert ended.code == 2 and four_parts(ended.err)["Code"] == "MEDIUM-GONE", ended
    paused_for(folder, "error", "MEDIUM-GONE")


@pytest.mark.parametrize(
    ("given", "exit_code", "code"),
    [
        (["--csr", "alpha.1=missing.pem"], 2, "REQUEST-MISSING"),
        (["--csr", "alpha.1"], 2, "USAGE"),
        (["--csr", "../alpha=good.pem"], 2, "REQUEST-NAME"),
        (["--csr", "alpha.1=broken.pem"], 2, "CSR-BROKEN"),
        (["--csr", "alpha.1=small.pem"], 7, "CSR-KEY-REFUSED"),
        (["--csr", "alpha.1=good.pem", "--csr", "beta.1=good.pem"], 7, "CSR-ALREADY-CERTIFIED"),
        ([], 2, "USAGE"),
        (["--dps", "example-dps"], 2, "USAGE"),
        (["--new-code"], 2, "USAGE"),
    ],
)
def test_the_online_side_refuses_what_no_ceremony_takes(given: list[str], exit_code: int, code: str, tmp_path: Path) -> None:
    csr(tmp_path / "good.pem", "/O=Example/CN=Alpha 1")
    csr(tmp_path / "small.pem", "/O=Example/CN=Alpha 1", "rsa", "rsa_keygen_bits:1024")
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")
    refused(ceremony("online", "request", "-o", "request-1", *given, cwd=tmp_path), exit_code, code)
    assert not (tmp_path / "request-1").exists()


def test_nothing_is_written_over_a_request_that_is_there(tmp_path: Path) -> None:
    csr(tmp_path / "a.pem", "/O=Example/CN=Alpha 1")
    done("online", "request", "-o", tmp_path / "request-1", "--csr", f"alpha.1={tmp_path / 'a.pem'}")
    before = (tmp_path / "request-1" / "SHA256SUMS").read_bytes()
    ended: Ended = ceremony("online", "request", "-o", tmp_path / "request-1", "--csr", f"alpha.1={tmp_path / 'a.pem'}")
    refused(ended, 2, "REQUEST-EXISTS")
    assert (tmp_path / "request-1" / "SHA256SUMS").read_bytes() == before
    assert json.loads((tmp_path / "request-1" / "request.json").read_bytes())["format"] == 1
