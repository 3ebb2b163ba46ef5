"""Where a PIN must not stand: files, processes, terminals. Each look is made to find a planted one, too (see the tests)."""

import base64
import secrets
from pathlib import Path

from tests.e2e.tmux import Tmux, cmdline, environ


def made_up_pin() -> str:
    """A PIN that nothing else on this machine holds by chance."""
    return f"pin-{secrets.token_hex(8)}"


def forms(pin: str) -> tuple[bytes, ...]:
    """The PIN as a file or a terminal could hold it: as it is, in hex, in base64 (OSC 52), and typed with a blank between."""
    octets = pin.encode()
    encoded = {base64.b64encode(b"x" * start + octets)[4 if start else 0 : -4] for start in range(3)}
    return (octets, octets.hex().encode(), *sorted(encoded), " ".join(pin).encode(), pin.encode("utf-16-le"))


def held_by(octets: bytes, pin: str) -> bool:
    return any(form in octets for form in forms(pin))


def files_with(folder: Path, pin: str) -> list[str]:
    """The files below a folder that hold the PIN, in their bytes or in their names."""
    return [str(path) for path in folder.rglob("*") if pin in path.name or (path.is_file() and held_by(path.read_bytes(), pin))]


def processes_with(pids: list[int], pin: str) -> list[str]:
    """The processes whose arguments or environment hold the PIN."""
    return [cmdline(pid) for pid in pids if pin in cmdline(pid) or pin in environ(pid)]


def terminal_without(tmux: Tmux, pin: str) -> None:
    """Nothing that the command wrote and nothing that tmux kept holds the PIN; nothing was put into a clipboard."""
    raw = tmux.raw.read_bytes()
    assert not held_by(raw, pin)
    assert b"\x1b]52" not in raw
    assert not held_by(tmux.history().encode(), pin)
