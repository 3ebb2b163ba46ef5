"""Each pinned package has a licence that is named and allowed; the bill of materials says what a wheelhouse holds, as CycloneDX wants."""

import json
import re
import subprocess
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from packageurl import PackageURL

from tests.test_docs import made_by
from tests.test_project_pins import pins

ROOT = Path(__file__).parent.parent
LICENCES: dict[str, dict[str, str]] = tomllib.loads((ROOT / "requirements" / "licences.toml").read_text())
SBOM = made_by(ROOT / "requirements" / "make_sbom.py")
ON_THE_MEDIUM = {"MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0"}
"""What may be copied to the air-gapped machine with nothing but its notice kept."""
ELSEWHERE = ON_THE_MEDIUM | {"ISC", "MPL-2.0", "EPL-2.0", "LicenseRef-Public-Domain"}
CLASSIFIERS = {
    "MIT License": {"MIT"},
    "BSD License": {"BSD-2-Clause", "BSD-3-Clause"},
    "Apache Software License": {"Apache-2.0"},
    "Mozilla Public License 2.0 (MPL 2.0)": {"MPL-2.0"},
    "Python Software Foundation License": {"PSF-2.0"},
    "ISC License (ISCL)": {"ISC"},
}


def ids(expression: str) -> set[str]:
    """The licences of an SPDX expression, of which one may be chosen: none of ours says AND or WITH."""
    assert not re.search(r"\b(AND|WITH)\b|\(", expression)
    return set(expression.split(" OR "))


def test_every_pinned_package_has_a_licence_and_no_other_has() -> None:
    medium = pins("offline").keys() | pins("installer").keys()
    everything = medium | pins("dev").keys() | pins("build").keys()
    assert LICENCES["medium"].keys() == medium
    assert LICENCES["elsewhere"].keys() == everything - medium


@pytest.mark.parametrize(("part", "allowed"), [("medium", ON_THE_MEDIUM), ("elsewhere", ELSEWHERE)])
def test_every_licence_is_allowed_and_known_to_spdx(part: str, allowed: set[str]) -> None:
    spdx = get_spdx_licensing()
    for package, expression in LICENCES[part].items():
        assert ids(expression) <= allowed, package
        unknown = {str(key) for key in spdx.unknown_license_keys(expression)} - {"LicenseRef-Public-Domain"}
        assert unknown == set(), package


def test_the_licences_are_those_that_the_installed_packages_name() -> None:
    compared = 0
    for package, expression in (LICENCES["medium"] | LICENCES["elsewhere"]).items():
        try:
            metadata = distribution(package).metadata
        except PackageNotFoundError:
            continue  # pinned for another platform
        if named := metadata["License-Expression"]:
            assert named == expression, package
            compared += 1
        for classifier in metadata.get_all("Classifier", []):
            if classifier.startswith("License :: OSI Approved :: "):
                assert ids(expression) & CLASSIFIERS[classifier.removeprefix("License :: OSI Approved :: ")], package
                compared += 1
    assert compared > 60


def test_the_licences_of_the_medium_are_on_paper() -> None:
    page = (ROOT / "docs" / "supply-chain.md").read_text()
    told = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|", page.split("## Licences")[1], re.MULTILINE))
    assert told == LICENCES["medium"]


def wheels() -> list[Any]:
    """One for each package of the medium, with a hash that is pinned, and ours."""
    carried = distribution("cryptography").locate_file(f"cryptography-{distribution('cryptography').version}.dist-info/sboms")
    bills = tuple(json.loads(path.read_text()) for path in sorted(Path(str(carried)).glob("*.json")))
    found = [SBOM.Wheel("root-ceremony", "0.1.0", "ab" * 32, False, ())]
    for name in ("offline", "installer"):
        for package, pin in SBOM.pins((ROOT / "requirements" / f"{name}.txt").read_text()).items():
            compiled = package in ("cffi", "cryptography")
            found.append(SBOM.Wheel(package, pin.version, min(pin.hashes), compiled, bills if package == "cryptography" else ()))
    return found


