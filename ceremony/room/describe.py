"""What stands around a ceremony: program and packages with their hashes, module, machine, system."""

import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ceremony.built import DISTRIBUTION, build
from ceremony.machine.image import image_sha256
from ceremony.words import sha256_hex
from hsm.facts import ModuleInfo, TokenInfo

# Core metadata begins with fields, one a line, up to an empty line; these two are never folded.
_NAMED = re.compile(r"^(Name|Version): *(.*\S)", re.MULTILINE)


def describe(module: ModuleInfo, tokens: Sequence[TokenInfo], removed: tuple[str, ...]) -> dict[str, Any]:
    """The part of `opened` and `resumed` that is not about the script. Digests are SHA-256 hex."""
    return {
        "tool": program(),
        "module": module.facts(),
        "tokens": [token.facts() for token in tokens],
        "machine": _machine(),
        "environment_removed": list(removed),
    }


def program() -> dict[str, Any]:
    """This program: its build, the digest of its code, and the packages beside it."""
    return {**build().facts(), "sha256": _code_digest(), "packages": _packages()}


@cache
def _packages() -> dict[str, dict[str, str]]:
    """Version of each installed distribution, and the digest of its list of files and their hashes (RECORD)."""
    found = {}
    for distribution in importlib.metadata.distributions():
        # Read as text: importlib.metadata takes a tenth of a second more, at each start and resumption, to parse every field as mail.
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        fields = dict(_NAMED.findall(text.partition("\n\n")[0]))
        if fields.get("Name", DISTRIBUTION) != DISTRIBUTION:
            digest = sha256_hex((distribution.read_text("RECORD") or "").encode())
            found[fields["Name"]] = {"version": fields.get("Version", ""), "sha256": digest}
    return dict(sorted(found.items()))


@cache
def _code_digest() -> str:
    """One digest over path and bytes of every file of ours that can run."""
    top = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for package in ("ceremony", "hsm"):
        for path in sorted((top / package).rglob("*.py")):
            digest.update(f"{path.relative_to(top)}\0{sha256_hex(path.read_bytes())}\n".encode())
    return digest.hexdigest()


def _machine() -> dict[str, str]:
    system, image = platform.uname(), image_sha256()
    return {
        **({"image_sha256": image} if image else {}),
        "kernel": f"{system.system} {system.release} {system.machine}",
        "hostname": system.node,
        "model": " ".join(filter(None, (_dmi("sys_vendor"), _dmi("product_name")))) or "not told",
        "serial": _dmi("product_serial") or "not told",
        "python": platform.python_version(),
        "system": _system_name(),
    }


def _dmi(name: str) -> str:
    try:
        return Path("/sys/class/dmi/id", name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "not told")
    except OSError:
        return "not told"
