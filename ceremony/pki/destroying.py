"""When a root's key may be destroyed: no certificate under it lives, and another root is there to go on with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ceremony.pki.names import shown_text
from ceremony.pki.revoking import Certified

_MOST_NAMED = 3


def still_needed(
    certified: Iterable[Certified], revoked_now: Iterable[str], day: str, other_roots: Sequence[str], *, lost: bool
) -> Iterator[str]:
    """Why the key is still needed on this day (YYYY-MM-DD), each in words; nothing when it is not.

    `certified` is all that this root ever certified; `revoked_now` are serials (40 hex digits) that this ceremony's own CRL revokes,
    `other_roots` the labels of roots whose keys are not destroyed; `lost`: a ledger was lost once, and what it told is not known.
    """
    gone = set(revoked_now)
    valid = [found for found in certified if found.purpose != "root" and found.revoked is None and found.serial not in gone]
    # Where no end is told, it is taken to live.
    lives = [found for found in valid if not found.not_after or found.not_after[:10] >= day]
    if lives:
        named = ", ".join(f"{shown_text(found.subject)} (until {found.not_after})" for found in lives[:_MOST_NAMED])
        yield f"{len(lives)} certificates under it live: {named}" + ", ..." * (len(lives) > _MOST_NAMED)
    if lost:
        yield "a ledger of this chain was lost: what else it certified is not known"
    if not other_roots:
        yield "there is no other root: with this key the last one goes"


def problems_with_inventory(key_id: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is not as it should be after the key with this id (hex) was destroyed: it is there still, or something else went or came."""
    if any(found["key_id"] == key_id for found in after):
        yield f"the id {key_id} is still on the token"
    kept = [dict(found) for found in before if found["key_id"] != key_id]
    now = [dict(found) for found in after if found["key_id"] != key_id]
    yield from (f"{_named(found)} is gone too" for found in kept if found not in now)
    yield from (f"{_named(found)} is new" for found in now if found not in kept)


def _named(found: Mapping[str, Any]) -> str:
    return f"{shown_text(str(found['object_class']))} {shown_text(str(found['label']))!r}"
