"""Rule 13 at run time: offline code loads no network client. The import contracts read the source; this looks at what was loaded."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import ceremony
import hsm

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "ceremony-scripts"
NETWORK_CLIENTS = [
    "azure", "msal", "requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request", "ftplib", "smtplib", "xmlrpc",
]  # fmt: skip
MAY_TALK_TO_AZURE = {"ceremony.demo_online"} | {
    f"ceremony.online.{name}"
    for name in (
        "activation", "acts", "apply", "azure_errors", "clocks", "clouds", "control_plane", "credentials", "data_plane", "depends",
        "destroyed", "device_registry", "disable", "disable_devices", "groups", "hub_registry", "pipeline", "plan", "request_code", "rest",
        "retire", "revoked", "status", "successions", "world",
    )
} | {"ceremony.demo_online"}  # fmt: skip
"""Modules that may load a network client; `online request` without a service, bundles and receipts need none of them."""
MAY_TALK_TO_DEVICE_SERVICES = {f"ceremony.device.{name}" for name in ("connect", "https_probe", "register")}
"""Of the device's side, what asks over HTTPS itself. Azure's device library is loaded in a process of its own, and nowhere else."""
LISTENS_ON_LOOPBACK = ("ceremony.simulator.", "ceremony.commands.simulator")
"""Beginnings of the names of modules that serve HTTPS: Python's own server brings its client along."""

IMPORT_EACH = """
import importlib, json, sys
forbidden, modules = json.loads(sys.argv[1]), sys.argv[2:]
for module in modules:
    importlib.import_module(module)
    loaded = sorted(set(forbidden) & sys.modules.keys())
    if loaded:
        sys.exit(f"{module} loads {', '.join(loaded)}")
"""

RUN_COMMAND = """
import atexit, json, pathlib, sys
report = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: report.write_text(json.dumps(sorted(sys.modules))))
from ceremony.cli import main
sys.argv[0] = "ceremony"
sys.exit(main())
"""


def modules_of(package: ModuleType) -> list[str]:
    """Every module below a package, by its dotted name; `__main__` runs when imported, and is left out."""
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in names if not name.endswith("__main__")]


def import_each(forbidden: list[str], modules: list[str]) -> str:
    """What a new process says that imports these modules one by one: "" when none loads anything forbidden."""
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, json.dumps(forbidden), *modules], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return ended.stderr.strip()


def test_no_offline_module_loads_a_network_client() -> None:
    modules = [
        name
        for name in modules_of(ceremony) + modules_of(hsm)
        if name not in MAY_TALK_TO_AZURE | MAY_TALK_TO_DEVICE_SERVICES and not name.startswith(LISTENS_ON_LOOPBACK)
    ]
    assert len(modules) > 50
    assert import_each(NETWORK_CLIENTS, modules) == ""


def test_no_module_loads_azures_device_library() -> None:
    """Its threads, timers and prints stay in the process that is made for them."""
    assert import_each(["azure.iot", "paho"], modules_of(ceremony)) == ""


def test_the_leading_process_loads_neither_pkcs11_nor_its_side_car() -> None:
    """Whoever loads a vendor's module can be killed by it: that is for hsm's child alone."""
    assert import_each(["pkcs11", "hsm.sidecar", "hsm.worker"], modules_of(ceremony)) == ""


def test_only_the_app_loads_textual() -> None:
    assert import_each(["textual"], [name for name in modules_of(ceremony) if not name.startswith("ceremony.tui")]) == ""


def test_a_network_client_would_be_seen() -> None:
    assert import_each(NETWORK_CLIENTS, ["json", "urllib.request"]) == "urllib.request loads http.client, urllib.request"


def loaded_by(report: Path, *arguments: str | Path) -> tuple[int, set[str], str]:
    """Exit code, loaded modules and talk of `ceremony ARGUMENTS` in a new process without a terminal."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN_COMMAND, report, *arguments],
        capture_output=True, text=True, cwd=ROOT, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return ended.returncode, set(json.loads(report.read_text())), ended.stderr


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The folder of a whole rehearsal, run by the command, and the modules that the command loaded."""
    folder = tmp_path_factory.mktemp("loaded")
    script = SCRIPTS / "root-generation.toml"
    answers = script.with_suffix(".answers.toml")
    code, modules, talk = loaded_by(folder / "modules.json", "rehearse", script, "--answers", answers, "--dir", folder / "D")
    assert code == 0, talk
    return folder / "D", modules


def test_a_whole_rehearsal_loads_no_network_client(rehearsed: tuple[Path, set[str]]) -> None:
    assert rehearsed[1].isdisjoint(NETWORK_CLIENTS)
    assert "pkcs11" not in rehearsed[1]


COMMANDS: dict[str, tuple[list[str | Path], set[int]]] = {
    "help": (["--help"], {0}),
    "check": (["check", SCRIPTS / "first-ceremony.toml"], {0}),
    "status": (["status", "--dir", "DIR", "--json"], {0}),
    "verify": (["verify", "DIR/bundles/1"], {8}),
    "export": (["export", "--dir", "DIR", "--outbox", "OUTBOX"], {0}),
    "doctor": (["doctor"], {0, 1, 2, 3}),
    "tokens": (["tokens", "--json"], {0, 3}),
    "resume": (["resume", "--dir", "DIR"], {1, 2}),
    "online request": (["online", "request", "-o", "NEW"], {2}),
    "factory request": (["factory", "request", "alpha.1", "-o", "NEW", "--subject", "CN=Alpha 1"], {2}),
    "factory accept": (["factory", "accept", "NEW", "DIR/bundles/1", "--fingerprint", "0" * 64], {2}),
    "factory status": (["factory", "status", "NEW"], {2}),
    "run": (["run", SCRIPTS / "first-ceremony.toml", "--dir", "NEW", "--plain"], {1, 2, 3, 7}),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_loads_no_network_client(command: str, rehearsed: tuple[Path, set[str]], tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    places = {"DIR": rehearsed[0], "OUTBOX": tmp_path / "outbox", "NEW": tmp_path / "new"}
    arguments, expected = COMMANDS[command]
    words = [str(word) for word in arguments]
    for name, place in places.items():
        words = [word.replace(name, str(place)) if word.split("/")[0] == name else word for word in words]
    code, modules, talk = loaded_by(tmp_path / "modules.json", *words)
    assert code in expected, talk
    assert modules.isdisjoint(NETWORK_CLIENTS)
