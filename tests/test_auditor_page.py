"""The auditor's page, docs/verify_bundle.py: run without this package, against bundles that are good and bundles that are not."""

import ast
import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony import words
from ceremony.activation.roster import roster_text, signature_holds
from ceremony.activation.statements import OVERRIDE
from tests.crossing import held_crl, test_verify_custody, test_verify_forged, test_verify_statements
from tests.crossing import test_verify_activation as quorum
from tests.crossing.chaining import rechained
from tests.crossing.forging import drop, insert_after, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, later_ceremony, whole_ceremony
from tests.crossing.script_text import PEOPLE
from tests.crossing.test_verify_activation import held as quorums  # noqa: F401 - a fixture
from tests.crossing.test_verify_typed_code import KEY, with_typed_code
from tests.engine.quorum import FIRST, RECOVER, RESHARE
from tests.test_readme import by_another_key

DOCS = Path(__file__).parent.parent / "docs"
PAGE, GUIDE = DOCS / "verify_bundle.py", (DOCS / "auditor-guide.md").read_text()
TRANSCRIPT, ALPHA = "record/transcript.jsonl", "intermediates/alpha.1.cert.pem"
Forge = Callable[[HeldCeremony], None]


def loaded() -> ModuleType:
    specification = importlib.util.spec_from_file_location("verify_bundle", PAGE)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    # The certificates are the same in most forgeries: openssl need not be asked about them again.
    vars(module)["openssl"] = functools.cache(module.openssl)
    return module


page = loaded()


def written(files: dict[str, bytes], folder: Path) -> Path:
    """A bundle's files as they come, not flushed to the disk."""
    for path, octets in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(octets)
    return folder


def fingerprint_of(bundle: Path) -> str:
    return hashlib.sha256((bundle / TRANSCRIPT).read_bytes().splitlines(keepends=True)[-1]).hexdigest()


def failed(bundle: Path, capsys: pytest.CaptureFixture[str], fingerprint: str = "") -> set[str]:
    """The names of the checks that the page finds wrong; exit code and last line say the same."""
    code = page.main(str(bundle), fingerprint or fingerprint_of(bundle))
    if isinstance(code, str):
        assert code.startswith("WRONG  the record can't be read")
        return {"record"}
    *told, last = capsys.readouterr().out.splitlines()
    found = {line.split()[1].rstrip(":") for line in told if line.startswith("WRONG")}
    assert (code, last.split()[0]) == ((1, "WRONG") if found else (0, "GOOD"))
    assert all(line.isascii() and line.isprintable() for line in told)
    return found


