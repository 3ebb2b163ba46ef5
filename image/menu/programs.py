"""Starting the program as its own user, who can become nobody else and reaches only the devices that are its."""

import os
import signal
import subprocess

HOME = "/run/ceremony"
_AS_USER = (
    "setpriv", "--reuid=ceremony", "--regid=ceremony", "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all",
)  # fmt: skip


def environment() -> dict[str, str]:
    """All that the program gets of an environment."""
    return {
        "PATH": "/opt/ceremony/bin:/usr/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": HOME, "TERM": os.environ.get("TERM", "linux"),
    }  # fmt: skip


def as_user(*command: str) -> int:
    """Runs it on this terminal to its end; the keys that stop a program reach that program alone. Returns its exit code."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = subprocess.Popen([*_AS_USER, *command], env=environment(), cwd=HOME, preexec_fn=_let_keys_stop_it)
        return child.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _let_keys_stop_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def said_by(*command: str) -> list[str]:
    """Runs it as the user on this terminal, and returns the lines of its standard output, for the screen to show in pages."""
    ended = subprocess.run(
        [*_AS_USER, *command], env=environment(), cwd=HOME, stdout=subprocess.PIPE, text=True, errors="replace", check=False
    )
    return ended.stdout.splitlines()
