"""When a token may be wiped: it holds no key of a root that still counts; such a key goes by `destroy-key`, which asks who needs it."""

from collections.abc import Iterable, Iterator, Mapping

from ceremony.canonical import canonical_json
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex


def inventory_digest(serial: str, objects: Iterable[Mapping[str, object]], keys: Iterable[Mapping[str, object]]) -> str:
    """SHA-256 (hex) over a token's serial, everything on it, and its keys: what the order to wipe it is given over."""
    return sha256_hex(canonical_json({"serial": serial, "objects": [dict(one) for one in objects], "keys": [dict(key) for key in keys]}))


def roots_that_count(keys: Iterable[Mapping[str, object]], living: Mapping[str, str]) -> Iterator[str]:
    """Why it may not be wiped, each in words. `keys` are those on the token; `living` labels of roots not destroyed, by key (SHA-256)."""
    for key in keys:
        if (label := living.get(str(key["public_key_sha256"]))) is not None:
            named = f"{shown_text(str(key['label']))!r} (id {key['key_id']})"
            yield f"{named} is the key of the root {shown_text(label)}, which is not destroyed"