def without_this_package(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python with its own library alone: no site-packages, nothing of the folder, nothing of the environment."""
    command = [sys.executable, "-I", "-S", *arguments]
    return subprocess.run(command, cwd=cwd, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"))


@pytest.fixture
def bundle(held: HeldCeremony, tmp_path: Path) -> Path:
    return written(held.bundle_files(), tmp_path / "bundle")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody who has the page and its list of words, and nothing else of ours."""
    folder = tmp_path / "auditor"
    folder.mkdir()
    for path in (PAGE, DOCS / "pgp-words.txt"):
        shutil.copy(path, folder)
    return folder


def test_the_page_is_short_and_imports_pythons_own_library_alone() -> None:
    text = PAGE.read_text()
    assert len(text.splitlines()) <= 400
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
    names |= {entry.name for node in imports if isinstance(node, ast.Import) for entry in node.names}
    assert len(names) > 5 and {name.split(".")[0] for name in names} <= sys.stdlib_module_names
    assert page.words_of(bytes(range(256)).hex() * 2) == words.words_of(bytes(range(256)) * 2)
    shifted = b"\0" + bytes(range(256))
    assert page.words_of(shifted.hex()) == words.words_of(shifted)


def test_good_bundles_are_good_where_our_package_is_not(held: HeldCeremony, bundle: Path, elsewhere: Path, tmp_path: Path) -> None:
    for package in ("ceremony", "cryptography", "msgspec"):
        assert "ModuleNotFoundError" in without_this_package("-c", f"import {package}", cwd=elsewhere).stderr
    later = written(later_ceremony(tmp_path / "later", held).bundle_files(), tmp_path / "later-bundle")
    for given, fingerprint in (
        (bundle, fingerprint_of(bundle)),
        (bundle, " ".join(words.words_of(fingerprint_of(bundle))).upper()),
        (later, fingerprint_of(later)),
    ):
        ended = without_this_package("verify_bundle.py", str(given), fingerprint, cwd=elsewhere)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        assert "GOOD   REHEARSAL" in ended.stdout and "WRONG" not in ended.stdout
    another = without_this_package("verify_bundle.py", str(bundle), "0" * 64, cwd=elsewhere)
    assert another.returncode == 1 and another.stdout.startswith("WRONG  this is not the record of the fingerprint on paper")
    assert without_this_package("verify_bundle.py", cwd=elsewhere).returncode == 1


NOT_ASKED = {"resumptions", "window", "ledger", "manifest"}
"""Checks of `verify` that the guide names among what the page does not ask."""
FORGERIES: list[tuple[Forge, str]] = [
    *test_verify_forged.FORGERIES,
    *((forge, check) for forge, check, _ in test_verify_statements.FORGERIES),
]
# A subject that seal and result tell alike, and the certificate does not: names are looked at by hand.
FORGERIES.remove((test_verify_forged.sealed_with_another_digest, "artifacts-accounted"))


def test_forged_records_are_found(
    held: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `verify` finds forged, the page finds too, but for what the guide says that it does not ask."""
    # openssl judges people's signatures in all other tests; here it would be asked a thousand times.
    monkeypatch.setattr(page, "credential_holds", lambda key, signed, signature: signature_holds(key, signed, bytes.fromhex(signature)))
    unseen = set()
    for number, (forge, check) in enumerate(FORGERIES):
        forged = held.forged()
        forge(forged)
        if not failed(written(forged.bundle_files(), tmp_path / str(number)), capsys):
            unseen.add(check)
    assert unseen <= NOT_ASKED


def another_script(ceremony: HeldCeremony) -> None:
    ceremony.script += b"# another\n"


def shares_of_nobody(ceremony: HeldCeremony) -> None:
    """A login in the name of a holder, where the script says that one person knows the PIN."""
    place = lines_where(ceremony, "intent", key="generate")[0]
    insert_after(ceremony, place, lambda held: held.act("login", "login", {"holders": ["officer"]}, {}))


ALONE: dict[str, Forge] = {
    "files": test_verify_forged.unwritten_artifact,
    "chain": another_script,
    "seal": test_verify_forged.forged_previous_seal,
    "steps": test_verify_forged.skipped_step,
    "orders": put("ordered", {"key": "proofs/order"}, digest="0" * 64),
    "machine": drop("result", key="proofs/machine/check/1"),
    "certificates": test_verify_forged.another_signature,
    "vouching": drop("confirmed", key="vouch/1/beta.1/admin"),
    "credentials": test_verify_statements.moved_to_another_line,
    "sign-offs": drop("signed-off", participant="officer"),
    "confirmations": test_verify_statements.override_unsigned,
    "activation": shares_of_nobody,
}
"""By check: a forgery that it finds and no other does, so that it would pass without this check."""


@pytest.mark.parametrize("check", ALONE)
def test_each_check_finds_what_no_other_does(held: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str], check: str) -> None:
    forged = held.forged()
    ALONE[check](forged)
    assert failed(written(forged.bundle_files(), tmp_path / "forged"), capsys) == {check}


@pytest.mark.parametrize(
    ("script", "change"),
    [
        (FIRST, quorum.args_of("login", 0, holders=["officer"])),
        (FIRST, quorum.args_of("login", 0, holders=["officer", "officer"])),
        (FIRST, quorum.args_of("login", 0, holders=["officer", "anna", "bo"])),
        (FIRST, quorum.args_of("login", 1, holders=["officer", "cy"])),
        (FIRST, quorum.uncalled("anna")),
        (FIRST, quorum.without_acts("login", -1)),
        (FIRST, quorum.without_acts("prove-activation", 0)),
        (FIRST, quorum.root_before_proof),
        (RESHARE, quorum.args_of("change-activation", 0, holders_before=["officer"])),
        (RESHARE, quorum.args_of("change-activation", 1, holders_before=["admin", "bo"])),
        (RESHARE, quorum.args_of("login", 0, holders=["officer", "bo"])),
        (RESHARE, quorum.without_acts("prove-activation", -1)),
        (RECOVER, quorum.args_of("change-activation", 0, holders_before=["officer", "anna"])),
    ],
)  # fmt: skip
def test_too_few_or_other_holders_of_shares_are_found(
    quorums: dict[bytes, quorum.Lines],  # noqa: F811 - the fixture
    tmp_path: Path,
    script: bytes,
    change: Callable[[quorum.Lines], None],
) -> None:
    def problems(lines: quorum.Lines) -> list[str]:
        files = {"record/script.toml": script, TRANSCRIPT: rechained(lines, "0" * 64)}
        return list(page.activation(page.Bundle(written(files, tmp_path))))

    lines = json.loads(json.dumps(quorums[script]))
    assert problems(lines) == []
    change(lines)
    assert problems(lines) != []


def test_a_code_may_be_typed_by_two_where_the_script_allows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = with_typed_code(tmp_path / "held")
    assert failed(written(held.bundle_files(), tmp_path / "good"), capsys) == set()
    for number, forge in enumerate(
        (
            drop("confirmed", key=f"{KEY}/again"),
            put("confirmed", {"key": f"{KEY}/again"}, by="admin", actor="admin"),
            put("confirmed", {"key": f"{KEY}/words"}, value="refuse"),
        )
    ):
        forged = held.forged()
        forge(forged)
        assert "vouching" in failed(written(forged.bundle_files(), tmp_path / str(number)), capsys)
    never = with_typed_code(tmp_path / "never", allowed=False)
    assert failed(written(never.bundle_files(), tmp_path / "not-allowed"), capsys) == {"vouching"}


def test_custody_is_held_against_what_people_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = test_verify_custody.first(tmp_path / "held")
    assert failed(written(held.bundle_files(), tmp_path / "good"), capsys) == set()
    for number, forge in enumerate(
        (
            drop("confirmed", key="token-bag/1/second"),
            put("confirmed", {"key": "token-bag/1/second"}, value="A-8"),
            put("confirmed", {"key": "bags/1/second"}, by="admin"),
            test_verify_custody.both("bags", "4"),
        )
    ):
        forged = held.forged()
        forge(forged)
        assert "custody" in failed(written(forged.bundle_files(), tmp_path / str(number)), capsys)


def test_a_production_goes_by_the_scripts_roster_and_overrides_by_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = whole_ceremony(tmp_path / "held", rehearsal=False, software=False)
    good = written(held.bundle_files(), tmp_path / "good")
    assert page.main(str(good), fingerprint_of(good)) == 0
    assert "GOOD   PRODUCTION with the root of" in capsys.readouterr().out
    put("result", {"key": "proofs/machine/check/1"}, value={"findings": [{"check": "routes", "verdict": "found", "detail": ""}]})(held)
    assert failed(written(held.bundle_files(), tmp_path / "unfit"), capsys) == {"machine"}

    def overridden(ceremony: HeldCeremony) -> None:
        for person in ("officer", "witness-1"):
            ceremony.signed_by(person, f"override/signed/{person}", OVERRIDE, {"text": "known route"})
        by = [{"id": person, "name": PEOPLE[person][0]} for person in ("officer", "witness-1")]
        ceremony.line("deviation", {"class": "override", "text": "known route", "by": by}, "officer")

    insert_after(held, lines_where(held, "result", key="proofs/machine/check/1")[0], overridden)
    assert failed(written(held.bundle_files(), tmp_path / "overridden"), capsys) == set()


def test_every_check_is_told_in_the_guide_and_found_wrong_here(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page.main(str(bundle), fingerprint_of(bundle))
    told = re.findall(r"^ok +([a-z-]+):", capsys.readouterr().out, re.MULTILINE)
    assert {*told} == {*ALONE, "custody", "fingerprint"}
    assert re.findall(r"^\| `([a-z-]+)` \| ", GUIDE.split("## What each check asks")[1], re.MULTILINE) == told


def sums_again(bundle: Path) -> None:
    """As a forger would: SHA256SUMS made anew from what is there."""
    paths = sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    (bundle / "SHA256SUMS").write_text("".join(f"{hashlib.sha256((bundle / path).read_bytes()).hexdigest()}  {path}\n" for path in paths))


def test_files_that_were_tampered_with_are_found(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fingerprint, copy = fingerprint_of(bundle), tmp_path / "copy"

    def is_found(change: Callable[[], object], *, sums: bool = True) -> bool:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(bundle, copy)
        change()
        if sums:
            sums_again(copy)
        return failed(copy, capsys, fingerprint) != set()

    assert not is_found(lambda: sums_again(copy))
    paths = sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file())
    for path in paths:
        octets = bytearray((bundle / path).read_bytes())
        octets[len(octets) // 2] ^= 0x20
        flip, sealed = functools.partial((copy / path).write_bytes, bytes(octets)), path.endswith((".pem", ".jsonl", ".toml"))
        # What no line names (manifest, ledger, reports) can be made anew together with the sums; what the record vouches for can't.
        assert (is_found(flip, sums=False), is_found(flip, sums=sealed)) == (True, True), path
        assert is_found((copy / path).unlink, sums=sealed), path
    gamma = copy / "intermediates" / "gamma.1.cert.pem"
    assert is_found(lambda: shutil.copy(copy / ALPHA, gamma))
    assert is_found(lambda: (copy / ALPHA).rename(gamma))
    assert is_found(lambda: (copy / ALPHA).with_name("link").symlink_to(bundle / ALPHA))
    assert is_found(lambda: os.link(copy / ALPHA, tmp_path / "another-name"))


def test_a_certificate_of_another_key_is_found_by_openssl(held: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forged = held.forged()
    before, forged.artifacts[ALPHA] = forged.artifacts[ALPHA], by_another_key(forged.artifacts[ALPHA])
    digest, another = (hashlib.sha256(octets).hexdigest() for octets in (before, forged.artifacts[ALPHA]))
    forged.lines = json.loads(json.dumps(forged.lines).replace(digest, another))
    bundle = written(forged.bundle_files(), tmp_path / "forged")
    assert page.main(str(bundle), fingerprint_of(bundle)) == 1
    assert f"{ALPHA}: openssl does not find it signed by its root" in capsys.readouterr().out


def test_the_crl_is_the_roots_and_the_one_that_was_ordered_or_carried_over(
    held: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = held_crl.crl_ceremony(tmp_path / "made", held, held_crl.REVOKE_ALPHA)
    carried = held_crl.ceremony_without_crl(tmp_path / "carried", made, made.artifacts[held_crl.CRL])
    newer = held_crl.crl_ceremony(tmp_path / "newer", made)
    older = held_crl.ceremony_without_crl(tmp_path / "older", newer, made.artifacts[held_crl.CRL])
    other_key = held_crl.crl_ceremony(tmp_path / "key", held, signed_by=ec.generate_private_key(ec.SECP384R1()))
    unordered = made.forged()
    drop("ordered", key="crl/1/confirm")(unordered)
    for number, (ceremony, wrong) in enumerate(
        [(made, set()), (carried, set()), (newer, set()), (older, {"certificates"}), (other_key, {"certificates"})]
    ):
        assert failed(written(ceremony.bundle_files(), tmp_path / str(number)), capsys) == wrong, number
    assert "orders" in failed(written(unordered.bundle_files(), tmp_path / "unordered"), capsys)


def test_a_second_certificate_in_a_file_is_no_certificate(held: HeldCeremony) -> None:
    pem = held.artifacts[ALPHA]
    assert page.certificate(pem).der
    with pytest.raises(ValueError, match="unpack"):
        page.certificate(pem + pem)


def test_a_credential_on_a_token_is_one_too() -> None:
    """ECDSA on P-256, as a person's own token makes it; Ed25519 is what everybody else signs with here."""
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(b"as written", ec.ECDSA(hashes.SHA256())).hex()
    assert page.credential_holds(roster_text(key.public_key()), b"as written", signature)
    assert not page.credential_holds(roster_text(key.public_key()), b"as Written", signature)


def test_what_is_no_bundle_is_told_without_a_crash(bundle: Path, elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for text in (b"", b"{}\n", b"[" * 100_000 + b"\n", b'{"type":"opened","data":{}}\n', b"\xff\n"):
        (bundle / TRANSCRIPT).write_bytes(text)
        ended = without_this_package("verify_bundle.py", str(bundle), "0" * 64, cwd=elsewhere)
        assert ended.returncode == 1 and ended.stderr.startswith("WRONG  the record can't be read") and "Traceback" not in ended.stderr
    for folder in (tmp_path / "empty", tmp_path / "none"):
        assert without_this_package("verify_bundle.py", str(folder), "0" * 64, cwd=elsewhere).stderr.startswith("WRONG")


def test_text_of_the_bundle_is_shown_as_printable_ascii(held: HeldCeremony, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forged = held.forged()
    place = lines_where(forged, "intent", key="generate")[0]
    deviation = {"class": "note", "text": "\x1b[2J\u202eok     fingerprint", "by": []}
    insert_after(forged, place, lambda held: held.line("deviation", deviation, "admin"))
    assert failed(written(forged.bundle_files(), tmp_path / "forged"), capsys) == {"confirmations"}


def test_the_commands_of_the_guide_do_what_it_says(held: HeldCeremony, bundle: Path, elsewhere: Path) -> None:
    """Each block in turn in one shell, those in which something is to be put filled in."""
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    line = next(number for number, line in enumerate((bundle / TRANSCRIPT).read_bytes().splitlines(), 1) if b'"type":"signed-off"' in line)
    given = {"BUNDLE": str(bundle), "FINGERPRINT": fingerprint_of(bundle), "LINE": str(line), "CERTIFICATE": ALPHA}
    typed = "set -e\n"
    for block in blocks:
        if "-here" in block:
            typed += "".join(f"{name}={given.pop(name)}\n" for name in re.findall(r"^([A-Z]+)=put-", block, re.MULTILINE))
        else:
            typed += block + 'cd "$BUNDLE"\n'
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["sh"], input=typed, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not given
    assert "GOOD   REHEARSAL" in done.stdout and "Signature Verified Successfully" in done.stdout + done.stderr
    asked = next(line["data"]["args"] for line in held.lines if line["data"].get("key") == "batch/1/sign/alpha.1")
    assert f"{asked['sha256']}  -" in done.stdout
    assert "Subject: CN=alpha.1,O=Example" in done.stdout
