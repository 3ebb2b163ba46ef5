"""Looks at a module and its tokens without touching any of them, for `tokens` and `doctor`."""

import tempfile
from pathlib import Path

from ceremony.machine.site import Site
from ceremony.room.failures import telling
from hsm.client import Module
from hsm.facts import ModuleInfo, TokenAbilities, TokenInfo
from hsm.softhsm import find_softhsm, throw_away


def inspected(site: Site, module: Path | None) -> tuple[ModuleInfo, list[tuple[TokenInfo, TokenAbilities]]]:
    """The module named, or the site file's, and every token it sees with what it can do. Raises CeremonyError MODULE-…, TOKEN-…

    With neither, SoftHSM on an empty store that is gone again afterwards: what a rehearsal on this machine would begin with.
    """
    with telling("Nothing was changed."):
        named = module or site.module
        if named is not None:
            return _seen(named, dict(site.environment))
        with tempfile.TemporaryDirectory(prefix="ceremony-") as folder:
            return _seen(find_softhsm(), throw_away(Path(folder) / "store"))


def _seen(module: Path, environment: dict[str, str]) -> tuple[ModuleInfo, list[tuple[TokenInfo, TokenAbilities]]]:
    with Module.start(module, environment) as started:
        return started.info, started.tokens_and_abilities()
