"""What the process does to itself before anything else is imported: no core dumps, no debug switches from outside."""

import ctypes
import os
import resource
import sys
from collections.abc import MutableMapping

# Linux: prctl(2), numbers from <linux/prctl.h>.
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4

# Each of these turns on logging, tracing or code that we did not choose. Textual reads its own at import and can write
# every key typed to a file; pkcs11-spy, OpenSC, p11-kit and the Yubico modules write calls, PINs among them, to a log.
_PREFIXES = ("TEXTUAL", "PKCS11SPY", "YUBIHSM_PKCS11_D")
_NAMES = {
    "PYTHONASYNCIODEBUG", "PYTHONBREAKPOINT", "PYTHONDEBUG", "PYTHONDEVMODE", "PYTHONDUMPREFS", "PYTHONDUMPREFSFILE",
    "PYTHONFAULTHANDLER", "PYTHONINSPECT", "PYTHONMALLOC", "PYTHONMALLOCSTATS", "PYTHONPERFSUPPORT", "PYTHONPROFILEIMPORTTIME",
    "PYTHONSTARTUP", "PYTHONTRACEMALLOC", "PYTHONVERBOSE", "PYTHONWARNINGS",
    "OPENSC_DEBUG", "P11_KIT_DEBUG", "YKCS11_DBG", "YUBIHSM_LIB_DBG", "SSLKEYLOGFILE",
}  # fmt: skip


def harden(environ: MutableMapping[str, str]) -> list[str]:
    """Makes this process leave no core dump and no readable file, and takes the debug switches out of `environ`.

    Returns the names that were removed, sorted, for the record. Must run before `textual` is imported. What cannot be set on
    this system is told by the machine check, not here.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o077)
    removed = sorted(name for name in environ if name in _NAMES or name.startswith(_PREFIXES))
    for name in removed:
        del environ[name]
    return removed


def is_dumpable() -> bool | None:
    """Whether the system may dump this process's memory or let another process of the same user read it; None off Linux."""
    if sys.platform != "linux":
        return None
    return bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