def bill_of(made_of: list[Any]) -> dict[str, Any]:
    pinned, installer = (SBOM.pins((ROOT / "requirements" / f"{name}.txt").read_text()) for name in ("offline", "installer"))
    return dict(SBOM.bill(made_of, pinned, installer, LICENCES["medium"]))


def test_the_bill_is_valid_cyclonedx_and_names_everything_with_digest_licence_and_purl() -> None:
    made = bill_of(wheels())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None
    components = {component["name"]: component for component in made["components"]}
    assert components.keys() == LICENCES["medium"].keys()
    for name, component in components.items():
        assert PackageURL.from_string(component["purl"]).to_dict()["version"] == component["version"]
        assert component["licenses"] == [{"expression": LICENCES["medium"][name]}]
        assert len(component["hashes"][0]["content"]) == 64
    assert [name for name, component in components.items() if component["scope"] == "excluded"] == ["pip"]
    assert "openssl" in {inside["name"] for inside in components["cryptography"]["components"]}
    needs = {row["ref"].partition("@")[0]: {other.partition("@")[0] for other in row["dependsOn"]} for row in made["dependencies"]}
    assert needs["cffi"] == {"pycparser"} and needs["root-ceremony"] > {"cryptography", "python-pkcs11", "rich"}
    assert made["compositions"][1]["assemblies"] == [components["cffi"]["bom-ref"]]
    assert bill_of(wheels()[::-1]) == made


@pytest.mark.parametrize("wrong", ["another hash", "one missing", "one too many", "another version"])
def test_a_folder_that_is_not_as_pinned_gets_no_bill(wrong: str) -> None:
    made_of = wheels()
    last = made_of[-1]
    made_of[-1:] = {
        "another hash": [SBOM.Wheel(last.name, last.version, "cd" * 32, False, ())],
        "one missing": [],
        "one too many": [last, SBOM.Wheel("requests", "2.0", last.sha256, False, ())],
        "another version": [SBOM.Wheel(last.name, "0", last.sha256, False, ())],
    }[wrong]
    with pytest.raises(SBOM.NotAsPinned):
        bill_of(made_of)


def test_a_wheel_is_read_with_the_bills_in_it(tmp_path: Path) -> None:
    path = tmp_path / "Some_Thing-1.2-cp311-abi3-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some_thing-1.2.dist-info/sboms/inside.json", '{"components": []}')
        archive.writestr("some_thing/sboms/not.json", "no bill")
    wheel = SBOM.read_wheel(path)
    assert (wheel.name, wheel.version, wheel.compiled, wheel.bills) == ("some-thing", "1.2", True, ({"components": []},))


INSTALL = ROOT / "requirements" / "install_offline.sh"
"""Goes to the wheelhouse as install.sh. What it does with a good folder, and with a forged wheel, `make airgap` tries."""


@pytest.mark.parametrize("wrong", ["a changed file", "a missing file", "a file too many", "a hidden file", "no sums"])
def test_the_installation_refuses_a_folder_that_its_sums_do_not_tell_of(wrong: str, tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (house / "install.sh").write_bytes(INSTALL.read_bytes())
    (house / "x.whl").write_text("x")
    subprocess.run("sha256sum -- * > ../sums && mv ../sums SHA256SUMS", shell=True, check=True, cwd=house)
    match wrong:
        case "a changed file":
            (house / "x.whl").write_text("y")
        case "a missing file":
            (house / "x.whl").unlink()
        case "a file too many":
            (house / "y.whl").write_text("x")
        case "a hidden file":
            (house / ".pip").write_text("x")
        case _:
            (house / "SHA256SUMS").unlink()
    ended = subprocess.run(["sh", house / "install.sh", tmp_path / "into"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "nothing was installed" in ended.stderr
    assert not (tmp_path / "into").exists()
