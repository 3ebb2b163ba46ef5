"""The clock: wall time with the boot-time clock beside it, so that a step of the one shows against the other."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ceremony.machine.linux import running, text_of
from ceremony.transcript import Moment

_UNKNOWN_BOOT = "unknown"
_TIME_DAEMONS = {"chronyd", "ntpd", "ntpd-rs", "openntpd", "systemd-timesyn", "timemaster", "ptp4l", "phc2sys"}


def now() -> Moment:
    """The time of this moment: wall clock in UTC to the second, boot id, milliseconds since boot (CLOCK_BOOTTIME).

    Off Linux the boot id is "unknown" and the monotonic clock stands in for the boot-time clock.
    """
    clock = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    boot_id = (text_of(Path("/"), "proc/sys/kernel/random/boot_id") or _UNKNOWN_BOOT).strip()
    return Moment(
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        boot_id=boot_id,
        boot_milliseconds=time.clock_gettime_ns(clock) // 1_000_000,
    )


def steady_since(earlier: Moment, tolerance_ms: int = 2000, *, clock: Callable[[], Moment] = now) -> str | None:
    """What is wrong with the wall clock since `earlier`, in words; None when nothing is.

    Within one boot, wall and boot-time clock must have gone the same way but for `tolerance_ms` milliseconds (the wall clock
    is recorded to the second, so less than 1000 says nothing). Across boots only a wall clock that went back can be told.
    """
    current = clock()
    wall = int((_seconds(current.time) - _seconds(earlier.time)) * 1000)
    if current.boot_id != earlier.boot_id or _UNKNOWN_BOOT in (current.boot_id, earlier.boot_id):
        if wall < 0:
            return f"The clock says {current.time}, before the recorded {earlier.time}; it was set back."
        return None
    drift = wall - (current.boot_milliseconds - earlier.boot_milliseconds)
    if abs(drift) <= tolerance_ms:
        return None
    way = "forward" if drift > 0 else "back"
    return f"The clock was set {way} by {abs(drift) / 1000:.0f} seconds since {earlier.time}, by the boot-time clock."


def read_clock(root: Path = Path("/")) -> dict[str, Any]:
    """What is known of the clock, for two people to agree on and for the record: strings, integers and lists only.

    `utc`, `boot_id`, `boot_milliseconds`; `battery_clock` (the real-time clock as it stands, or "none"),
    `battery_clock_keeps` ("UTC", "local time" or "unknown"), `battery_clock_ahead_seconds` (integer or None, only where it
    keeps UTC); `set_by`: programs seen running that set the clock; `time_zone`.
    """
    moment = now()
    epoch = (text_of(root, "sys/class/rtc/rtc0/since_epoch") or "").strip()
    keeps = _battery_clock_keeps(root)
    ahead = int(epoch) - int(_seconds(moment.time)) if epoch.isdigit() and keeps != "local time" else None
    return {
        "utc": moment.time,
        "boot_id": moment.boot_id,
        "boot_milliseconds": moment.boot_milliseconds,
        "battery_clock": datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d %H:%M:%S") if epoch.isdigit() else "none",
        "battery_clock_keeps": keeps,
        "battery_clock_ahead_seconds": ahead,
        "set_by": sorted(_TIME_DAEMONS.intersection(running(root) or ())),
        "time_zone": time.strftime("%Z %z"),
    }


def _battery_clock_keeps(root: Path) -> str:
    # hwclock(8): the third line of /etc/adjtime is UTC or LOCAL; without the file hwclock takes UTC.
    lines = (text_of(root, "etc/adjtime") or "").splitlines()
    if len(lines) < 3:
        return "unknown"
    return "local time" if lines[2].strip() == "LOCAL" else "UTC"


def _seconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()
