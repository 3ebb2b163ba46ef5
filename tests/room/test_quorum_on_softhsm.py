"""PINs in shares on SoftHSM, cut between two calls of the token and gone on with: what is on paper opens the token, and nothing is lost."""

from pathlib import Path
from typing import Any

import pytest

from ceremony.shipped import path_of
from ceremony.transcript import Line, read_lines
from hsm.client import Token
from tests.room.held import Enough, copied, rehearsed, resumed


def results(folder: Path, verb: str) -> list[dict[str, Any]]:
    lines: list[Line] = read_lines((folder / "transcript.jsonl").read_bytes())[0]
    return [line.data["value"] for line in lines if line.type == "result" and line.data["verb"] == verb and "value" in line.data]


def calls_watched(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], seen: Any) -> None:
    """`seen` is told of each of these calls that has been made."""
    for name in names:
        call = getattr(Token, name)

        def watched(self: Token, *args: Any, call: Any = call, name: str = name, **more: Any) -> Any:
            done = call(self, *args, **more)
            seen(name)
            return done

        monkeypatch.setattr(Token, name, watched)


def until_proved(folder: Path, verb: str, acts: int) -> Any:
    """A hook that ends the run when so many of these acts are done, and every share of the last one is proved."""

    def enough(number: int, when: str) -> None:
        lines = read_lines((folder / "transcript.jsonl").read_bytes())[0] if when == "after" else []
        if lines and lines[-1].type == "step-finished" and len(results(folder, verb)) == acts:
            raise Enough

    return enough


@pytest.mark.usefixtures("softhsm")
@pytest.mark.parametrize(
    ("script", "calls", "verb", "acts"),
    [
        ("quorum-ceremony", ("initialise", "set_pin", "reset_user_pin"), "initialise-token", 1),
        ("reshare", ("set_pin",), "change-activation", 2),
    ],
)
def test_cut_after_each_call_that_sets_a_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, calls: tuple[str, ...], verb: str, acts: int
) -> None:
    path, whole = path_of(script), tmp_path / "whole"
    cuts: list[Path] = []

    def keep(name: str) -> None:
        # What a rehearsal makes up (people's own tokens, a later script's past) has calls of its own, before the first line.
        record = whole / "transcript.jsonl"
        lines = read_lines(record.read_bytes())[0] if record.exists() else []
        if lines:
            cuts.append(copied(whole, tmp_path / f"{len(cuts)}-{name}"))

    with monkeypatch.context() as watching, pytest.raises(Enough):
        calls_watched(watching, calls, keep)
        rehearsed(whole, until_proved(whole, verb, acts), path)
    made = results(whole, verb)
    assert len(cuts) == len(calls) * acts
    for cut in cuts:
        with pytest.raises(Enough):
            resumed(cut, until_proved(cut, verb, acts), path)
        again = results(cut, verb)
        if verb == "change-activation":
            [found] = [place for place, value in enumerate(again) if value["found"]]
            assert again[found]["set"] == made[found]["set"], "the shares on paper are those in force"
        else:
            same = {which: made[0]["activation"][which]["set"] == again[0]["activation"][which]["set"] for which in ("so", "user")}
            # Before the shares stood on paper they are made anew; from then on they are taken from there.
            assert same == dict.fromkeys(("so", "user"), "initialise" not in cut.name)
