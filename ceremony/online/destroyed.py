"""Roots whose key is destroyed, and what of them the service holds still."""

from collections.abc import Iterator, Sequence

from ceremony.crossing.verified import DestroyedRoot
from ceremony.online.control_plane import UploadedCertificate
from ceremony.online.depends import groups_on
from ceremony.online.world import World
from ceremony.pki.names import shown_text


def left_of_destroyed(world: World, destroyed: Sequence[DestroyedRoot]) -> Iterator[tuple[str, str, str]]:
    """For each such root a kind of finding (`drift`, or `note` where all is as it should be), its name, and what to do."""
    for root in destroyed:
        name, there = shown_text(root.label), _uploaded(world, root)
        what = f"its key is destroyed ({shown_text(root.reason)}): it signs no certificate and no CRL any more"
        if there is None:
            yield "note", name, f"{what}. The service does not hold its certificate, as it should be."
            continue
        name = shown_text(there.name)
        enabled = [shown_text(group.group_id) for group in groups_on(world, there) if group.is_enabled]
        then = f"`ceremony online retire {name}` takes its certificate from the service"
        if enabled:
            groups = f"Enabled groups stand on it: {', '.join(enabled)}. Move their devices to a root that lives"
            yield "drift", name, f"{what}. {groups}, then `ceremony online disable NAME` for each, then {then}."
        else:
            yield "drift", name, f"{what}, and no enabled group stands on it: {then}."


def _uploaded(world: World, root: DestroyedRoot) -> UploadedCertificate | None:
    """Its certificate at the service, by its bytes, or by its name where the service does not show them."""
    by_bytes = (found for found in world.certificates if found.sha256 == root.certificate_sha256)
    named = world.certificate(root.label)
    return next(by_bytes, None) or (named if named is not None and named.sha256 is None else None)
