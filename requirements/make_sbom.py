"""Prints a CycloneDX bill of materials (JSON, 1.6) of a wheelhouse: `python requirements/make_sbom.py wheelhouse`.

Made from what is there: the wheels and their SHA-256, held against the pinned files; licences from licences.toml; who needs whom
from the pins' "via" comments; and what lies inside compiled wheels from the bills that these carry themselves (PEP 770).
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

HERE = Path(__file__).parent
OURS = "root-ceremony"
_CARRIED = ("type", "name", "version", "purl", "licenses", "hashes")
"""What is taken over of a component in a bill that a wheel carries."""


@dataclass
class Pin:
    """A pinned package: its version, the SHA-256 of each file that may be installed, and what needs it."""

    version: str
    hashes: set[str] = field(default_factory=set)
    via: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Wheel:
    """A wheel of the folder: name as the pins have it, version, SHA-256 in hex, whether it holds compiled code, and the bills in it."""

    name: str
    version: str
    sha256: str
    compiled: bool
    bills: tuple[dict[str, Any], ...]


class NotAsPinned(Exception):
    """The folder does not hold what the pinned files name; the message says which file."""


def pins(text: str) -> dict[str, Pin]:
    """The pins of a requirements file, by name."""
    found: dict[str, Pin] = {}
    current = Pin("")
    for line in text.splitlines():
        if pin := re.match(r"([a-z0-9][a-z0-9.-]*)==([^ ;]+)", line):
            current = found.setdefault(pin[1], Pin(pin[2]))
        elif of_file := re.search(r"--hash=sha256:([0-9a-f]{64})", line):
            current.hashes.add(of_file[1])
        elif via := re.match(r" +#(?: via)? +([a-z0-9][a-z0-9.-]*)", line):
            current.via.add(via[1])
    return found


def read_wheel(path: Path) -> Wheel:
    """What a wheel's name and content say (binary distribution format: name-version-python-abi-platform.whl)."""
    name, version, *_, abi, platform = path.stem.split("-")
    with zipfile.ZipFile(path) as archive:
        carried = sorted(item for item in archive.namelist() if re.search(r"\.dist-info/sboms/.+\.json$", item))
        bills = tuple(json.loads(archive.read(item)) for item in carried)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(re.sub(r"[-_.]+", "-", name).lower(), version, digest, (abi, platform) != ("none", "any"), bills)


def bill(wheels: list[Wheel], pinned: Mapping[str, Pin], installer: Mapping[str, Pin], licences: Mapping[str, str]) -> dict[str, Any]:
    """The bill of materials, the same for the same wheels. Raises NotAsPinned when wheels and pins do not agree."""
    own = [wheel for wheel in wheels if wheel.name == OURS]
    others = [wheel for wheel in wheels if wheel.name != OURS]
    if len(own) != 1:
        raise NotAsPinned(f"{len(own)} wheels of {OURS}")
    allowed = {**pinned, **installer}
    for wheel in others:
        pin = allowed.get(wheel.name)
        if pin is None or wheel.version != pin.version or wheel.sha256 not in pin.hashes:
            raise NotAsPinned(f"{wheel.name} {wheel.version} with SHA-256 {wheel.sha256}")
    if missing := sorted(allowed.keys() - {wheel.name for wheel in others}):
        raise NotAsPinned(f"no wheel of {', '.join(missing)}")
    components = [_component(wheel, licences[wheel.name], excluded=wheel.name in installer) for wheel in others]
    content = {
        "metadata": {"component": {**_named(own[0], "application", "Apache-2.0"), "purl": f"pkg:generic/{OURS}@{own[0].version}"}},
        "components": sorted(components, key=lambda component: str(component["bom-ref"])),
        "dependencies": list(_dependencies(pinned, {wheel.name: wheel.version for wheel in wheels})),
        "compositions": [
            {"aggregate": "complete", "dependencies": [_ref(own[0])]},
            # Compiled code without a bill of its own: which libraries lie inside is not told (such as libffi in cffi).
            {"aggregate": "unknown", "assemblies": sorted(_ref(wheel) for wheel in others if wheel.compiled and not wheel.bills)},
        ],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    serial = uuid.UUID(bytes=digest[:16], version=4)
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1, **content}


def _ref(wheel: Wheel) -> str:
    return f"{wheel.name}@{wheel.version}"


def _named(wheel: Wheel, kind: str, licence: str) -> dict[str, Any]:
    return {
        "type": kind,
        "bom-ref": _ref(wheel),
        "name": wheel.name,
        "version": wheel.version,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "licenses": [{"expression": licence}],
    }


def _component(wheel: Wheel, licence: str, *, excluded: bool) -> dict[str, Any]:
    carried = [component for one in wheel.bills for component in one.get("components", [])]
    inside = [
        {**{key: component[key] for key in _CARRIED if key in component}, "bom-ref": f"{_ref(wheel)}/{number}"}
        for number, component in enumerate(carried, 1)
    ]
    return {
        **_named(wheel, "library", licence),
        "purl": f"pkg:pypi/{wheel.name}@{wheel.version}",
        "scope": "excluded" if excluded else "required",
        **({"components": inside} if inside else {}),
    }


def _dependencies(pinned: Mapping[str, Pin], versions: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name in sorted(versions):
        needed = [f"{other}@{pin.version}" for other, pin in sorted(pinned.items()) if name in pin.via]
        yield {"ref": f"{name}@{versions[name]}", "dependsOn": needed}


def main(folder: Path) -> str:
    """The bill of a folder, as JSON text, which CycloneDX' own library has found valid. Raises NotAsPinned."""
    pinned, installer = (pins((HERE / f"{name}.txt").read_text(encoding="utf-8")) for name in ("offline", "installer"))
    licences = tomllib.loads((HERE / "licences.toml").read_text(encoding="utf-8"))["medium"]
    made = bill([read_wheel(path) for path in sorted(folder.glob("*.whl"))], pinned, installer, licences)
    text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"make_sbom: what the wheels carry makes no valid bill: {wrong}")
    return text


if __name__ == "__main__":
    try:
        print(main(Path(sys.argv[1])), end="")
    except NotAsPinned as wrong:
        sys.exit(f"make_sbom: not as pinned: {wrong}")
