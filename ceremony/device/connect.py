"""A device to its hub by the registration it remembers, and by a new one when that is no longer good.

A registration is remembered because the service asks for it: a fleet that registers at each start is throttled (Microsoft's page
"Best practices for large-scale IoT device deployments"). It is dropped for two reasons alone, which the same page gives: the hub
refuses the device, or the device is another one now (a new certificate, another id). Of a network that is down nothing follows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ceremony.device.cache import Damaged, Registration, Wanted, difference, drop_cache, read_cache, set_aside, write_cache
from ceremony.device.hub import Errand, visit_hub
from ceremony.device.identity import Identity
from ceremony.device.refusal import Refusal
from ceremony.device.register import NOT_REGISTERED, NotLetIn
from ceremony.errors import CeremonyError
from ceremony.pki.names import shown_text

KEPT = "The cache was kept."

Register = Callable[[str | None, str | None, str], Registration]
"""Registers the device: at this host and id scope (None: as the command line says), with the state of the cache for an error."""


@dataclass(frozen=True)
class Connected:
    """The registration in use, whether it came from the cache, why it was made anew ("" if it was not), and the twin."""

    registration: Registration
    from_cache: bool
    renewed: str
    twin: dict[str, Any]


def connect(
    identity: Identity,
    passphrase: bytearray | None,
    cache: Path,
    wanted: Wanted,
    errand: Errand,
    register: Register,
    say: Callable[[str], None],
) -> Connected:
    """Visits the hub; registers first when nothing usable is remembered, and anew, once, when the hub refuses what was.

    Raises CeremonyError of `register` and `visit_hub`, DEVICE-CACHE, DEVICE-HUB-REFUSED.
    """
    cached = remembered(cache, say)
    renewed = difference(cached, wanted) if cached is not None else ""
    # By a mistyped option the registration does not become a wrong one.
    is_void = cached is not None and cached.leaf_sha256 != wanted.leaf_sha256
    if cached is not None and not renewed:
        visited = visit_hub(identity, passphrase, cached.assigned_hub, cached.device_id, errand, state=KEPT)
        if not isinstance(visited, Refusal):
            return Connected(cached, True, "", visited)
        renewed, is_void = f"the hub {cached.assigned_hub} refused the device ({visited.message})", True
    if renewed:
        say(f"The registration in the cache is not used: {renewed}.")
    registration = _anew(cache, cached, wanted, register, is_void=is_void)
    visited = visit_hub(identity, passphrase, registration.assigned_hub, registration.device_id, errand, state=KEPT)
    if isinstance(visited, Refusal):
        what = f"The device was registered for the hub {shown_text(registration.assigned_hub)}. {visited.shown}"
        raise CeremonyError("DEVICE-HUB-REFUSED", what, state="The device is registered, and the cache says so.")
    return Connected(registration, False, renewed, visited)


def remembered(cache: Path, say: Callable[[str], None]) -> Registration | None:
    """What the cache holds; a damaged one is told and set aside. Raises CeremonyError DEVICE-CACHE."""
    found = read_cache(cache)
    if not isinstance(found, Damaged):
        return found
    aside = set_aside(cache)
    say(f"The cache {shown_text(str(cache))} is damaged ({found.why}); it is now {shown_text(str(aside))}.")
    return None


def _anew(cache: Path, cached: Registration | None, wanted: Wanted, register: Register, *, is_void: bool) -> Registration:
    """A new registration, in the cache. What the command line leaves out, where to ask, is taken from the old one.

    The old file stays until the new one takes its place, or, when it is void, the service itself says no: a device that is cut off
    in between must not forget whom to ask.
    """
    host, id_scope = (cached.host, cached.id_scope) if cached is not None else (None, None)
    try:
        registration = register(wanted.host or host, wanted.id_scope or id_scope, KEPT if cached is not None else "There is no cache.")
    except NotLetIn as refused:
        if is_void:
            drop_cache(cache)
            refused.state = f"{NOT_REGISTERED} The cache was dropped."
        raise
    write_cache(cache, registration)
    return registration
