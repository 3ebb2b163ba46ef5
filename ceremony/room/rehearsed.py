"""What a rehearsal brings in place of the real thing: a throw-away token that this very run makes ready, and its media."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

from ceremony.errors import CeremonyError
from ceremony.machine.folder import CeremonyFolder
from ceremony.machine.site import NO_SITE, Site
from ceremony.room.failures import telling
from hsm.softhsm import find_softhsm, softhsm_at, throw_away

_PLACE = Path("work") / "rehearsal"
_SECOND = "second-token"


@dataclass(frozen=True)
class Rehearsed:
    """The module and its environment, where bundles go, credentials, and for a later script the made-up past: its bundle and token.

    `serial` is that of a token that is in use already, `made_up` says what was made up, a line each.
    """

    module: Path
    environment: dict[str, str]
    outbox: Path
    credentials: Path
    serial: str = ""
    previous: Path | None = None
    made_up: tuple[str, ...] = ()

    @classmethod
    def create(cls, directory: Path, module: Path | None, site: Site = NO_SITE) -> "Rehearsed":
        """Makes the throw-away token below the ceremony's folder, which must be new or empty; a site file names another in software.

        Raises CeremonyError RECORD-…, MODULE-MISSING.
        """
        with telling("Nothing was begun."):
            path = module or site.module or find_softhsm()
        CeremonyFolder.create(directory).close()
        place = directory / _PLACE
        try:
            shutil.rmtree(place, ignore_errors=True)
            environment = dict(site.environment) if _is_another(path, site) else throw_away(place / "token")
            (place / "outbox").mkdir(mode=0o700, parents=True)
        except OSError as failed:
            raise CeremonyError(
                "RECORD-UNWRITABLE", f"{place} could not be made: {failed.strerror}.", state="Nothing was begun."
            ) from failed
        token = "the site file's software token, which this rehearsal uses up" if _is_another(path, site) else "a throw-away SoftHSM token"
        said = (f"{token}, its PINs, everybody's credential and its passphrase or PIN, and where bundles go",)
        return cls(path, environment, place / "outbox", place / "credentials", made_up=said)

    @classmethod
    def found(cls, directory: Path, module: Path, site: Site = NO_SITE) -> "Rehearsed":
        """What an earlier session of the rehearsal in this folder created."""
        place = directory / _PLACE
        if (place / _SECOND).exists():
            environment = softhsm_at(place / _SECOND)
        else:
            environment = dict(site.environment) if _is_another(module, site) else softhsm_at(place / "token")
        return cls(module, environment, place / "outbox", place / "credentials")

    def on_a_second_token(self, directory: Path) -> "Rehearsed":
        """The same on another throw-away token, blank: the first one is in its safe.

        Raises CeremonyError RECORD-UNWRITABLE, and MODULE-NOT-SOFTWARE where the token is the site file's.
        """
        if "SOFTHSM2_CONF" not in self.environment:
            what = "This rehearsal needs a second token, and only SoftHSM gives as many as are wanted."
            raise CeremonyError("MODULE-NOT-SOFTWARE", what, state="Nothing was begun.", do_now="Leave --site out.")
        try:
            environment = throw_away(directory / _PLACE / _SECOND)
        except OSError as failed:
            what = f"A second token could not be made: {failed.strerror}."
            raise CeremonyError("RECORD-UNWRITABLE", what, state="Nothing was begun.") from failed
        return dataclasses.replace(self, environment=environment, serial="")


def _is_another(module: Path, site: Site) -> bool:
    """Whether the rehearsal is held on the token of the site file, and not on one that it makes itself."""
    return site.module is not None and module.resolve() == site.module.resolve()
