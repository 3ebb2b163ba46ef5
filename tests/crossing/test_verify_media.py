"""Media of a held ceremony: `verify` wants each looked at, out on a fresh one of known serial, in from a read-only one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.crossing.bundle import LEDGER
from ceremony.crossing.ledger import media_in
from tests.crossing.forging import drop, failed, insert_after, lines_where, put, verdict_on
from tests.crossing.held_ceremony import HeldCeremony, first_session, later_ceremony, whole_ceremony

SEEN: dict[str, Any] = {"device": "/dev/sdb1", "serial": "INBOUND", "read_only": True}


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"), rehearsal=False, software=False)


def inbound(**seen: Any) -> Callable[[HeldCeremony], None]:
    return put("result", {"key": "inbound/1/look/1"}, value={**SEEN, **seen})


def outbound(**seen: Any) -> Callable[[HeldCeremony], None]:
    return put("result", {"key": "outbound/1/look/1"}, value={**SEEN, "serial": "S", "read_only": False, **seen})


def same_medium_twice(ceremony: HeldCeremony) -> None:
    for key in ("outbound/1/look/1", "outbound/1/take"):
        first, second = (line["data"]["value"] for line in lines_where(ceremony, "result", key=key))
        second["serial"] = first["serial"].upper()


@pytest.mark.parametrize(
    "forge",
    [
        drop("result", key="inbound/1/look/1"),
        drop("result", key="outbound/1/look/1"),
        drop("result", key="outbound/1/take"),
        inbound(read_only=False),
        inbound(device=""),
        outbound(device=""),
        outbound(serial="another"),
        outbound(serial=""),
        put("result", {"key": "outbound/1/take"}, value={"serial": ""}),
        same_medium_twice,
    ],
)
def test_a_medium_that_was_not_as_it_should_be_fails_by_name(
    held: HeldCeremony, tmp_path: Path, forge: Callable[[HeldCeremony], None]
) -> None:
    forged = held.forged()
    forge(forged)
    assert "media" in failed(verdict_on(forged, tmp_path))


def test_two_people_can_bear_an_unfit_medium_or_type_a_serial(held: HeldCeremony, tmp_path: Path) -> None:
    borne = held.forged()
    inbound(read_only=False)(borne)
    look = lines_where(borne, "result", key="inbound/1/look/1")[0]
    insert_after(borne, look, lambda ceremony: ceremony.overridden("no other at hand", "admin", "witness-1"))
    assert failed(verdict_on(borne, tmp_path / "borne")) == set()
    typed = held.forged()
    look, take = (lines_where(typed, "result", key=f"outbound/1/{what}")[-1] for what in ("look/1", "take"))
    look["data"]["value"]["serial"] = ""
    serial = take["data"]["value"]["serial"]

    def both_type_it(ceremony: HeldCeremony) -> None:
        ceremony.answered("outbound/1/serial/1/first", serial, "admin")
        ceremony.answered("outbound/1/serial/1/second", serial, "witness-1")

    insert_after(typed, look, both_type_it)
    assert failed(verdict_on(typed, tmp_path / "typed")) == set()
    put("confirmed", {"key": "outbound/1/serial/1/second"}, by="admin")(typed)
    assert "media" in failed(verdict_on(typed, tmp_path / "by-one"))


def test_media_stand_in_the_ledger_and_are_used_up_for_later_ceremonies_too(tmp_path: Path) -> None:
    first = first_session(tmp_path / "first")
    taken = lines_where(first, "result", key="outbound/1/take")[0]["data"]["value"]["serial"]
    assert media_in(first.bundle_files()[LEDGER]) == {taken}
    later = later_ceremony(tmp_path / "later", whole_ceremony(tmp_path / "whole"))
    assert failed(verdict_on(later, tmp_path / "good")) == set()
    used = sorted(media_in(later.previous.bundle_files()[LEDGER]) if later.previous else ())[0]
    for key in ("outbound/1/look/1", "outbound/1/take"):
        lines_where(later, "result", key=key)[0]["data"]["value"]["serial"] = used
    assert failed(verdict_on(later, tmp_path / "again")) == {"media"}
