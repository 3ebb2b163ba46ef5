"""What is wrong with module, token or PIN: told in four parts, nothing begun or nothing lost, and it goes on when the cause is gone."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hsm.client import Module
from hsm.softhsm import throw_away
from tests.e2e.commands import SCRIPTS, ceremony, done, four_parts, refused, rehearsed
from tests.e2e.held import copied, gone_on_to_the_end, lines_of, nothing_half_written, paused_for, status

ROOT_GENERATION = SCRIPTS / "root-generation.toml"
ANSWERS = ROOT_GENERATION.with_suffix(".answers.toml")


def missing(path: Path, softhsm: Path) -> None:
    """Nothing is there."""


def a_folder(path: Path, softhsm: Path) -> None:
    path.mkdir()


def no_library(path: Path, softhsm: Path) -> None:
    path.write_text("#!/bin/sh\n")


def empty(path: Path, softhsm: Path) -> None:
    path.touch()


def truncated(path: Path, softhsm: Path) -> None:
    path.write_bytes(softhsm.read_bytes()[:-5000])


def of_another_architecture(path: Path, softhsm: Path) -> None:
    octets = bytearray(softhsm.read_bytes())
    octets[18:20] = b"\x15\x00" if octets[18] != 0x15 else b"\x3e\x00"
    path.write_bytes(octets)


def no_pkcs11(path: Path, softhsm: Path) -> None:
    [library, *_] = [found for found in Path("/usr/lib").rglob("libz.so.1") if found.is_file()] or [Path("/lib/libz.so.1")]
    shutil.copy(library.resolve(), path)


def a_spy(path: Path, softhsm: Path) -> None:
    path.write_bytes(softhsm.read_bytes() + b"\0PKCS11SPY\0")


MODULES: dict[Callable[[Path, Path], None], tuple[str, int]] = {
    missing: ("MODULE-MISSING", 3),
    a_folder: ("MODULE-NOT-PKCS11", 3),
    no_library: ("MODULE-NOT-PKCS11", 3),
    empty: ("MODULE-TRUNCATED", 3),
    truncated: ("MODULE-TRUNCATED", 3),
    of_another_architecture: ("MODULE-WRONG-ARCHITECTURE", 3),
    no_pkcs11: ("MODULE-NOT-PKCS11", 3),
    a_spy: ("MODULE-LOGS-PINS", 7),
}


@pytest.mark.parametrize("spoilt", MODULES, ids=lambda spoilt: spoilt.__name__)
def test_a_module_that_cannot_be_used(spoilt: Callable[[Path, Path], None], softhsm: Path, tmp_path: Path) -> None:
    path = tmp_path / "module.so"
    spoilt(path, softhsm)
    code, exit_code = MODULES[spoilt]
    refused(ceremony("tokens", "--module", path), exit_code, code)
    refused(ceremony("rehearse", ROOT_GENERATION, "--answers", ANSWERS, "--dir", tmp_path / "D", "--module", path), exit_code, code)
    refused(ceremony("status", "--dir", tmp_path / "D"), 2, "RECORD-MISSING")
    site = tmp_path / "site.toml"
    site.write_text(f'format = 1\n[module]\npath = "{path}"\n[tokens]\nprimary = "1"\n')
    run = ceremony("run", ROOT_GENERATION, "--site", site, "--dir", tmp_path / "R", "--plain", typed="")
    refused(run, exit_code, code)
    refused(ceremony("status", "--dir", tmp_path / "R"), 2, "RECORD-MISSING")


def test_the_same_folder_can_be_used_when_the_module_is_mended(tmp_path: Path, softhsm: Path) -> None:
    module = tmp_path / "module.so"
    truncated(module, softhsm)
    folder = tmp_path / "D"
    refused(rehearsed("root-generation", folder, "--module", module), 3, "MODULE-TRUNCATED")
    nothing_half_written(folder)
    assert rehearsed("root-generation", folder).code == 0


def test_a_module_that_may_not_be_read(tmp_path: Path, softhsm: Path) -> None:
    path = Path(shutil.copy(softhsm, tmp_path / "module.so"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("whoever runs the tests may read everything")
    refused(ceremony("tokens", "--module", path), 3, "MODULE-UNREADABLE")


def test_a_production_ceremony_on_softhsm_is_refused(tmp_path: Path, softhsm: Path) -> None:
    site = tmp_path / "site.toml"
    store = throw_away(tmp_path / "store")["SOFTHSM2_CONF"]
    site.write_text(
        f'format = 1\n[module]\npath = "{softhsm}"\n[module.environment]\nSOFTHSM2_CONF = "{store}"\n[tokens]\nprimary = "1"\n'
    )
    ended = ceremony("run", ROOT_GENERATION, "--site", site, "--dir", tmp_path / "D", "--plain", typed="")
    refused(ended, 7, "MODULE-IS-SOFTWARE")
    bound = tmp_path / "bound.toml"
    bound.write_text(ROOT_GENERATION.read_text() + f'\n[tool]\nimage_sha256 = "{"5a" * 32}"\n')
    refused(ceremony("run", bound, "--site", site, "--dir", tmp_path / "D", "--plain", typed=""), 7, "IMAGE-DIFFERS")
    rehearsed_all_the_same = ceremony("rehearse", bound, "--dir", tmp_path / "R", "--plain", typed="")
    assert "REHEARSAL: a ceremony would be refused here. The script wants the image 5a5a" in " ".join(rehearsed_all_the_same.err.split())
    plan = ceremony("check", bound).out
    assert "Only on the ceremony machine whose image tells this digest" in plan and "5a5a 5a5a" in plan
    refused(ceremony("status", "--dir", tmp_path / "D"), 2, "RECORD-MISSING")
    refused(ceremony("run", ROOT_GENERATION, "--dir", tmp_path / "D", "--plain", typed=""), 2, "MODULE-NOT-NAMED")


@pytest.fixture(scope="session")
def paused_at_unlock(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A rehearsal with an initialised token, paused where the user PIN is asked for (step 6)."""

    def make(folder: Path) -> None:
        answers = folder / "answers.toml"
        wrong = '[[mistakes]]\nat = "6/secret"\nvalue = "a-wrong-pin"\n'
        answers.write_text(ANSWERS.read_text() + wrong)
        ended = ceremony("rehearse", ROOT_GENERATION, "--answers", answers, "--dir", folder / "D")
        assert ended.code == 3, ended
        assert four_parts(ended.err)["Code"] == "TOKEN-PIN-WRONG"
        paused_for(folder / "D", "error", "TOKEN-PIN-WRONG")

    return once("paused-at-unlock", make) / "D"


