"""Looks at a module and its tokens without touching any of them, for `tokens` and `doctor`."""

from pathlib import Path

from ceremony.machine.site import Site
from ceremony.room.failures import telling
from hsm.client import Module
from hsm.facts import ModuleInfo, TokenInfo
from hsm.softhsm import find_softhsm


def inspected(site: Site, module: Path | None) -> tuple[ModuleInfo, list[TokenInfo]]:
    """The module named, or the site file's, or SoftHSM; and every token it sees. Raises CeremonyError MODULE-…, TOKEN-…"""
    with telling("Nothing was changed."), Module.start(module or site.module or find_softhsm(), dict(site.environment)) as started:
        return started.info, started.tokens()
