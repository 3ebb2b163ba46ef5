"""A verification code that was typed from paper: `verify` takes it from two people with its check words, where the script allows it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ceremony.words import check_words
from tests.crossing.forging import drop, failed, put, verdict_on
from tests.crossing.held_ceremony import CODE, HeldCeremony, new_csr
from tests.crossing.script_text import FIRST_SESSION, SECOND_SESSION, script_of

KEY = "typed/1/example-dps"
NAMES = ("alpha.1", "beta.1")


def with_typed_code(folder: Path, *, allowed: bool = True) -> HeldCeremony:
    """A first ceremony whose code came in on paper."""
    script = script_of((*FIRST_SESSION, *SECOND_SESSION), NAMES, proof=True)
    if allowed:
        script = script.replace(b'service = "example-dps"\n', b'service = "example-dps"\ntyped = true\n')
    ceremony = HeldCeremony(folder, script)
    ceremony.prepare()
    ceremony.make_root()
    ceremony.seal("crossing")
    ceremony.cross()
    ceremony.prepare()
    ceremony.import_request({name: new_csr(f"CN={name},O=Example") for name in NAMES}, proof=False)
    finished = ceremony.lines.pop()
    ceremony.answered(f"{KEY}/code", CODE, "admin")
    ceremony.answered(f"{KEY}/again", CODE, "witness-1")
    ceremony.answered(f"{KEY}/words", " ".join(check_words(CODE)), "witness-1")
    code = {"service": "example-dps", "certificate": "example-root-g1", "verification_code": CODE}
    finished["data"]["products"]["codes"] = {"example-dps": code}
    ceremony.lines.append(finished)
    ceremony.prove()
    ceremony.sign_intermediates()
    ceremony.seal("close")
    return ceremony


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return with_typed_code(tmp_path_factory.mktemp("held"))


def test_a_code_typed_by_two_is_taken(held: HeldCeremony, tmp_path: Path) -> None:
    assert failed(verdict_on(held, tmp_path)) == set()


@pytest.mark.parametrize(
    "forge",
    [
        drop("confirmed", key=f"{KEY}/again"),
        put("confirmed", {"key": f"{KEY}/again"}, by="admin"),
        put("confirmed", {"key": f"{KEY}/again"}, value=CODE.swapcase()),
        drop("confirmed", key=f"{KEY}/words"),
        put("confirmed", {"key": f"{KEY}/words"}, value="refuse"),
        put("confirmed", {"key": f"{KEY}/code"}, key="typed/1/other-dps/code"),
    ],
)
def test_a_typed_code_without_the_second_person_or_the_words_is_named(
    forge: Callable[[HeldCeremony], None], held: HeldCeremony, tmp_path: Path
) -> None:
    ceremony = held.forged()
    forge(ceremony)
    assert "proofs" in failed(verdict_on(ceremony, tmp_path))


def test_a_typed_code_that_the_script_does_not_allow_is_named(tmp_path: Path) -> None:
    ceremony = with_typed_code(tmp_path / "held", allowed=False)
    assert failed(verdict_on(ceremony, tmp_path)) == {"proofs"}
