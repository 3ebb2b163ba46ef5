"""The machine in general words: what a reader needs to judge the figures, and nothing that names it."""

import os
import platform
import sys
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend


def in_words() -> str:
    """Processors, memory, system, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = ".".join(map(str, sys.version_info[:2]))
    openssl = backend.openssl_version_text().split()[1]
    virtual = "virtual " if "hypervisor" in _cpu_flags() else ""
    processors = f"{len(os.sched_getaffinity(0))} {virtual}processors ({platform.machine()})"
    return f"{processors}, {memory:.0f} GiB of memory, {_system()}, Python {python}, cryptography with OpenSSL {openssl}"


def _cpu_flags() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
