"""Any byte changed, any file added, removed, renamed or linked: `verify` exits 1 and names the check."""

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ceremony.crossing.verify import Verdict, verify_bundle
from ceremony.report.rendering import reports_of_bundle
from tests.e2e.commands import ceremony, done

FILES = [
    "SHA256SUMS",
    "manifest.json",
    "root/example-root-g1.cert.pem",
    "intermediates/alpha.1.cert.pem",
    "intermediates/alpha.1.chain.pem",
    "intermediates/beta.1.cert.pem",
    "intermediates/beta.1.chain.pem",
    "proof-of-possession/example-dps/example-root-g1.cert.pem",
    "record/script.toml",
    "record/transcript.jsonl",
    "record/ledger.json",
    "record/report.html",
    "record/report.pdf",
]
SAMPLES = 1
"""Random places in each file, besides its first and its last byte; more are tried in tests/crossing/test_verify.py."""

_rendered: dict[str, Mapping[str, bytes]] = {}


def rendered_once(bundle: Path) -> Mapping[str, bytes]:
    """The real reports, made once for each script and transcript."""
    digest = hashlib.sha256(
        (bundle / "record/script.toml").read_bytes() + b"\0" + (bundle / "record/transcript.jsonl").read_bytes()
    ).hexdigest()
    if digest not in _rendered:
        _rendered[digest] = reports_of_bundle(bundle)
    return _rendered[digest]


@pytest.fixture
def bundle(first_ceremony: Path, tmp_path: Path) -> Path:
    """A copy of the last bundle, to be spoilt."""
    return Path(shutil.copytree(first_ceremony / "D" / "bundles" / "2", tmp_path / "bundle"))


@pytest.fixture(scope="module")
def fingerprint(first_ceremony: Path) -> str:
    return str(json.loads(done("status", "--dir", first_ceremony / "D", "--json").out)["fingerprint"])


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def with_sums_made_anew(bundle: Path) -> None:
    """As a forger would: SHA256SUMS says what now lies there."""
    paths = sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((bundle / path).read_bytes()).hexdigest()}  {path}\n" for path in paths]
    (bundle / "SHA256SUMS").write_text("".join(lines))


def test_these_are_all_the_files(bundle: Path, fingerprint: str) -> None:
    assert sorted(FILES) == sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file())
    verdict = verify_bundle(bundle, fingerprint=fingerprint, render=rendered_once)
    assert verdict.word == "GOOD"
    before = (bundle / "SHA256SUMS").read_bytes()
    with_sums_made_anew(bundle)
    assert (bundle / "SHA256SUMS").read_bytes() == before


@pytest.mark.parametrize("path", FILES)
def test_any_byte_flipped_in_any_file(path: str, bundle: Path, fingerprint: str) -> None:
    file = bundle / path
    whole = file.read_bytes()
    chance = random.Random(path)
    places = [0, len(whole) - 1, *chance.sample(range(len(whole)), SAMPLES)]
    for place in places:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ chance.randrange(1, 256)]) + whole[place + 1 :])
        assert "sums" in failed(verify_bundle(bundle, fingerprint=fingerprint, render=rendered_once)), place
    if path != "SHA256SUMS":
        with_sums_made_anew(bundle)
        verdict = verify_bundle(bundle, fingerprint=fingerprint, render=rendered_once)
        assert failed(verdict) and "sums" not in failed(verdict), (places[-1], verdict)


@pytest.mark.parametrize("path", ["manifest.json", "root/example-root-g1.cert.pem", "record/transcript.jsonl", "record/report.pdf"])
def test_the_command_says_which_check_failed(path: str, bundle: Path, fingerprint: str) -> None:
    file = bundle / path
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    ended = ceremony("verify", bundle, "--fingerprint", fingerprint)
    assert ended.code == 1, ended
    assert "FAILED  sums: " in ended.out and path.rpartition("/")[2] in ended.out
    assert ended.out.splitlines()[-1].endswith("Verdict: FAILED")
    assert ended.err == ""


def add(bundle: Path) -> None:
    (bundle / "notes.txt").write_text("nothing to see here")


def add_beside_a_certificate(bundle: Path) -> None:
    shutil.copy(bundle / "intermediates/alpha.1.cert.pem", bundle / "intermediates/gamma.1.cert.pem")


def add_an_empty_folder(bundle: Path) -> None:
    (bundle / "crl").mkdir()


def add_a_hidden_file(bundle: Path) -> None:
    (bundle / "record/.transcript.jsonl.swp").touch()


