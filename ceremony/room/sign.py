"""sign: the token signs the stored bytes, and nothing but them (design, rules 2 and 7)."""

from typing import TYPE_CHECKING, Any

from ceremony.engine.step import AskSecret
from ceremony.errors import CeremonyError
from ceremony.pki.signatures import signature_holds
from ceremony.room.verb import Verb
from ceremony.words import sha256_hex
from hsm.errors import TokenError

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


class Sign(Verb):
    """Returns the signature (hex: DER ECDSA-Sig-Value, or the RSA block) and the mechanism. It is on the disk before the result is."""

    def do(self, room: "TokenRoom", args: dict[str, Any], secret: AskSecret) -> dict[str, Any]:
        """Signs the file `to_be_signed`, whose SHA-256 must still be `sha256`."""
        to_be_signed = _stored(room, args)
        try:
            made = room.token.sign(bytes.fromhex(args["key_id"]), args["algorithm"], to_be_signed)
        except TokenError as failed:
            # The token did sign something; what it gave back is no signature.
            failed.outcome_unknown = failed.outcome_unknown or failed.code == "SIGNATURE-MALFORMED"
            raise
        if not signature_holds(bytes.fromhex(args["public_key"]), to_be_signed, made.signature):
            raise CeremonyError(
                "DRAFT-SIGNATURE-BAD",
                "The token's signature does not verify under the root's public key.",
                state="The signature is not used, and nothing of it leaves.",
                outcome_unknown=True,
            )
        try:
            room.folder.write(_signature_file(args), made.signature)
        except CeremonyError as failed:
            failed.outcome_unknown = True
            raise
        return {"signature": made.signature.hex(), "mechanism": made.mechanism, "sha256": args["sha256"]}

    def look_for(self, room: "TokenRoom", args: dict[str, Any]) -> dict[str, Any] | None:
        """A signature on the disk that verifies over the stored bytes."""
        if not (room.folder.path / _signature_file(args)).exists():
            return None
        signature = room.folder.read(_signature_file(args))
        if not signature_holds(bytes.fromhex(args["public_key"]), _stored(room, args), signature):
            return None
        return {"signature": signature.hex(), "mechanism": "found on the disk after an interruption", "sha256": args["sha256"]}


def _stored(room: "TokenRoom", args: dict[str, Any]) -> bytes:
    octets = room.folder.read(args["to_be_signed"])
    if sha256_hex(octets) != args["sha256"]:
        raise CeremonyError("DRAFT-BYTES-DIFFER", f"{args['to_be_signed']} is not what was shown and ordered.", state="Nothing was signed.")
    return octets


def _signature_file(args: dict[str, Any]) -> str:
    return str(args["to_be_signed"]).removesuffix(".tbs") + ".sig"
