"""Credentials that a rehearsal makes up for everybody, so that no real one is used in it: in a file or on a token, as the script's are."""

import contextlib
from pathlib import Path

from ceremony.activation.credential_file import credential_in, new_credential
from ceremony.activation.roster import EC_P256, roster_text_of_der
from ceremony.pki.key_wrapping import Work
from ceremony.room.sign_statement import CREDENTIAL_TOKEN, REHEARSAL_OWN_PIN, REHEARSAL_PASSPHRASE, rehearsed_place
from ceremony.script import Script
from hsm.client import Module
from hsm.errors import TokenError
from hsm.softhsm import softhsm_at, throw_away

_LITTLE_WORK = Work(1 << 4, 8, 1)
"""The passphrase is no secret: stretching it would only take time."""
_KEY_ID = b"\x01" * 16


def made_up_credentials(script: Script, folder: Path, module: Path) -> dict[str, dict[str, str]]:
    """Roster texts by participant's id and name, of all who may sign; those that are in the folder already are kept.

    Who has a credential on a token by the script gets a SoftHSM token of their own; `module` is SoftHSM. Raises OSError, TokenError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: dict[str, dict[str, str]] = {}
    for participant in script.participants:
        if participant.role == "observer":
            continue
        made[participant.id] = {
            entry.name: _made_up(entry.credential or "", rehearsed_place(folder, script, participant.id, entry.name), module)
            for entry in participant.everyone
        }
    return made


def _made_up(credential: str, place: Path, module: Path) -> str:
    return _on_token(place, module) if credential.startswith(EC_P256) else _in_file(place.with_name(f"{place.name}.pem"))


def _in_file(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return credential_in(path.read_bytes())
    pem = new_credential(bytearray(REHEARSAL_PASSPHRASE.encode()), _LITTLE_WORK)
    path.touch(0o600)
    path.write_bytes(pem)
    return credential_in(pem)


def _on_token(place: Path, module: Path) -> str:
    is_new = not place.exists()
    environment = throw_away(place) if is_new else softhsm_at(place)
    with Module.start(module, environment) as softhsm:
        if is_new:
            pin = REHEARSAL_OWN_PIN.encode()
            softhsm.token(blank=True).initialise(CREDENTIAL_TOKEN, bytearray(pin), bytearray(pin))
        token = softhsm.token(label=CREDENTIAL_TOKEN)
        token.login(bytearray(REHEARSAL_OWN_PIN.encode()))
        if is_new:
            return roster_text_of_der(token.generate_key("ec:secp256r1", CREDENTIAL_TOKEN, _KEY_ID).public_key_der)
        key = token.find_key(_KEY_ID)
        if key is None or key.public_key_der is None:
            raise TokenError("KEY-NOT-FOUND", f"The made-up credential at {place} is gone.")
        return roster_text_of_der(key.public_key_der)
