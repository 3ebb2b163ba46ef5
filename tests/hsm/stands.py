"""Tokens in software to run the contract on: each module with its store, its daemon and what its token is known to want.

SoftHSM is always there. The others are what `make interop` unpacks into .venv/debs, or what the system has. A stand changes nothing
outside the folder it is given and ends its daemon.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hsm.client import Module, Token
from hsm.library import NSS_PARAMETERS
from hsm.softhsm import find_softhsm, loader_environment, throw_away, unpacked_packages
from tests.hsm.given import USER_PIN, initialise, is_running

IN_NAMESPACE = "CEREMONY_TOKENS_NAMESPACE"
"""Set by namespace.sh: opencryptoki's fixed places belong to us here."""


@dataclass(frozen=True)
class Stand:
    """A module with one token that nobody has used; `made_ready` is the label of one that its vendor's tool had to make ready."""

    name: str
    module: Path
    environment: dict[str, str]
    made_ready: str = ""

    def start(self) -> Module:
        return Module.start(self.module, self.environment)

    def token(self, module: Module) -> Token:
        """The token, initialised; nobody is logged in."""
        if self.made_ready:
            return module.token(label=self.made_ready)
        initialise(token := module.token(blank=True))
        return token


def _found(*patterns: str) -> Path | None:
    for root in (unpacked_packages(), Path("/")):
        for pattern in patterns:
            for found in sorted(root.glob(pattern)):
                return found
    return None


def _tool(name: str) -> Path | None:
    found = _found(f"usr/bin/{name}", f"usr/sbin/{name}", f"usr/libexec/p11-kit/{name}")
    return found or (Path(which) if (which := shutil.which(name)) else None)


def _with_libraries(module: Path, environment: dict[str, str]) -> dict[str, str]:
    """For a daemon out of unpacked packages."""
    path = f"{unpacked_packages()}/usr/bin:{os.environ['PATH']}"
    return {"PATH": path, "HOME": "/nonexistent", **loader_environment(module), **environment}


@contextmanager
def _softhsm(folder: Path) -> Iterator[Stand]:
    yield Stand("softhsm", find_softhsm(), throw_away(folder / "softhsm"))


@contextmanager
def _daemon(command: list[str | Path], environment: dict[str, str], up: Callable[[], bool]) -> Iterator[None]:
    daemon = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        limit = time.monotonic() + 20
        while not up():
            if daemon.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"{command[0]} did not come up")
            time.sleep(0.01)
        yield
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait()


@contextmanager
def _p11_kit(folder: Path) -> Iterator[Stand]:
    module, server = _found("usr/lib/*/pkcs11/p11-kit-client.so"), _tool("p11-kit-server")
    assert module is not None
    assert server is not None
    address = folder / "p11-kit"
    environment = _with_libraries(module, {**throw_away(folder / "softhsm"), "P11_KIT_PRIVATEDIR": str(server.parent)})
    command: list[str | Path] = [server, "-f", "-n", address, "--provider", find_softhsm(), "pkcs11:"]
    with _daemon(command, {**environment, "XDG_RUNTIME_DIR": str(folder)}, address.exists):
        yield Stand("p11-kit", module, {"P11_KIT_SERVER_ADDRESS": f"unix:path={address}"})


@contextmanager
def _tpm2(folder: Path) -> Iterator[Stand]:
    module, swtpm = _found("usr/lib/*/libtpm2_pkcs11.so.1", "usr/lib/*/pkcs11/libtpm2_pkcs11.so"), _tool("swtpm")
    assert module is not None
    assert swtpm is not None
    state, store = folder / "tpm", folder / "tpm2-pkcs11"
    state.mkdir()
    store.mkdir()
    port = _two_ports()
    server, control = (f"type=tcp,port={number},bindaddr=127.0.0.1" for number in (port, port + 1))
    command: list[str | Path] = [swtpm, "socket", "--tpm2", "--tpmstate", f"dir={state}", "--server", server, "--ctrl", control]
    command += ["--flags", "not-need-init,startup-clear"]
    environment = _with_libraries(module, {})
    environment["LD_LIBRARY_PATH"] = f"{environment.get('LD_LIBRARY_PATH', '')}:{module.parent / 'swtpm'}"
    with _daemon(command, environment, lambda: _listens(port + 1)):
        told = {"TPM2_PKCS11_TCTI": f"swtpm:host=127.0.0.1,port={port}", "TPM2_PKCS11_STORE": str(store)}
        yield Stand("tpm2-pkcs11", module, told)


def _two_ports() -> int:
    """A free port whose next is free too: swtpm's control is one above."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            try:
                two.bind(("127.0.0.1", one.getsockname()[1] + 1))
            except OSError:
                continue
            return int(one.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _nss(folder: Path) -> Iterator[Stand]:
    module, certutil = _found("usr/lib/*/libsoftokn3.so", "usr/lib/*/nss/libsoftokn3.so"), _tool("certutil")
    assert module is not None
    assert certutil is not None
    place = folder / "nss"
    place.mkdir()
    (place / "pin").write_bytes(USER_PIN + b"\n")
    command: list[str | Path] = [certutil, "-N", "-d", f"sql:{place}", "-f", place / "pin"]
    subprocess.run(command, env=_with_libraries(module, {}), check=True, capture_output=True)
    parameters = f"configdir='sql:{place}' certPrefix='' keyPrefix='' secmod='pkcs11.txt' flags=internalKeySlot"
    yield Stand("nss", module, {NSS_PARAMETERS: parameters}, made_ready="NSS Certificate DB")


@contextmanager
def _opencryptoki(folder: Path) -> Iterator[Stand]:
    module, daemon = _found("usr/lib/*/opencryptoki/libopencryptoki.so.0"), Path("/usr/sbin/pkcsslotd")
    assert module is not None
    store = Path("/var/lib/opencryptoki/swtok")
    for place in (store, Path("/dev/shm")):  # noqa: S108  # of our own namespace
        for left in (*place.glob("*.DAT"), *place.glob("MK_*"), *place.glob("TOK_OBJ/*"), *place.glob("*opencryptoki*")):
            left.unlink()
    subprocess.run([daemon], env=_with_libraries(module, {}), check=True, capture_output=True)
    time.sleep(0.2)
    try:
        yield Stand("opencryptoki", module, {})
    finally:
        process_id = int(Path("/var/run/pkcsslotd.pid").read_text())
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGTERM)
        limit = time.monotonic() + 10
        while is_running(process_id) and time.monotonic() < limit:
            time.sleep(0.02)


STANDS: dict[str, Callable[[Path], AbstractContextManager[Stand]]] = {
    "softhsm": _softhsm,
    "p11-kit": _p11_kit,
    "tpm2-pkcs11": _tpm2,
    "nss": _nss,
    "opencryptoki": _opencryptoki,
}


def lacks(name: str) -> str:
    """Why this stand cannot be put up here; "" when it can."""
    wanted = {
        "softhsm": find_softhsm,
        "p11-kit": lambda: _found("usr/lib/*/pkcs11/p11-kit-client.so") and _tool("p11-kit-server"),
        "tpm2-pkcs11": lambda: _found("usr/lib/*/libtpm2_pkcs11.so.1") and _tool("swtpm"),
        "nss": lambda: _found("usr/lib/*/libsoftokn3.so", "usr/lib/*/nss/libsoftokn3.so") and _tool("certutil"),
        "opencryptoki": lambda: IN_NAMESPACE in os.environ and _found("usr/lib/*/opencryptoki/libopencryptoki.so.0"),
    }[name]
    return "" if wanted() else f"{name} is not here: `make interop` brings it"
