"""A ceremony whose script names the ceremony machine's image: `verify` wants each session on it."""

from pathlib import Path

import pytest

from ceremony.crossing.verify import Verdict, verify_bundle
from ceremony.words import sha256_hex
from tests.crossing.forging import failed, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, whole_ceremony

DIGEST, ANOTHER = "5a" * 32, "6b" * 32


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"), rehearsal=False, software=False)


def verdict_where(
    held: HeldCeremony, folder: Path, told: str | None, wanted: str | None, *, rehearsal: bool = False, resumed: str | None = DIGEST
) -> Verdict:
    forged = held.forged()
    if wanted:
        forged.script += f'\n[tool]\nimage_sha256 = "{wanted}"\n'.encode()
    script = {**lines_where(forged, "opened")[0]["data"]["script"], "sha256": sha256_hex(forged.script)}
    put("opened", {}, machine={"image_sha256": told} if told else {}, script=script, rehearsal=rehearsal)(forged)
    put("resumed", {}, machine={"image_sha256": resumed} if resumed else {})(forged)
    return verify_bundle(forged.write_bundle(folder / "bundle"))


@pytest.mark.parametrize(("told", "wanted"), [(None, DIGEST), (ANOTHER, DIGEST)])
def test_a_session_on_another_machine_than_the_script_names_fails(
    held: HeldCeremony, tmp_path: Path, told: str | None, wanted: str
) -> None:
    assert "image" in failed(verdict_where(held, tmp_path, told, wanted))
    assert "image" not in failed(verdict_where(held, tmp_path / "rehearsal", told, wanted, rehearsal=True))


@pytest.mark.parametrize(
    ("told", "wanted", "said"),
    [
        (DIGEST, DIGEST, f"told by the machine of itself: {DIGEST}; as the script names it"),
        (DIGEST, None, f"told by the machine of itself: {DIGEST}; the script names none"),
        (None, None, "told by the machine of itself: none; the script names none"),
    ],
)
def test_the_image_that_was_told_is_shown(held: HeldCeremony, tmp_path: Path, told: str | None, wanted: str | None, said: str) -> None:
    verdict = verdict_where(held, tmp_path, told, wanted, resumed=told)
    assert [check.detail for check in verdict.checks if check.name == "image"] == [said]
    assert "image" not in failed(verdict)


def test_a_session_that_was_resumed_elsewhere_fails(held: HeldCeremony, tmp_path: Path) -> None:
    verdict = verdict_where(held, tmp_path, DIGEST, DIGEST, resumed=None)
    number = held.lines.index(lines_where(held, "resumed")[0]) + 1
    detail = next(check.detail for check in verdict.checks if check.name == "image")
    assert detail == f"the session of line {number} ran on no image that told its digest, not on {DIGEST}"
