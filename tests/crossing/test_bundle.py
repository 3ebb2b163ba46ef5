"""The writer of a bundle and its ledger: pure functions of the record, and nothing half-written."""

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.canonical import canonical_json, parse_json
from ceremony.crossing.artifacts import describe_artifact, place_of
from ceremony.crossing.bundle import LEDGER, MANIFEST, REPORTS, TRANSCRIPT, make_bundle
from ceremony.crossing.files import Caps, read_tree
from ceremony.crossing.ledger import certified_keys, ledger_entries, ledger_of, read_ledger, serials_in, without_last
from ceremony.crossing.verify import verify_bundle
from ceremony.errors import CeremonyError, ExitCode
from ceremony.transcript import read_lines
from ceremony.words import sha256_hex
from tests.crossing.chaining import rechained
from tests.crossing.held_ceremony import HTML, PDF, HeldCeremony, first_session, later_ceremony, new_csr, whole_ceremony

ROOT = "root/example-root-g1.cert.pem"


@pytest.fixture
def held(tmp_path: Path) -> HeldCeremony:
    return whole_ceremony(tmp_path / "held")


def make(held: HeldCeremony, target: Path, **other: Any) -> Any:
    target.parent.mkdir(parents=True, exist_ok=True)
    arguments = {
        "ceremony_folder": held.folder,
        "lines_up_to_seal": held.transcript,
        "script": held.script,
        "previous_ledger": held.previous_ledger,
        "reports": dict(zip(REPORTS, (HTML, PDF), strict=True)),
    }
    return make_bundle(target, **(arguments | other))  # type: ignore[arg-type]  # the names above are its own


def refused(held: HeldCeremony, target: Path, **other: Any) -> str:
    with pytest.raises(CeremonyError) as why:
        make(held, target, **other)
    assert not target.exists()
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    return why.value.code


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bundle_is_what_the_record_says_and_verifies(held: HeldCeremony, tmp_path: Path) -> None:
    manifest = make(held, tmp_path / "bundles" / "2")
    assert files_of(tmp_path / "bundles" / "2") == held.bundle_files()
    assert verify_bundle(tmp_path / "bundles" / "2", fingerprint=held.fingerprint).exit_code == ExitCode.DONE
    assert (manifest.bundle, manifest.fingerprint, manifest.root_fingerprint) == (2, held.fingerprint, sha256_hex(held.root_der))
    written = parse_json((tmp_path / "bundles" / "2" / MANIFEST).read_bytes()[:-1])
    assert written.keys() == {"format", "ceremony", "rehearsal", "script_sha256", "root_fingerprint", "fingerprint", "bundle", "artifacts"}
    assert [entry["path"] for entry in written["artifacts"]] == sorted(
        files_of(tmp_path / "bundles" / "2").keys() - {MANIFEST, "SHA256SUMS"}
    )


def test_it_may_be_made_again_and_never_written_over(held: HeldCeremony, tmp_path: Path) -> None:
    target = tmp_path / "bundles" / "2"
    first = make(held, target)
    inode = target.stat().st_ino
    assert make(held, target) == first
    assert target.stat().st_ino == inode
    (target / "more").write_bytes(b"")
    with pytest.raises(CeremonyError) as exists:
        make(held, target)
    assert exists.value.code == "BUNDLE-EXISTS"
    assert (target / "more").exists()


def test_what_an_interrupted_call_left_is_cleared_away(held: HeldCeremony, tmp_path: Path) -> None:
    left = tmp_path / "bundles" / ".2.partial" / "root"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"-----BEGIN")
    make(held, tmp_path / "bundles" / "2")
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == ["2"]
    assert files_of(tmp_path / "bundles" / "2") == held.bundle_files()


def test_a_full_disk_leaves_nothing(held: HeldCeremony, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    real = os.fsync

    def fails_at_the_ninth(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) == 9:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fails_at_the_ninth)
    with pytest.raises(OSError, match="No space left"):
        make(held, tmp_path / "bundles" / "2")
    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_record_that_does_not_end_with_a_seal_is_refused(held: HeldCeremony, tmp_path: Path) -> None:
    lines = held.transcript.splitlines(keepends=True)
    target = tmp_path / "bundles" / "2"
    assert refused(held, target, lines_up_to_seal=b"".join(lines[:-1])) == "RECORD-BROKEN"
    assert refused(held, target, lines_up_to_seal=held.transcript + b"{") == "BUNDLE-RECORD"
    assert refused(held, target, script=held.script + b"\n") == "BUNDLE-RECORD"
    assert refused(held, target, reports={REPORTS[0]: HTML}) == "BUNDLE-RECORD"
    assert refused(held, target, reports={REPORTS[0]: HTML, REPORTS[1]: PDF, "record/more.txt": b""}) == "BUNDLE-RECORD"
    assert refused(held, target, previous_ledger=b'{"ceremonies":[],"format":1}\n') == "LEDGER-BROKEN"


