"""What is installed is what was reviewed: pins, hashes, no address, and a reason for each package on the air-gapped machine."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = DOCUMENT["project"]
EXTRAS = PROJECT["optional-dependencies"]
PIN_FILES = {
    "offline": PROJECT["dependencies"],
    "online": PROJECT["dependencies"] + EXTRAS["online"],
    "adr": PROJECT["dependencies"] + EXTRAS["online"] + EXTRAS["adr"],
    "device": PROJECT["dependencies"] + EXTRAS["device"],
    "dev": PROJECT["dependencies"] + EXTRAS["online"] + EXTRAS["adr"] + EXTRAS["device"] + EXTRAS["dev"],
    "build": DOCUMENT["dependency-groups"]["build"],
    "fuzz": DOCUMENT["dependency-groups"]["fuzz"],
}
NETWORK_CLIENTS = {"requests", "urllib3", "certifi", "httpx", "aiohttp", "msal", "pyjwt"}


def pins(name: str) -> dict[str, str]:
    """Version by package, from a requirements file; every line of it must be a pin, a hash or a comment."""
    found: dict[str, str] = {}
    hashed: set[str] = set()
    current = ""
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if pin := re.fullmatch(r"([a-z0-9][a-z0-9.-]*)==([^ ;]+)( ; [^\\]+)? \\", line):
            current = pin[1]
            found[current] = pin[2]
        elif re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?", line):
            hashed.add(current)
        else:
            assert re.fullmatch(r" +# .*", line), f"requirements/{name}.txt: {line}"
    assert hashed == found.keys()
    return found


@pytest.mark.parametrize("name", PIN_FILES)
def test_each_direct_dependency_is_pinned_as_pyproject_says(name: str) -> None:
    pinned = pins(name)
    for wanted in PIN_FILES[name]:
        package, version = wanted.split("==")
        assert pinned[package] == version


@pytest.mark.parametrize("name", PIN_FILES)
def test_no_requirements_file_names_an_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert "index-url" not in text


def test_the_files_agree_on_every_version() -> None:
    dev = pins("dev")
    for name in ("offline", "online", "adr", "device"):
        assert pins(name).items() <= dev.items()


def test_the_air_gapped_machine_gets_no_network_client_and_no_azure() -> None:
    offline = pins("offline").keys()
    assert not offline & NETWORK_CLIENTS
    assert not [package for package in offline if package.startswith("azure") or package == "paho-mqtt"]


def test_every_package_on_the_air_gapped_machine_has_a_reason_on_paper() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    section = page.split("## On the air-gapped machine")[1].split("## Online")[0]
    explained = {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    assert explained == set(pins("offline"))


def test_the_build_backend_is_the_pinned_one() -> None:
    """`pip install --no-build-isolation` builds with what dev.txt installed."""
    required = DOCUMENT["build-system"]["requires"]
    assert required == [f"hatchling=={pins('dev')['hatchling']}"]


def test_the_product_imports_nothing_that_is_not_a_direct_dependency() -> None:
    """What is there only because a tool of the developers brings it is missing on the air-gapped machine."""
    distributions = packages_distributions()
    direct = {name: {requirement.split("==")[0] for requirement in wanted} for name, wanted in PIN_FILES.items()}
    foreign: dict[str, str] = {}
    for path in [*(ROOT / "ceremony").rglob("*.py"), *(ROOT / "hsm").rglob("*.py")]:
        package = path.relative_to(ROOT).parts[1]
        wanted = direct[package if package in ("online", "device") else "offline"]
        for name in imported_packages(path) - sys.stdlib_module_names - {"ceremony", "hsm"}:
            if not wanted & set(distributions.get(name, [])):
                foreign[str(path.relative_to(ROOT))] = name
    assert foreign == {}


def imported_packages(path: Path) -> set[str]:
    """The top-level names that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
