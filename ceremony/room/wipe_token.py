"""look-at-token: everything on the token in use, and which roots the ledger counts as living. wipe-token: all of it goes."""

from typing import TYPE_CHECKING, Any

from ceremony.activation.arrangement import HeldPin
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.roots import living_roots
from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.pki.wiping import inventory_digest
from ceremony.room.look_at_key import objects_on
from ceremony.room.pins import given
from ceremony.room.room_secrets import wipe
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class LookAtToken(Verb):
    """Returns the token's facts, every object, each private key with the digest of its public half, and the living roots by digest."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks, for somebody who is logged in. A ceremony without one before it has no ledger, and so no living root."""
        ledger = room.folder.path / "work" / "previous" / "record" / "ledger.json"
        living = living_roots(read_ledger(ledger.read_bytes()).ceremonies) if room.script.previous else []
        labels = {root.public_key_sha256: root.label for root in living}
        return {"token": room.token_info().facts(), "objects": objects_on(room), "keys": _keys_on(room), "living": labels}


class WipeToken(Verb):
    """Wipes the token of `serial`, if what is on it still has this `digest` (see pki.wiping). Raises CeremonyError WIPE-NOT-SEEN."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks again, has the SO PIN given, and wipes. Raises TokenError TOKEN-PIN-…, MECHANISM-MISSING."""
        info = room.token_info()
        if info.serial != args["serial"] or inventory_digest(info.serial, objects_on(room), _keys_on(room)) != args["digest"]:
            what = f"On the token {info.serial} is something else than was shown of the token {args['serial']}."
            raise CeremonyError("WIPE-NOT-SEEN", what, state="Nothing was wiped.")
        shown = (f"The SO PIN wipes the token {info.serial}.",)
        held = HeldPin(kind=args["held"])
        pin = given(room, "so", held, args["typed_by"], args["holders"], args["set"], info, secret, shown)
        try:
            wiped = room.token.wipe(args["label"], pin, last_try_too=room.last_try_too)
        finally:
            wipe(pin)
        room.use(room.token, wiped.serial)
        return {"token": wiped.facts()}

    def look_for(self, room: "TokenRoom", args: dict[str, Any]) -> dict[str, Any] | None:
        """A token of this serial that is initialised and has no user PIN: it was wiped."""
        info = room.token_info()
        return {"token": info.facts()} if info.serial == args["serial"] and info.initialised and not info.user_pin_set else None


def _keys_on(room: "TokenRoom") -> list[dict[str, Any]]:
    keys = []
    for key_id in sorted({found.key_id for found in room.token.inventory() if found.object_class == "PRIVATE_KEY"}):
        found = room.token.find_key(bytes.fromhex(key_id)) if key_id else None
        digest = sha256_hex(found.public_key_der) if found and found.public_key_der else ""
        keys.append({"key_id": key_id, "label": found.label if found else "", "public_key_sha256": digest})
    return keys