def test_a_private_key_does_not_leave_in_any_file(held: HeldCeremony, tmp_path: Path, private_key_pem: bytes) -> None:
    target = tmp_path / "bundles" / "2"
    assert refused(held, target, reports={REPORTS[0]: HTML + private_key_pem, REPORTS[1]: PDF}) == "BUNDLE-PRIVATE-KEY"
    (held.folder / "work/artifacts" / ROOT).write_bytes(held.artifacts[ROOT] + private_key_pem)
    assert refused(held, target) == "BUNDLE-PRIVATE-KEY"
    line = {
        "type": "confirmed",
        "step": 1,
        "actor": "admin",
        "data": {"key": "x", "value": private_key_pem.decode(), "by": "admin", "digest": None},
    }
    held.lines.insert(3, line)
    assert refused(held, target) == "BUNDLE-PRIVATE-KEY"


@pytest.mark.parametrize("change", ["gone", "another", "trailing text", "not PEM"])
def test_an_artifact_that_is_not_the_sealed_one_is_refused(held: HeldCeremony, tmp_path: Path, change: str) -> None:
    path = held.folder / "work/artifacts" / ROOT
    octets = path.read_bytes()
    path.unlink()
    if change != "gone":
        other = held.artifacts["intermediates/alpha.1.cert.pem"]
        path.write_bytes({"another": other, "trailing text": octets + b"hello\n", "not PEM": b"hello\n"}[change])
    assert refused(held, tmp_path / "bundles" / "2") == "BUNDLE-KIND"


def test_an_artifact_is_described_from_its_bytes(held: HeldCeremony, private_key_pem: bytes) -> None:
    pem = held.artifacts[ROOT]
    certificate = x509.load_pem_x509_certificate(pem)
    artifact = describe_artifact(ROOT, pem)
    assert (artifact.kind, artifact.sha256, artifact.size) == ("root-certificate", sha256_hex(pem), len(pem))
    assert artifact.serial == f"{certificate.serial_number:040x}"
    assert artifact.subject == "CN=REHEARSAL Example Devices Root CA G1,O=Example,C=NO"
    chain = held.artifacts["intermediates/alpha.1.chain.pem"]
    assert describe_artifact("intermediates/alpha.1.chain.pem", chain).serial is None
    der = certificate.public_bytes(Encoding.DER)
    wrong = [
        (ROOT, chain, "BUNDLE-KIND"),
        (ROOT, der, "BUNDLE-KIND"),
        (ROOT, b"", "BUNDLE-KIND"),
        (ROOT, pem.replace(b"\n", b"\r\n"), "BUNDLE-KIND"),
        (ROOT, new_csr("CN=a"), "BUNDLE-KIND"),
        (ROOT, private_key_pem, "BUNDLE-PRIVATE-KEY"),
        ("intermediates/alpha.1.chain.pem", pem, "BUNDLE-KIND"),
    ]
    for path, octets, code in wrong:
        with pytest.raises(CeremonyError) as why:
            describe_artifact(path, octets)
        assert why.value.code == code


def test_only_the_places_of_the_contract_take_an_artifact() -> None:
    assert place_of(ROOT) == ("root-certificate", "example-root-g1")
    assert place_of("proof-of-possession/dps/root-g1.cert.pem") == ("proof-certificate", "dps/root-g1")
    for path in (
        "root/../x.cert.pem",
        "root/X.cert.pem",
        "./root/x.cert.pem",
        "root/x.cert.pem\n",
        "root/x.key.pem",
        "x.cert.pem",
        "root/.cert.pem",
    ):
        assert place_of(path) is None
        with pytest.raises(CeremonyError):
            describe_artifact(path, b"")


# --- the ledger


def test_the_ledger_is_a_pure_function_of_the_record(held: HeldCeremony) -> None:
    lines, _ = read_lines(held.transcript)
    assert ledger_of(lines, None) == ledger_of(lines, None) == held.bundle_files()[LEDGER]
    ledger = read_ledger(ledger_of(lines, None))
    (ceremony,) = ledger.ceremonies
    first_seal = next(line for line in lines if line.type == "sealed")
    assert ceremony.seals == (first_seal.sha256,)
    assert [(entry.purpose, entry.state) for entry in ceremony.entries] == [
        (purpose, "issued") for purpose in ("root", "proof", "intermediate", "intermediate")
    ]
    assert ceremony.root
    assert ceremony.root.certificate_sha256 == sha256_hex(held.root_der)


