"""look-at-key: what the token says of the root key and of all else on it, to somebody who is logged in. Nothing is signed."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.room.find_root import key_of
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class LookAtKey(Verb):
    """Returns the key's label, id and attributes, the token's facts and every object on it. Raises CeremonyError ROOT-NOT-ON-TOKEN."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Finds the key by `public_key` (DER SPKI, hex) and reads the attributes of both halves (C_GetAttributeValue)."""
        public_key_der = bytes.fromhex(args["public_key"])
        key_id, label = key_of(room, public_key_der)
        return {
            "label": label,
            "key_id": key_id,
            "public_key_sha256": sha256_hex(public_key_der),
            "attributes": {name: reading.facts() for name, reading in room.token.attributes(bytes.fromhex(key_id)).items()},
            "token": room.token_info().facts(),
            "objects": objects_on(room),
        }


def objects_on(room: "TokenRoom") -> list[dict[str, Any]]:
    """Every object on the token, sorted."""
    return sorted((found.facts() for found in room.token.inventory()), key=lambda object: sorted(map(str, object.items())))
