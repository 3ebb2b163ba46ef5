"""SoftHSM, the software token of rehearsals and tests: where it is, and a throw-away one of our own."""

import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hsm.errors import TokenError

_PATTERNS: Final = (
    "usr/lib/softhsm/libsofthsm2.so",
    "usr/lib/*/softhsm/libsofthsm2.so",
    "usr/lib64/softhsm/libsofthsm2.so",
    "usr/lib64/pkcs11/libsofthsm2.so",
    "usr/local/lib/softhsm/libsofthsm2.so",
    "opt/homebrew/lib/softhsm/libsofthsm2.so",
)

LINE_TO_TYPE: Final = "sudo apt-get install softhsm2"


def unpacked_packages() -> Path:
    """Where `make setup` unpacks Debian packages when it may not install them."""
    return Path(sys.prefix) / "debs"


def find_softhsm(system: Path = Path("/")) -> Path:
    """The module: what `make setup` unpacked first, then the usual places. Raises MODULE-MISSING with the line to type."""
    for root in (unpacked_packages(), system):
        for pattern in _PATTERNS:
            for found in sorted(root.glob(pattern)):
                if found.is_file():
                    return found
    raise TokenError("MODULE-MISSING", "SoftHSM is not on this machine.", do_now=f"Type `make setup`, or `{LINE_TO_TYPE}`.")


def loader_environment(module: Path) -> dict[str, str]:
    """What the system's loader must be told for a module out of unpacked packages: where the libraries beside it are."""
    unpacked = unpacked_packages()
    if not module.is_relative_to(unpacked):
        return {}
    folders = sorted({str(found.parent) for place in ("lib", "usr/lib") for found in unpacked.glob(f"{place}/*-linux-*/lib*.so*")})
    return {"LD_LIBRARY_PATH": ":".join(folders)} if folders else {}


def throw_away(folder: Path) -> dict[str, str]:
    """Makes a token store of its own under `folder` and returns the environment that leads SoftHSM to it.

    Raises FileExistsError when there is one: a throw-away token is never anybody's real one.
    """
    tokens = folder / "tokens"
    tokens.mkdir(mode=0o700, parents=True)
    configuration = folder / "softhsm2.conf"
    lines = [f"directories.tokendir = {tokens.resolve()}", "objectstore.backend = file", "log.level = ERROR"]
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    configuration.chmod(0o600)
    return softhsm_at(folder)


def softhsm_at(folder: Path) -> dict[str, str]:
    """The environment that leads SoftHSM to the token store that `throw_away` made under `folder`."""
    return {"SOFTHSM2_CONF": str((folder / "softhsm2.conf").resolve())}


def copy_token(environment: Mapping[str, str], serial: str, new_serial: str) -> None:
    """Copies a throw-away token with all that it holds, PINs included, to a second one of the serial `new_serial` (as long as `serial`).

    It plays a vendor's own tool in a rehearsal: files of a software token are copied, and no key passes PKCS#11. Nothing happens when the
    copy is there. No process may have the module loaded. Raises TokenError TOKEN-NOT-FOUND when no token, or more than one, has `serial`.
    """
    old, new = serial.encode(), new_serial.encode()
    if len(old) != len(new):
        raise ValueError("the serials differ in length")
    if _folders(environment, new):
        return
    found = _one_folder(environment, serial)
    half = found.parent.with_name("copy-under-way")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(found, half)
    (half / "token.object").write_bytes((found / "token.object").read_bytes().replace(old, new))
    half.rename(found.with_name(str(uuid.uuid4())))


def remove_token(environment: Mapping[str, str], serial: str) -> None:
    """Removes a throw-away token. No process may have the module loaded. Raises TokenError as `copy_token` does."""
    shutil.rmtree(_one_folder(environment, serial))


def _one_folder(environment: Mapping[str, str], serial: str) -> Path:
    found = _folders(environment, serial.encode())
    if len(found) != 1:
        raise TokenError("TOKEN-NOT-FOUND", f"{len(found)} throw-away tokens have the serial {serial}.")
    return found[0]


def _folders(environment: Mapping[str, str], serial: bytes) -> list[Path]:
    """In the file of a token's own attributes the serial is its 16 characters; the store names nothing by it."""
    tokens = Path(environment["SOFTHSM2_CONF"]).with_name("tokens")
    return [file.parent for file in sorted(tokens.glob("*/token.object")) if serial in file.read_bytes()]