def test_a_wrong_pin_stops_and_is_recorded_without_the_pin(paused_at_unlock: Path, tmp_path: Path) -> None:
    folder = copied(paused_at_unlock, tmp_path / "D")
    [failed] = [line for line in lines_of(folder) if line.type == "result" and "error" in line.data]
    assert failed.data["error"]["code"] == "TOKEN-PIN-WRONG" and failed.step == 6
    assert "a-wrong-pin" not in (folder / "transcript.jsonl").read_text()
    gone_on_to_the_end(folder, ANSWERS)


def test_a_token_that_is_gone_and_comes_back(paused_at_unlock: Path, tmp_path: Path) -> None:
    folder = copied(paused_at_unlock, tmp_path / "D")
    tokens = folder / "work/rehearsal/token/tokens"
    tokens.rename(tmp_path / "pulled")
    tokens.mkdir()
    ended = ceremony("resume", "--dir", folder, "--answers", ANSWERS)
    assert ended.code == 3 and four_parts(ended.err)["Code"] == "TOKEN-NOT-FOUND", ended
    paused_for(folder, "error", "TOKEN-NOT-FOUND")
    tokens.rmdir()
    (tmp_path / "pulled").rename(tokens)
    gone_on_to_the_end(folder, ANSWERS)


def test_another_token_in_its_place_is_not_taken(paused_at_unlock: Path, tmp_path: Path, softhsm: Path) -> None:
    folder = copied(paused_at_unlock, tmp_path / "D")
    tokens = folder / "work/rehearsal/token/tokens"
    shutil.rmtree(tokens)
    tokens.mkdir()
    with Module.start(softhsm, {"SOFTHSM2_CONF": str(tokens.with_name("softhsm2.conf"))}) as module:
        module.token(blank=True).initialise("example-root", bytearray(b"rehearsal-so-pin"), bytearray(b"rehearsal-user-pin"))
    ended = ceremony("resume", "--dir", folder, "--answers", ANSWERS)
    assert ended.code == 3 and four_parts(ended.err)["Code"] == "TOKEN-NOT-FOUND", ended
    paused_for(folder, "error", "TOKEN-NOT-FOUND")


