"""What a script must have for the kind of backup that it names."""

from collections.abc import Iterator
from typing import Any

from ceremony.backup import FIELDS, NEEDED

_OWNED = "a ceremony without a backup needs a `reason` and an `owner` of the risk"


def problems_with_backup(script: Any) -> Iterator[tuple[str, str]]:
    """The key path, and what is missing or does not belong there."""
    backup = script.backup
    given = {name for names in FIELDS.values() for name in names if getattr(backup, name)}
    missing = [name for name in NEEDED[backup.kind] if not _told(getattr(backup, name))]
    if missing and backup.kind == "none":
        yield "backup", _OWNED
    else:
        yield from ((f"backup.{name}", f"is missing: {backup.kind!r} needs it") for name in missing)
    for name in sorted(given - set(FIELDS[backup.kind])):
        yield f"backup.{name}", f"does not belong to kind = {backup.kind!r}"
    kinds = [str(step.__struct_config__.tag) for step in script.steps]
    here = {"none": True, "vendor-clone": "prove-backup" in kinds, "twin-root": _is_twin(script)}[backup.kind]
    if not here and backup.by is None:
        yield "backup.by", "is missing: no step of this script does it, so a day must be named by which it is done"
    if backup.kind == "twin-root" and _is_twin(script) and "generate-root" not in kinds:
        yield "backup.label", "is this root's own label: a root is its own twin only where it is made"
    elif backup.kind == "twin-root" and _is_twin(script):
        if script.previous is None:
            yield "previous", "is missing: a twin is made in the chain of the first root"
        if script.world.token != "blank":
            yield "world.token", "a twin is made on a token of its own, which is blank"
        if not script.proofs:
            yield "proofs", "is missing: a twin is proved to the service at once, or it does not stand ready"
    if backup.kind == "vendor-clone" and here:
        away = {fact.name for step in script.steps if getattr(step, "custody", "") == "put-away" for fact in step.facts}
        for name in sorted(set(backup.bags) - away):
            yield "backup.bags", f"no step of kind record puts {name!r} away"


def _told(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _is_twin(script: Any) -> bool:
    return bool(script.backup.label == script.root.label)
