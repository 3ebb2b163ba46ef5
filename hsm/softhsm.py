"""SoftHSM, the software token of rehearsals and tests: where it is, and a throw-away one of our own."""

import sys
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