def test_entries_say_what_the_certificates_say(held: HeldCeremony) -> None:
    files = held.bundle_files()
    for entry in ledger_entries(files[LEDGER]):
        assert entry.path
        certificate = x509.load_pem_x509_certificate(files[entry.path])
        assert entry.serial == f"{certificate.serial_number:040x}"
        assert entry.to_be_signed_sha256 == sha256_hex(certificate.tbs_certificate_bytes)
        assert entry.not_after == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert entry.not_before == certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert entry.subject == describe_artifact(entry.path, files[entry.path]).subject
    assert len(serials_in(files[LEDGER])) == len(certified_keys(files[LEDGER])) == 4
    csr = held.products["csrs"]["alpha.1"]
    assert csr["spki_sha256"] in certified_keys(files[LEDGER])


def test_without_its_last_element_it_is_the_ledger_before_byte_for_byte(held: HeldCeremony, tmp_path: Path) -> None:
    before = held.bundle_files()[LEDGER]
    later = later_ceremony(tmp_path / "later", held)
    after = later.bundle_files()[LEDGER]
    assert without_last(after) == before
    assert without_last(before) is None
    first, second = read_ledger(after).ceremonies
    assert second.root == first.root
    assert [entry.purpose for entry in second.entries] == ["intermediate"]
    assert serials_in(before) < serials_in(after)


def test_another_ledger_than_the_one_the_record_names_is_refused(held: HeldCeremony, tmp_path: Path) -> None:
    lines, _ = read_lines(later_ceremony(tmp_path / "later", held).transcript)
    for ledger in (None, first_session(tmp_path / "other").bundle_files()[LEDGER]):
        with pytest.raises(CeremonyError) as why:
            ledger_of(lines, ledger)
        assert why.value.code == "LEDGER-BROKEN"


def test_a_signature_without_an_outcome_counts_as_possibly_made(held: HeldCeremony) -> None:
    held.lines = [line for line in held.lines if not (line["type"] == "result" and line["data"]["key"] == "batch/1/sign/beta.1")]
    lines, _ = read_lines(rechained(held.lines, sha256_hex(held.script)))
    states = {entry.subject: entry.state for entry in ledger_entries(ledger_of(lines, None))}
    assert states["CN=beta.1,O=Example"] == "possibly-signed"


@pytest.mark.parametrize("type", ["intent", "result"])
def test_bytes_that_were_not_on_the_disk_before_their_signature_make_no_ledger(held: HeldCeremony, type: str) -> None:
    stored = next(line for line in held.lines if line["type"] == type and line["data"].get("key") == "root/store")
    held.lines.remove(stored)
    with pytest.raises(CeremonyError) as why:
        held.bundle_files()
    assert why.value.code == "RECORD-BROKEN"
    signed = next(line for line in held.lines if line["data"].get("key") == "root/sign/example-root-g1")
    held.lines.insert(held.lines.index(signed) + 2, stored)
    with pytest.raises(CeremonyError) as late:
        held.bundle_files()
    assert late.value.code == "RECORD-BROKEN"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}\n",
        b'{"ceremonies":[],"format":2}\n',
        b'{"ceremonies":[],"format":1}',
        b'{"ceremonies":[],"extra":1,"format":1}\n',
        b'{"ceremonies":[{}],"format":1}\n',
    ],
)
def test_a_broken_ledger_is_refused(octets: bytes) -> None:
    with pytest.raises(CeremonyError) as why:
        read_ledger(octets)
    assert why.value.code == "LEDGER-BROKEN"


def test_the_transcript_of_a_bundle_is_canonical_and_ends_with_its_fingerprint(held: HeldCeremony) -> None:
    stored = held.bundle_files()[TRANSCRIPT].splitlines(keepends=True)
    assert sha256_hex(stored[-1]) == held.fingerprint
    assert all(canonical_json(parse_json(line[:-1])) + b"\n" == line for line in stored)


def test_many_small_files_are_refused_by_their_sum(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}").write_bytes(b"x" * 40)
    tree = read_tree(tmp_path, Caps(largest_file=50, largest_total=100, most_files=9, deepest=1))
    assert (len(tree.files), tree.size) == (2, 80)
    assert all("is larger than the 20 bytes allowed here" in problem for problem in tree.problems), tree.problems
