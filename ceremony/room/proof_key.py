"""proof-key: a key pair made in memory, of which only the public half is ever used (design, rule 4)."""

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.engine.step import AskSecret
from ceremony.room.verb import Verb

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class ProofKey(Verb):
    """Returns a P-256 public key (DER SPKI, hex). Its private half is dropped before this returns and signs nothing."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Makes it."""
        public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
        return {"public_key": public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()}