def add_a_pipe(bundle: Path) -> None:
    os.mkfifo(bundle / "pipe")


def remove_a_certificate(bundle: Path) -> None:
    (bundle / "intermediates/beta.1.cert.pem").unlink()


def remove_the_report(bundle: Path) -> None:
    (bundle / "record/report.pdf").unlink()


def remove_the_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").unlink()


def remove_the_transcript(bundle: Path) -> None:
    (bundle / "record/transcript.jsonl").unlink()


def remove_the_sums(bundle: Path) -> None:
    (bundle / "SHA256SUMS").unlink()


def rename(bundle: Path) -> None:
    (bundle / "intermediates/alpha.1.cert.pem").rename(bundle / "intermediates/alpha.2.cert.pem")


def rename_only_the_case(bundle: Path) -> None:
    (bundle / "manifest.json").rename(bundle / "MANIFEST.json")


def swap(bundle: Path) -> None:
    alpha, beta, aside = (bundle / f"intermediates/{name}.cert.pem" for name in ("alpha.1", "beta.1", "aside"))
    alpha.rename(aside)
    beta.rename(alpha)
    aside.rename(beta)


def link_softly(bundle: Path) -> None:
    outside = bundle.with_name("outside.pem")
    (bundle / "root/example-root-g1.cert.pem").rename(outside)
    (bundle / "root/example-root-g1.cert.pem").symlink_to(outside)


def link_a_folder(bundle: Path) -> None:
    (bundle / "record").rename(bundle.with_name("outside"))
    (bundle / "record").symlink_to(bundle.with_name("outside"))


def cut_the_chain(bundle: Path) -> None:
    transcript = bundle / "record/transcript.jsonl"
    transcript.write_bytes(b"".join(transcript.read_bytes().splitlines(keepends=True)[:-3]))


def take_a_line_out(bundle: Path) -> None:
    transcript = bundle / "record/transcript.jsonl"
    lines = transcript.read_bytes().splitlines(keepends=True)
    transcript.write_bytes(b"".join(lines[:40] + lines[41:]))


SPOILT: dict[Callable[[Path], None], str] = {
    add: "files",
    add_beside_a_certificate: "files",
    add_an_empty_folder: "folder",
    add_a_hidden_file: "files",
    add_a_pipe: "folder",
    remove_a_certificate: "files",
    remove_the_report: "files",
    remove_the_manifest: "files",
    remove_the_transcript: "record",
    remove_the_sums: "sums",
    rename: "files",
    rename_only_the_case: "files",
    swap: "intermediates",
    link_softly: "folder",
    link_a_folder: "folder",
    cut_the_chain: "record",
    take_a_line_out: "record",
}


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_what_is_added_removed_renamed_or_linked(spoil: Callable[[Path], None], bundle: Path, fingerprint: str) -> None:
    spoil(bundle)
    verdict = verify_bundle(bundle, fingerprint=fingerprint, render=rendered_once)
    assert SPOILT[spoil] in failed(verdict), verdict
    if not any(path.is_symlink() or path.is_fifo() for path in bundle.rglob("*")):
        with_sums_made_anew(bundle)
        again = verify_bundle(bundle, fingerprint=fingerprint, render=rendered_once)
        assert again.exit_code == 1 or spoil is remove_the_sums, again


@pytest.mark.parametrize(
    "spoil", [add, remove_the_report, remove_the_transcript, rename, link_softly, link_a_folder], ids=lambda spoil: spoil.__name__
)
def test_the_command_says_so_too(spoil: Callable[[Path], None], bundle: Path, fingerprint: str) -> None:
    spoil(bundle)
    ended = ceremony("verify", bundle, "--fingerprint", fingerprint, "--json")
    assert ended.code == 1, ended
    told = json.loads(ended.out)
    assert told["verdict"] == "FAILED"
    assert SPOILT[spoil] in {check["name"] for check in told["checks"] if not check["passed"]}


def test_a_fingerprint_of_another_bundle_or_only_part_of_one(bundle: Path, fingerprint: str) -> None:
    other = hashlib.sha256(b"other").hexdigest()
    ended = ceremony("verify", bundle, "--fingerprint", other)
    assert ended.code == 1 and "FAILED  fingerprint: " in ended.out
    part = ceremony("verify", bundle, "--fingerprint", fingerprint[:16])
    assert part.code == 2 and "Code: ANCHOR-INCOMPLETE" in part.err
