"""`verify`: a good bundle passes, and whatever was changed afterwards or forged from the start fails by its name."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing.bundle import LEDGER, MANIFEST, REPORTS, SCRIPT, TRANSCRIPT
from ceremony.crossing.files import SUMS, sums_of
from ceremony.crossing.verify import Verdict, verify_bundle
from ceremony.errors import CeremonyError, ExitCode
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex
from tests.crossing.forging import failed, lines_where, put, verdict_on
from tests.crossing.held_ceremony import (
    HTML,
    PDF,
    HeldCeremony,
    first_session,
    later_ceremony,
    second_session,
    whole_ceremony,
)  # fmt: skip

ROOT = "root/example-root-g1.cert.pem"
PROOF = "proof-of-possession/example-dps/example-root-g1.cert.pem"


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"))


@pytest.fixture
def bundle(held: HeldCeremony, tmp_path: Path) -> Path:
    return held.write_bundle(tmp_path / "bundle")


# --- a good bundle, and its anchors


def test_a_good_bundle_is_unanchored_without_an_anchor(bundle: Path) -> None:
    verdict = verify_bundle(bundle)
    assert failed(verdict) == set()
    assert (verdict.word, verdict.exit_code, verdict.anchored) == ("UNANCHORED", ExitCode.UNANCHORED, False)
    assert verdict.rehearsal is True
    assert all("signed with the credential" in text for text in verdict.signed_by)
    assert len(verdict.signed_by) == 3


def test_a_check_claims_nothing_of_what_is_not_in_the_bundle(bundle: Path) -> None:
    told = {check.name: check.detail for check in verify_bundle(bundle).checks}
    assert told["proofs"] == "signed by the root itself, on the code that came in"
    for name in ("crl", "backup", "attachments", "attestation", "cross-certificates"):
        assert told[name] == "nothing of the kind in this bundle"


@pytest.mark.parametrize("anchor", ["fingerprint", "script_digest", "root_fingerprint"])
def test_an_anchor_makes_it_good_and_a_wrong_one_fails(held: HeldCeremony, bundle: Path, anchor: str) -> None:
    right = {"fingerprint": held.fingerprint, "script_digest": sha256_hex(held.script), "root_fingerprint": sha256_hex(held.root_der)}
    good = verify_bundle(bundle, **{anchor: right[anchor]})  # type: ignore[arg-type]  # one keyword of three
    assert (good.word, good.exit_code) == ("GOOD", ExitCode.DONE)
    wrong = verify_bundle(bundle, **{anchor: "0" * 64})  # type: ignore[arg-type]  # one keyword of three
    assert failed(wrong) == {anchor.replace("_", "-")}
    assert (wrong.word, wrong.exit_code, wrong.anchored) == ("FAILED", ExitCode.CHECK_FAILED, False)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError) as missing:
        verify_bundle(tmp_path / "nothing")
    assert (missing.value.code, missing.value.exit_code) == ("BUNDLE-MISSING", ExitCode.USAGE)


def test_an_empty_folder_fails(tmp_path: Path) -> None:
    assert {"record", "sums"} <= failed(verify_bundle(tmp_path))


def test_coreutils_and_openssl_give_the_same_answers(held: HeldCeremony, bundle: Path) -> None:
    def run(*command: str) -> str:
        return subprocess.run(command, cwd=bundle, check=True, capture_output=True, text=True).stdout

    assert run("sha256sum", "--strict", "-c", SUMS).count(": OK") == len(held.bundle_files()) - 1
    assert run("sh", "-c", f"tail -n1 {TRANSCRIPT} | sha256sum").split()[0] == held.fingerprint
    for path in ("intermediates/alpha.1.cert.pem", "intermediates/beta.1.cert.pem", PROOF):
        assert run("openssl", "verify", "-no_check_time", "-x509_strict", "-CAfile", ROOT, path) == f"{path}: OK\n"


# --- changed afterwards


def _places(length: int, most: int) -> list[int]:
    return sorted({round(number * (length - 1) / (most - 1)) for number in range(most)})


def test_any_byte_flipped_in_any_file_fails(held: HeldCeremony, bundle: Path) -> None:
    for path, octets in held.bundle_files().items():
        for place in _places(len(octets), 9):
            flipped = bytearray(octets)
            flipped[place] ^= 1 << (place % 8)
            (bundle / path).write_bytes(flipped)
            verdict = verify_bundle(bundle, fingerprint=held.fingerprint)
            assert verdict.exit_code == ExitCode.CHECK_FAILED, (path, place)
            assert "sums" in failed(verdict), (path, place)
        (bundle / path).write_bytes(octets)
    assert verify_bundle(bundle, fingerprint=held.fingerprint).exit_code == ExitCode.DONE


def test_any_byte_flipped_fails_when_the_sums_are_made_to_fit(held: HeldCeremony, bundle: Path) -> None:
    files = held.bundle_files()
    for path, octets in files.items():
        if path == SUMS:
            continue
        for place in _places(len(octets), 9):
            flipped = octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]
            (bundle / path).write_bytes(flipped)
            (bundle / SUMS).write_bytes(sums_of(files | {path: flipped}))
            assert verify_bundle(bundle, fingerprint=held.fingerprint).exit_code == ExitCode.CHECK_FAILED, (path, place)
        (bundle / path).write_bytes(octets)


@pytest.mark.parametrize(
    ("path", "check"),
    [
        (SCRIPT, "script"),
        (LEDGER, "ledger"),
        (ROOT, "artifacts-accounted"),
        (PROOF, "artifacts-accounted"),
        (REPORTS[0], "report"),
        (REPORTS[1], "report"),
    ],
)
def test_a_changed_file_fails_by_name_when_manifest_and_sums_are_made_to_fit(
    held: HeldCeremony, tmp_path: Path, path: str, check: str
) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[path] = files[path].replace(b"e", b"f", 1) if path.endswith((".toml", ".json")) else files[path] + b"\n"

    forged = held.write_bundle(tmp_path / "forged", change)
    verdict = verify_bundle(forged, render=lambda _: dict(zip(REPORTS, (HTML, PDF), strict=True)))
    assert check in failed(verdict)
    assert "sums" not in failed(verdict)


def test_a_manifest_that_says_otherwise_fails_by_name(held: HeldCeremony, bundle: Path) -> None:
    files = held.bundle_files()
    files[MANIFEST] = files[MANIFEST].replace(b'"rehearsal":true', b'"rehearsal":false')
    assert files[MANIFEST] != (bundle / MANIFEST).read_bytes()
    (bundle / MANIFEST).write_bytes(files[MANIFEST])
    (bundle / SUMS).write_bytes(sums_of({path: octets for path, octets in files.items() if path != SUMS}))
    assert failed(verify_bundle(bundle, fingerprint=held.fingerprint)) == {"manifest"}


def test_reports_are_rendered_again_and_compared(bundle: Path) -> None:
    same = verify_bundle(bundle, render=lambda _: {REPORTS[0]: HTML, REPORTS[1]: PDF})
    assert failed(same) == set()
    assert failed(verify_bundle(bundle, render=lambda _: {REPORTS[0]: HTML, REPORTS[1]: PDF + b"x"})) == {"report"}
    assert _report(verify_bundle(bundle)) == (True, "not rendered again here")


def test_a_report_of_another_version_is_told_of_and_not_compared(tmp_path: Path) -> None:
    held = whole_ceremony(tmp_path / "held")
    here = {"version": "0.1.0", "sha256": "ab" * 32, "packages": {"typst": {"version": "0.15.2"}}}
    put("resumed", {}, tool=here)(held)
    bundle = held.write_bundle(tmp_path / "bundle")

    def verdict(pdf: bytes, program: dict[str, Any]) -> Verdict:
        return verify_bundle(bundle, render=lambda _: {REPORTS[0]: HTML, REPORTS[1]: pdf}, program=program)

    assert _report(verdict(PDF, here)) == (True, "rendered again and the same; a rendering, not evidence")
    assert failed(verdict(PDF + b"x", here)) == {"report"}
    for other in (here | {"sha256": "cd" * 32}, here | {"version": "0.2.0"}, here | {"packages": {"typst": {"version": "0.16.0"}}}):
        assert failed(verdict(PDF + b"x", other)) == set()
        assert _report(verdict(PDF + b"x", other))[1].startswith("NOT COMPARED: made by another version (0.1.0 code abab")
        assert _report(verdict(PDF, other)) == (True, "rendered again and the same; a rendering, not evidence")


def _report(verdict: Verdict) -> tuple[bool, str]:
    return next((check.passed, check.detail) for check in verdict.checks if check.name == "report")


def _remove(bundle: Path, path: str) -> None:
    (bundle / path).unlink()


def _rename(bundle: Path, path: str) -> None:
    (bundle / path).rename(bundle / f"{path}.old")


def _symlink(bundle: Path, path: str) -> None:
    (bundle / path).rename(bundle.parent / "elsewhere")
    (bundle / path).symlink_to(bundle.parent / "elsewhere")


def _hard_link(bundle: Path, path: str) -> None:
    os.link(bundle / path, bundle.parent / "another-name")


@pytest.mark.parametrize("change", [_remove, _rename, _symlink, _hard_link])
@pytest.mark.parametrize("path", [SUMS, MANIFEST, SCRIPT, TRANSCRIPT, LEDGER, *REPORTS, ROOT, PROOF, "intermediates/beta.1.chain.pem"])
def test_a_file_removed_renamed_or_linked_fails(bundle: Path, change: Callable[[Path, str], None], path: str) -> None:
    change(bundle, path)
    assert failed(verify_bundle(bundle)) & {"folder", "files", "sums", "record"}


@pytest.mark.parametrize("path", ["extra.txt", "root/another.cert.pem", "record/notes.txt", ".hidden", "intermediates/alpha.1.cert.pem~"])
def test_a_file_added_fails_even_with_sums_made_to_fit(held: HeldCeremony, bundle: Path, path: str) -> None:
    (bundle / path).write_bytes(b"more\n")
    assert {"files", "sums"} <= failed(verify_bundle(bundle))
    (bundle / SUMS).write_bytes(sums_of(held.bundle_files() | {path: b"more\n"}))
    assert "files" in failed(verify_bundle(bundle))


def test_an_empty_folder_a_pipe_and_a_deep_folder_fail(bundle: Path) -> None:
    (bundle / "empty").mkdir()
    os.mkfifo(bundle / "pipe")
    (bundle / "a/b/c/d/e").mkdir(parents=True)
    detail = next(check.detail for check in verify_bundle(bundle).checks if check.name == "folder")
    assert "empty/ is an empty folder" in detail
    assert "pipe is a special file" in detail
    assert "a/b/c/d lies deeper than 4 folders" in detail


def test_names_from_the_medium_are_shown_escaped(bundle: Path) -> None:
    (bundle / "\x1b[2J\u202egpj.txt").write_bytes(b"")
    details = [check.detail for check in verify_bundle(bundle).checks]
    assert any("\\u{1B}[2J\\u{202E}gpj.txt" in detail for detail in details)
    assert all(detail == shown_text(detail) for detail in details)


@pytest.mark.parametrize("cut", ["last line", "half a line", "first line", "a line in between", "all"])
def test_a_cut_transcript_fails(held: HeldCeremony, tmp_path: Path, cut: str) -> None:
    stored = held.transcript.splitlines(keepends=True)
    transcript = b"".join({
        "last line": stored[:-1],
        "half a line": [*stored[:-1], stored[-1][:40]],
        "first line": stored[1:],
        "a line in between": stored[:9] + stored[10:],
        "all": [],
    }[cut])  # fmt: skip
    bundle = held.write_bundle(tmp_path / "bundle")
    (bundle / TRANSCRIPT).write_bytes(transcript)
    assert {"record", "sums"} <= failed(verify_bundle(bundle))


# --- bundles that follow each other


def test_the_bundle_of_the_crossing_is_the_beginning_of_the_last_one(tmp_path: Path) -> None:
    held = first_session(tmp_path / "held")
    first = held.write_bundle(tmp_path / "first")
    assert failed(verify_bundle(first, fingerprint=held.fingerprint)) == set()
    held.cross()
    second_session(held)
    second = held.write_bundle(tmp_path / "second")
    assert failed(verify_bundle(second, previous=first)) == set()
    assert failed(verify_bundle(first, previous=second)) == {"previous"}


def test_a_first_bundle_of_another_ceremony_is_no_beginning(held: HeldCeremony, bundle: Path, tmp_path: Path) -> None:
    other = whole_ceremony(tmp_path / "other").write_bundle(tmp_path / "other-bundle")
    assert failed(verify_bundle(bundle, previous=other)) == {"previous"}


def test_another_history_of_the_same_ceremony_is_no_beginning(held: HeldCeremony, bundle: Path, tmp_path: Path) -> None:
    other = held.forged()
    put("confirmed", {"key": "present/admin"}, text="Another question")(other)
    assert failed(verify_bundle(bundle, previous=other.write_bundle(tmp_path / "other"))) == {"previous"}


def test_a_later_ceremony_follows_the_one_before(held: HeldCeremony, bundle: Path, tmp_path: Path) -> None:
    later = later_ceremony(tmp_path / "later", held)
    last = later.write_bundle(tmp_path / "last")
    assert failed(verify_bundle(last, previous=bundle, fingerprint=later.fingerprint)) == set()
    other = whole_ceremony(tmp_path / "other").write_bundle(tmp_path / "other-bundle")
    assert failed(verify_bundle(last, previous=other)) == {"previous"}
    shutil.copytree(bundle, tmp_path / "changed")
    (tmp_path / "changed" / LEDGER).write_bytes(b"{}\n")
    assert failed(verify_bundle(last, previous=tmp_path / "changed")) == {"previous"}


def test_a_later_ceremony_must_hang_on_the_fingerprint_its_script_names(held: HeldCeremony, tmp_path: Path) -> None:
    later = later_ceremony(tmp_path / "later", held)
    later.script = later.script.replace(held.fingerprint.encode(), b"0" * 64)
    later.rehearsal = False
    for type in ("opened", "sealed", "signed-off"):
        put(type, {}, rehearsal=False)(later)
    put("opened", {}, script={"id": "x", "title": "x", "sha256": sha256_hex(later.script)})(later)
    found = failed(verdict_on(later, tmp_path))
    assert {"transcript-chain", "ledger"} <= found


def test_a_root_of_another_ceremony_is_not_carried_over(held: HeldCeremony, tmp_path: Path) -> None:
    later = later_ceremony(tmp_path / "later", held)
    put("opened", {}, previous=lines_where(later, "opened")[0]["data"]["previous"] | {"root_certificate_sha256": "0" * 64})(later)
    assert "root-certificate" in failed(verdict_on(later, tmp_path))
