"""The rehearsal of destroy-key.toml on SoftHSM, cut around the destruction: the key is gone once, and the record says how."""

from pathlib import Path

import pytest

from ceremony.crossing.verify import verify_bundle
from ceremony.shipped import path_of
from ceremony.transcript import read_lines
from tests.room.held import copied, is_closed, rehearsed, resumed
from tests.room.test_crashes_on_softhsm import keys_on_token

SCRIPT = path_of("destroy-key")


@pytest.mark.usefixtures("softhsm")
def test_cut_before_and_after_the_token_acted_it_ends_once(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    cuts: dict[str, Path] = {}

    def keep(number: int, when: str) -> None:
        record = whole / "transcript.jsonl"
        lines = read_lines(record.read_bytes())[0] if record.exists() else []
        if lines and lines[-1].type == "intent" and lines[-1].data["verb"] == "destroy-key":
            cuts[when] = copied(whole, tmp_path / when)

    assert rehearsed(whole, keep, SCRIPT).reason == "closed"
    assert cuts.keys() == {"after", "before"}, "after the intent, and before the result: the key is gone by then"
    for when, was_there in (("after", True), ("before", False)):
        assert resumed(cuts[when], path=SCRIPT).reason == "closed" and is_closed(cuts[when])
        lines = read_lines((cuts[when] / "transcript.jsonl").read_bytes())[0]
        assert [line.data["how"] for line in lines if line.type == "recovered"] == ["done-again"]
        results = [line.data["value"] for line in lines if line.type == "result" and line.data["verb"] == "destroy-key"]
        assert [value["was_there"] for value in results] == [was_there]
        assert keys_on_token(cuts[when]) == 0
        seal = [line for line in lines if line.type == "sealed"][-1]
        assert verify_bundle(cuts[when] / "bundles" / "1", fingerprint=seal.sha256).word == "GOOD"
