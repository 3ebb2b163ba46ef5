"""The end: every program stopped, every medium written out and unmounted, memory given back to a kernel that overwrites it, power off."""

import os
import signal
import subprocess
import time
from pathlib import Path

from image.menu import media

_PATIENCE_SECONDS = 10


def off() -> list[str]:
    """Ends it all. Returns only when a medium could not be unmounted, with the reasons; then the power is still on."""
    _end_programs()
    problems = [problem for place, device in media.mounted().items() if device and (problem := media.unmount(place))]
    if problems:
        return problems
    # The kernel was started with init_on_free: what is given back to it is overwritten.
    for folder in ("/run/ceremony", "/tmp", "/opt/vendor", "/dev/shm"):  # noqa: S108 - emptied, not used
        subprocess.run(["find", folder, "-mindepth", "1", "-xdev", "-delete"], capture_output=True, check=False)
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
    Path("/proc/sysrq-trigger").write_text("o\n", encoding="ascii")
    while True:
        time.sleep(60)


def _end_programs() -> None:
    """The user's and pcscd's: asked, then ended."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + _PATIENCE_SECONDS
        while (running := _programs()) and time.monotonic() < end:
            for number in running:
                try:
                    os.kill(number, how)
                except ProcessLookupError:
                    continue
            time.sleep(0.5)


def _programs() -> list[int]:
    """Processes that are not root's; the kernel's own are root's."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                owner = entry.stat().st_uid
            except FileNotFoundError:
                continue
            found += [int(entry.name)] if owner != 0 else []
    return found
