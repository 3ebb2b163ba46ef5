"""find-root: the root key on the token is known by its public key, which is the certificate's."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class FindRoot(Verb):
    """Returns label, id and token of the key pair with this public key. Raises CeremonyError ROOT-NOT-ON-TOKEN."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Looks at each private key's public half."""
        key_id, label = key_of(room, bytes.fromhex(args["public_key"]))
        info = room.token_info()
        room.use(room.token, info.serial)
        return {"label": label, "key_id": key_id, "token": info.facts()}


def key_of(room: "TokenRoom", public_key_der: bytes) -> tuple[str, str]:
    """Id (hex) and label of the key pair with this public key (DER SPKI). Raises CeremonyError ROOT-NOT-ON-TOKEN."""
    for key_id in sorted({found.key_id for found in room.token.inventory() if found.object_class == "PRIVATE_KEY" and found.key_id}):
        found = room.token.find_key(bytes.fromhex(key_id))
        if found is not None and found.has_private and found.public_key_der == public_key_der:
            return key_id, found.label
    raise CeremonyError(
        "ROOT-NOT-ON-TOKEN", "No private key on this token belongs to the root certificate.", state="The token is unchanged."
    )
