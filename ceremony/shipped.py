"""The ceremony scripts that ship with the product: in a checkout beside the packages, in an installation inside them."""

from pathlib import Path

from ceremony.errors import CeremonyError

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE.parent / "ceremony-scripts", _HERE / "shipped-scripts")


def folder() -> Path:
    """The folder of shipped scripts. Raises CeremonyError SCRIPT-UNREADABLE when the installation has none."""
    for place in _PLACES:
        if (place / "first-ceremony.toml").is_file():
            return place
    raise CeremonyError(
        "SCRIPT-UNREADABLE", "This installation has no shipped ceremony scripts.", do_now="Install the whole wheel, or work in a checkout."
    )


def names() -> list[str]:
    """Their names, without the ending."""
    return sorted(path.stem for path in folder().glob("*.toml") if not path.stem.endswith(".answers"))


def path_of(name: str) -> Path:
    """The path of a shipped script by its name. Raises CeremonyError SCRIPT-UNREADABLE, which lists them."""
    if name not in names():
        raise CeremonyError("SCRIPT-UNREADABLE", f"No shipped script has the name {name!r}; there are {', '.join(names())}.")
    return folder() / f"{name}.toml"
