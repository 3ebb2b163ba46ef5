"""A device at its hub: connected, a message sent, its twin read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ceremony.device.identity import Identity, refuse_rehearsal_elsewhere
from ceremony.device.refusal import Refusal
from ceremony.device.sdk import ask_library
from ceremony.device.troubles import refusal_in, refuses_device, trouble
from ceremony.pki.names import shown_text


@dataclass(frozen=True)
class Errand:
    """What to do at the hub: a message (JSON text), and a change of the reported properties, or None. `seconds` is the limit of all."""

    message: str
    reported: Mapping[str, Any] | None
    trust_pem: str | None
    seconds: float


def visit_hub(
    identity: Identity, passphrase: bytearray | None, hub: str, device_id: str, errand: Errand, *, state: str
) -> dict[str, Any] | Refusal:
    """The device's twin after all was done; or the refusal of a hub that does not take this device with this certificate.

    Raises CeremonyError DEVICE-REHEARSAL, DEVICE-PACKAGES, and the codes of a network's troubles: among them is a TLS handshake
    that ended, and a hub that says it is not available, for neither says anything about the device.
    """
    refuse_rehearsal_elsewhere(identity, hub)
    request = {
        "do": "visit-hub",
        "host": hub,
        "device_id": device_id,
        "chain_file": str(identity.chain_file),
        "key_file": str(identity.key_file),
        "trust_pem": errand.trust_pem,
        "message": errand.message,
        "reported": errand.reported,
    }
    told = ask_library(request, passphrase, errand.seconds)
    if "twin" in told.facts:
        twin: dict[str, Any] = told.facts["twin"]["twin"]
        return twin
    refusal = refusal_in(told)
    if refusal is not None and refuses_device(refusal):
        return refusal
    done = [name for name in ("connected", "sent", "reported") if name in told.facts]
    so_far = f" At the hub {shown_text(hub)}: {', '.join(done)}." if done else ""
    raise trouble(told, hub, seconds=errand.seconds, state=f"{state}{so_far}")
