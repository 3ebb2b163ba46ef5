"""What a rehearsal made stays off Azure."""

from ceremony.crossing.verified import VerifiedBundle
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text


def refuse_rehearsal_to_azure(bundle: VerifiedBundle, *, is_simulator: bool) -> None:
    """What a rehearsal made goes to the simulator alone (design, rule 14). Raises CeremonyError ONLINE-REHEARSAL."""
    if bundle.rehearsal and not is_simulator:
        what = f"The bundle {shown_text(str(bundle.path))} is of a rehearsal, and online.toml names no simulator."
        raise CeremonyError("ONLINE-REHEARSAL", what, state="Nothing was sent.")
