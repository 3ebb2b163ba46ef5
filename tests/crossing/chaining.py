"""Lines of a held ceremony become a transcript: numbered, chained, and signed by the people who sign in them."""

from typing import Any

from ceremony.activation.statements import signed_octets
from ceremony.canonical import canonical_json
from ceremony.words import sha256_hex
from tests.credentials import private_key_by

DAY = "2026-11-24"
"""The ceremony's day; the intermediates and the proof are made on the same."""
SEAL = "the seal before"
"""Stands in `resumed` for the digest of the last seal."""
SIGNED = "signed when the lines are chained"
"""Stands for `line` and `signature` of a statement: `rechained` signs it with the credential that its intent names."""


def rechained(lines: list[dict[str, Any]], first_prev: str) -> bytes:
    """Lines as bytes: numbered, each with the digest of the one before, each seal with that of the seal before, statements signed."""
    octets, prev, seal = b"", first_prev, None
    statements = _Statements()
    for seq, line in enumerate(lines, 1):
        data = statements.filled_in(line["type"], dict(line["data"]), prev)
        if data.get("fingerprint_typed") == SEAL:
            data["fingerprint_typed"] = seal
        if line["type"] == "sealed" and "forged" not in line:
            data["previous_seal"] = seal
        boot = {"id": "7a3c", "milliseconds": 1000 * seq}
        stored = canonical_json(
            {
                "seq": seq,
                "time": f"{DAY}T10:00:00Z",
                "boot": boot,
                "type": line["type"],
                "step": line["step"],
                "actor": line["actor"],
                "data": data,
                "prev": prev,
            }
        ) + b"\n"  # fmt: skip
        octets += stored
        prev = sha256_hex(stored)
        if line["type"] == "sealed":
            seal = prev
    return octets


class _Statements:
    """Signs what is to be signed, in the order of the lines."""

    def __init__(self) -> None:
        self._intended: dict[str, dict[str, Any]] = {}
        self._made: dict[str, dict[str, str]] = {}

    def filled_in(self, type: str, data: dict[str, Any], prev: str) -> dict[str, Any]:
        if type == "signed-off" and data.get("signature") == SIGNED:
            return data | self._made[data["participant"]]
        if type not in ("intent", "result") or data["verb"] != "sign-statement":
            return data
        if type == "intent":
            self._intended[data["key"]] = data["args"]
        elif data.get("value", {}).get("signature") == SIGNED:
            asked = self._intended[data["key"]]
            signature = private_key_by(asked["credential"]).sign(signed_octets(asked["statement"], prev))
            self._made[asked["participant"]] = {"line": prev, "signature": signature.hex()}
            data["value"] = data["value"] | self._made[asked["participant"]]
        return data
