"""What reads files of others takes seeds, cut, changed and spliced, with no error but its refusal. `make fuzz` goes on by coverage."""

import random
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from tests.crash_matrix.token_files import in_memory
from tests.fuzz.targets import FOLDERS, TARGETS, tried
from tests.room.held import SCRIPT, rehearsed

_INPUTS = {"bundle": 6, "script": 20, "transcript": 20}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, softhsm: Path) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "D"
    with in_memory(lambda what: None):
        rehearsed(folder, path=SCRIPT)
    return folder


@pytest.mark.parametrize("name", TARGETS)
def test_changed_seeds_are_refused_or_read(name: str, rehearsal: Path) -> None:
    chance = random.Random(name)
    seeds = TARGETS[name].seeds(rehearsal)
    assert seeds
    for octets in (*seeds[:2], b"", b"\xff" * 40, b"\n" * 3):
        tried(name, octets)
    for _ in range(_INPUTS.get(name, 60)):
        seed, other = chance.choice(seeds), chance.choice(seeds)
        start, end = sorted(chance.randrange(len(seed) + 1) for _ in range(2))
        put = chance.choice([b"", bytes([chance.randrange(256)]), other[start:end], b"9" * 30, b'"', b"[" * 200])
        tried(name, seed[:start] + put + seed[chance.choice([start, end]) :])


def test_another_error_and_a_file_beside_the_folder_are_findings(rehearsal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def writes_beside(place: Path) -> None:
        place.with_name("beside").touch()
        raise CeremonyError("BUNDLE-MISSING", "made up")

    bundle = FOLDERS["bundle"]
    bundle.seeds(rehearsal)
    monkeypatch.setattr(bundle, "_read", writes_beside)
    with pytest.raises(AssertionError, match="beside"):
        tried("bundle", b"\0")
    monkeypatch.setattr(bundle, "_read", lambda place: [][1])
    bundle.seeds(rehearsal)
    with pytest.raises(IndexError):
        tried("bundle", b"\0")
