"""Random values: the token's generator hashed together with the system's; neither alone decides."""

import hashlib
import os
from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.pki.certificates import serial_text
from ceremony.pki.draft import serial_number
from ceremony.room.verb import Verb
from hsm.client import Token

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class Random(Verb):
    """Returns `length` bytes (at most 32) as hex."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Draws from both."""
        ours, theirs = both(room.token)
        return {"hex": hashlib.sha256(b"root-ceremony random v1" + theirs + ours).digest()[: args["length"]].hex()}


class SerialNumber(Verb):
    """Returns a certificate's serial number: 20 octets, positive, as 40 hex digits (RFC 5280 section 4.1.2.2)."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Draws from both."""
        ours, theirs = both(room.token)
        return {"serial": serial_text(serial_number(theirs, ours))}


def both(token: Token) -> tuple[bytes, bytes]:
    """32 bytes of the system's and of the token's. Raises CeremonyError RANDOM-WEAK for constant or repeated bytes."""
    ours, theirs = os.urandom(32), token.random(32)
    if len(set(theirs)) < 4 or theirs == token.random(32):
        raise CeremonyError(
            "RANDOM-WEAK", "The token's generator gave constant or repeated bytes.", state="Nothing was signed or generated."
        )
    return ours, theirs
