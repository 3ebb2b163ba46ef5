"""generate-key: a key pair on the token, and what of it an interruption may have left."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class GenerateKey(Verb):
    """Returns the public key (DER SPKI, hex) and every attribute as it was read back (design, rule 1)."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Generates. `key` is the type, `label` and `key_id` (hex) must be free on the token."""
        made = room.token.generate_key(args["key"], args["label"], bytes.fromhex(args["key_id"]))
        return {
            "label": args["label"],
            "key_id": args["key_id"],
            "key": args["key"],
            "public_key": made.public_key_der.hex(),
            "public_key_sha256": sha256_hex(made.public_key_der),
            "attributes": {name: reading.facts() for name, reading in made.attributes.items()},
            "mechanism": made.mechanism,
            "profile": made.profile,
        }

    def left_by(self, room: "TokenRoom", args: dict[str, Any]) -> dict[str, Any] | None:
        """Whatever bears the id of the intent: a whole pair, or one half of it."""
        found = room.token.find_key(bytes.fromhex(args["key_id"]))
        if found is None:
            return None
        return {
            "key id": args["key_id"],
            "label": found.label,
            "private key": "yes" if found.has_private else "no",
            "public key": "yes" if found.has_public else "no",
        }

    def undo(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> None:
        """Destroys both halves."""
        room.token.destroy(bytes.fromhex(args["key_id"]))
