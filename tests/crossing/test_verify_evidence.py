"""`verify` and how the key generation was witnessed: a video, or a qualified auditor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.words import sha256_hex
from tests.crossing.forging import drop, failed, lines_where, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, whole_ceremony


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"))


def with_evidence(held: HeldCeremony, kind: str) -> HeldCeremony:
    """The same, by a script that names this evidence."""
    ceremony = held.forged()
    ceremony.script = ceremony.script.replace(b'evidence = "witness"', f'evidence = "{kind}"'.encode())
    _named(ceremony)
    return ceremony


def _named(ceremony: HeldCeremony) -> None:
    put("opened", {}, script={"id": "example-root-2026", "title": "T", "sha256": sha256_hex(ceremony.script)})(ceremony)


def with_an_auditor(held: HeldCeremony) -> HeldCeremony:
    """The witness is an auditor, everywhere."""
    ceremony = with_evidence(held, "qualified-auditor")
    ceremony.script = ceremony.script.replace(b'role = "witness"', b'role = "auditor"')
    _named(ceremony)
    for line in ceremony.lines:
        line["data"] = _renamed(line["data"])
    return ceremony


def _renamed(value: Any) -> Any:
    match value:
        case dict():
            return {key: _renamed(item) for key, item in value.items()}
        case list():
            return [_renamed(item) for item in value]
    return "auditor" if value == "witness" else value


def filmed(ceremony: HeldCeremony, *moments: tuple[str, str]) -> HeldCeremony:
    """Facts of a camera, as if the steps of these kinds (first of each) had written them down; facts of steps add up."""
    physical: list[dict[str, str]] = []
    for line in lines_where(ceremony, "step-finished"):
        kind = ceremony.tables.steps[line["step"] - 1].kind
        for step, what in moments:
            if step == kind and not any(fact["name"] == f"{step}/{what}" for fact in physical):
                physical = [*physical, {"name": f"{step}/{what}", "what": what, "text": "clock", "value": "2026-11-24 09:30"}]
                line["data"]["products"]["physical"] = physical
    return ceremony


START, STOP = ("check-machine", "video-start"), ("certify-root", "video-stop")


def test_a_video_around_the_key_generation_is_in_order(held: HeldCeremony, tmp_path: Path) -> None:
    assert failed(verdict_on(filmed(with_evidence(held, "video"), START, STOP), tmp_path)) == set()


@pytest.mark.parametrize(
    "moments",
    [(), (START,), (STOP,), (START, ("check-machine", "video-stop"), STOP), (("certify-root", "video-start"), STOP)],
    ids=["none", "no stop", "no start", "stopped before", "started after"],
)
def test_a_video_that_does_not_cover_the_key_generation_fails(
    held: HeldCeremony, tmp_path: Path, moments: tuple[tuple[str, str], ...]
) -> None:
    assert failed(verdict_on(filmed(with_evidence(held, "video"), *moments), tmp_path)) == {"evidence"}


def test_an_auditor_who_confirmed_and_signed_off_is_in_order(held: HeldCeremony, tmp_path: Path) -> None:
    assert failed(verdict_on(with_an_auditor(held), tmp_path)) == set()


def test_a_witness_is_no_auditor(held: HeldCeremony, tmp_path: Path) -> None:
    assert failed(verdict_on(with_evidence(held, "qualified-auditor"), tmp_path)) == {"evidence"}


@pytest.mark.parametrize(
    "change",
    [drop("confirmed", key="seen/witness-1"), put("signed-off", {"participant": "witness-1"}, statement="refused")],
    ids=["did not confirm", "refused"],
)
def test_an_auditor_who_did_not_confirm_or_refused_fails(
    held: HeldCeremony, tmp_path: Path, change: Callable[[HeldCeremony], None]
) -> None:
    ceremony = with_an_auditor(held)
    change(ceremony)
    assert "evidence" in failed(verdict_on(ceremony, tmp_path))
