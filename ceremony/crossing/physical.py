"""Things and media as the record tells of them, read as data."""

import msgspec


class Thing(msgspec.Struct, frozen=True):
    """A thing as it was put away: its kind (see ceremony.custody) and what stood on it."""

    what: str
    value: str


class PhysicalFact(msgspec.Struct, frozen=True):
    """A fact that a `record` step left; `custody` is "", `taken-out` or `put-away`."""

    name: str
    what: str
    value: str
    custody: str = ""


class MediumTaken(msgspec.Struct, frozen=True):
    """The value of `take-medium` and `copy-out`, as far as it names the medium; "" where its serial is not known."""

    serial: str = ""


class MediumSeen(msgspec.Struct, frozen=True):
    """The value of `look-at-medium`: `device` is "" for what is no medium of its own, `serial` "" where the system knows none."""

    device: str
    serial: str
    read_only: bool


class LostToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token that is lost: the label of the root whose key is on it, SHA-256 (hex) of that key (DER SPKI), its serial, how, and why."""

    label: str
    public_key_sha256: str
    token: str
    how: str
    reason: str
