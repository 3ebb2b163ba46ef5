"""What the ledger keeps of keys that were destroyed, and what the record holds of how."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ceremony.crossing.record import Record, data_as
from ceremony.crossing.request import Sha256
from ceremony.transcript import Line
from ceremony.words import sha256_hex


class Destroyed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A root's key that is gone from a token: its label, SHA-256 (hex) of the key (DER SPKI), the token's serial, and why."""

    label: str
    public_key_sha256: Sha256
    token: str
    reason: str


class _Arguments(msgspec.Struct, frozen=True):
    public_key: str
    key_id: str
    label: str
    reason: str


class _Value(msgspec.Struct, frozen=True):
    serial: str


class Objects(msgspec.Struct, frozen=True):
    """The objects on a token, as `look-at-key` and `list-objects` tell them."""

    objects: tuple[dict[str, Any], ...]


class Destruction(msgspec.Struct, frozen=True):
    """A destruction with its outcome: the line of its first intent, that of its result, and the key's id (hex)."""

    intent: Line
    result: Line
    key_id: str
    key: Destroyed


def destructions_in(record: Record) -> list[Destruction]:
    """Every key that was destroyed, in order. Raises CeremonyError RECORD-BROKEN."""
    found: list[Destruction] = []
    intended: list[Line] = []
    for line, act in record.acts_of("destroy-key"):
        if line.type == "intent":
            intended.append(line)
        elif act.value is not None and intended:
            said = data_as(_Arguments, intended[0], intended[0].data["args"])
            token = data_as(_Value, line, act.value).serial
            digest = sha256_hex(bytes.fromhex(said.public_key))
            found.append(Destruction(intended[0], line, said.key_id, Destroyed(said.label, digest, token, said.reason)))
            intended = []
    return found


def objects_told(record: Record, verb: str, step: int | None) -> Sequence[tuple[Line, Objects]]:
    """What acts of this verb told of the objects on the token, in one step."""
    return [(line, data_as(Objects, line, value)) for line, value in record.results(verb) if line.step == step]
