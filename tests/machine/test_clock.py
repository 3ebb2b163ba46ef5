import re
import time
from datetime import UTC, datetime

import pytest

from ceremony.machine.clock import now, read_clock, steady_since
from ceremony.transcript import Moment

START = Moment("2026-11-24T10:00:00Z", "boot-1", 5_000)


@pytest.mark.parametrize(
    ("wall", "boot_ms", "boot", "told"),
    [
        ("2026-11-24T10:10:00Z", 605_000, "boot-1", None),
        ("2026-11-24T10:10:02Z", 605_000, "boot-1", None),
        ("2026-11-24T10:10:03Z", 605_000, "boot-1", "set forward by 3 seconds"),
        ("2026-11-24T10:09:57Z", 605_000, "boot-1", "set back by 3 seconds"),
        ("2026-11-23T10:10:00Z", 605_000, "boot-1", "set back by 86400 seconds"),
        ("2026-11-24T10:00:01Z", 7, "boot-2", None),
        ("2026-11-24T09:59:59Z", 7, "boot-2", "it was set back"),
        ("2027-01-01T00:00:00Z", 6_000, "unknown", None),
    ],
)
def test_a_step_of_the_wall_clock_shows_against_the_boot_clock(wall, boot_ms, boot, told):
    problem = steady_since(START, clock=lambda: Moment(wall, boot, boot_ms))
    assert problem is None if told is None else told in (problem or "")


def test_the_clock_of_this_moment():
    before, moment, later = datetime.now(UTC).replace(microsecond=0), now(), now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment.time)
    assert before <= datetime.fromisoformat(moment.time) <= datetime.now(UTC)
    assert (moment.boot_id, moment.boot_milliseconds <= later.boot_milliseconds) == (later.boot_id, True)
    assert steady_since(moment) is None


@pytest.mark.parametrize(
    ("adjtime", "keeps", "ahead"),
    [("0 0 0\n0\nUTC\n", "UTC", 300), ("0 0 0\n0\nLOCAL\n", "local time", None), (None, "unknown", 300)],
)
def test_the_battery_clock_is_compared_where_it_keeps_utc(tmp_path, adjtime, keeps, ahead):
    (tmp_path / "sys/class/rtc/rtc0").mkdir(parents=True)
    (tmp_path / "sys/class/rtc/rtc0/since_epoch").write_text(f"{int(time.time()) + 300}\n")
    if adjtime:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/adjtime").write_text(adjtime)
    facts = read_clock(tmp_path)
    assert facts["battery_clock_keeps"] == keeps
    found = facts["battery_clock_ahead_seconds"]
    assert found == ahead or (ahead is not None and abs(found - ahead) <= 1)


def test_without_a_battery_clock_that_is_said(tmp_path):
    facts = read_clock(tmp_path)
    assert (facts["battery_clock"], facts["battery_clock_ahead_seconds"], facts["set_by"]) == ("none", None, [])