def test_a_module_that_is_gone_at_resume(paused_at_unlock: Path, tmp_path: Path, softhsm: Path) -> None:
    folder = copied(paused_at_unlock, tmp_path / "D")
    before = (folder / "transcript.jsonl").read_bytes()
    opened = lines_of(folder)[0].data["module"]["path"]
    assert opened == str(softhsm.resolve())
    # The record names the module; a record that names one which is not there is made by the rehearsal itself.
    module = Path(shutil.copy(softhsm, tmp_path / "module.so"))
    other = tmp_path / "E"
    wrong = tmp_path / "answers.toml"
    wrong.write_text(ANSWERS.read_text() + '[[mistakes]]\nat = "6/secret"\nvalue = "a-wrong-pin"\n')
    ended = ceremony("rehearse", ROOT_GENERATION, "--answers", wrong, "--dir", other, "--module", module)
    assert ended.code == 3 and four_parts(ended.err)["Code"] == "TOKEN-PIN-WRONG", ended
    module.rename(tmp_path / "aside.so")
    record = (other / "transcript.jsonl").read_bytes()
    resumed = ceremony("resume", "--dir", other, "--answers", ANSWERS)
    assert resumed.code == 3 and four_parts(resumed.err)["Code"] == "MODULE-MISSING", resumed
    assert (other / "transcript.jsonl").read_bytes() == record
    assert (folder / "transcript.jsonl").read_bytes() == before
    (tmp_path / "aside.so").rename(module)
    gone_on_to_the_end(other, ANSWERS)


def test_a_fingerprint_that_is_not_on_the_paper(paused_at_unlock: Path, tmp_path: Path) -> None:
    folder = copied(paused_at_unlock, tmp_path / "D")
    before = (folder / "transcript.jsonl").read_bytes()
    ended = ceremony("resume", "--dir", folder, "--plain", typed="".join(f"{'ab' * 32}\n" for _ in range(3)))
    refused(ended, 1, "RECORD-ROLLED-BACK")
    assert (folder / "transcript.jsonl").read_bytes() == before
    assert status(folder)["state"] == "paused"


def test_a_record_that_was_changed_stops(paused_at_unlock: Path, tmp_path: Path) -> None:
    folder = copied(paused_at_unlock, tmp_path / "D")
    record = folder / "transcript.jsonl"
    spoilt = record.read_bytes().replace(b'"Kari Holm"', b'"Kari Halm"', 1)
    record.write_bytes(spoilt)
    for command in (["status"], ["resume", "--answers", ANSWERS]):
        refused(ceremony(*command, "--dir", folder), 1, "RECORD-BROKEN")
    assert record.read_bytes() == spoilt


def test_doctor_and_tokens_tell_what_a_module_holds(paused_at_unlock: Path, softhsm: Path, tmp_path: Path) -> None:
    results = [line.data for line in lines_of(paused_at_unlock) if line.type == "result"]
    serial = next(result["value"]["serial"] for result in results if result["verb"] == "initialise-token")
    configuration = paused_at_unlock / "work/rehearsal/token/softhsm2.conf"
    site = tmp_path / "site.toml"
    module = f'[module]\npath = "{softhsm}"\n[module.environment]\nSOFTHSM2_CONF = "{configuration}"\n'
    site.write_text(f'format = 1\n{module}[tokens]\nprimary = "{serial}"\n')
    assert serial in done("tokens", "--site", site).out
    ended = ceremony("doctor", "--site", site)
    assert ended.code in (0, 1) and "2 tokens. It keeps keys in software: fit for rehearsals only." in ended.out, ended


def test_a_module_that_kills_its_process_is_contained(softhsm: Path, tmp_path: Path) -> None:
    """SoftHSM aborts when a token's folder was copied: two slots of one number. tests/hsm has two tokens of one serial."""
    environment = throw_away(tmp_path / "store")
    with Module.start(softhsm, environment) as module:
        module.token(blank=True).initialise("example", bytearray(b"security-officer"), bytearray(b"user-pin-1"))
    [store] = (tmp_path / "store/tokens").iterdir()
    shutil.copytree(store, store.with_name("11111111-2222-3333-4444-555555555555"))
    site = tmp_path / "site.toml"
    configuration = environment["SOFTHSM2_CONF"]
    site.write_text(f'format = 1\n[module]\npath = "{softhsm}"\n[module.environment]\nSOFTHSM2_CONF = "{configuration}"\n')
    refused(ceremony("tokens", "--site", site), 3, "MODULE-DIED")
