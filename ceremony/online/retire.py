"""The end: a group is deleted when all under it has expired, a root certificate when no enabled group stands on it.

A group that refers to a CA certificate, or holds a root, lets in whatever that will ever sign, for as long as the certificate is good:
it should not be there, so it may go before. But it must have been disabled by a command of its own, no other group may let its devices
in once it is gone, the certificate's name is typed too, and whom it had let in is listed while the service still tells it.
Disabled before deleted, always; each act by the etag it was decided on, with a receipt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ceremony.errors import CeremonyError
from ceremony.online.acts import Act
from ceremony.online.azure_errors import AzureFailure
from ceremony.online.control_plane import UploadedCertificate
from ceremony.online.depends import ends_of, groups_on, next_in_line, open_to
from ceremony.online.disable import disable_group
from ceremony.online.world import Group, Service, World, time_text
from ceremony.pki.names import shown_text

_UNTOUCHED = "Nothing was changed."


@dataclass(frozen=True)
class Retirement:
    """What is to be deleted, and the enabled groups that are to be disabled before.

    `open_to` are the CA certificates of a group that goes although these are good: it let in whatever they sign.
    """

    kind: Literal["group", "certificate"]
    name: str
    etag: str
    disable_first: tuple[str, ...] = ()
    open_to: tuple[str, ...] = ()

    @property
    def typed(self) -> tuple[str, ...]:
        """The names that a person types back, in order."""
        return (self.name, *self.open_to)

    def lines(self) -> list[str]:
        """What will happen, for a person who is asked."""
        first = [f"disable the group {shown_text(name)}" for name in self.disable_first]
        last = f"delete the {self.kind} {shown_text(self.name)}, for good"
        return [*first, last + f"; it let in whatever {', '.join(map(shown_text, self.open_to))} signs" * bool(self.open_to)]


def retirement_of(world: World, name: str, *, only: str | None, compromised: bool) -> Retirement:
    """What `name` is and whether it may go. `only` ("group", "certificate") chooses where both bear the name.

    Raises CeremonyError AZURE-NOT-FOUND, USAGE, ONLINE-STILL-NEEDED.
    """
    group = world.group(name) if only != "certificate" else None
    certificate = world.certificate(name) if only != "group" else None
    if group is not None and certificate is not None:
        raise CeremonyError("USAGE", f"A group and a certificate are called {shown_text(name)}: add --only.", state=_UNTOUCHED)
    if group is not None:
        if compromised:
            do_now = "Disable it (`ceremony online disable NAME`), and delete it when its certificates have expired."
            raise CeremonyError("USAGE", "--compromised is for root certificates.", state=_UNTOUCHED, do_now=do_now)
        return _of_group(world, group)
    if certificate is not None:
        return _of_certificate(world, certificate, compromised=compromised)
    raise CeremonyError("AZURE-NOT-FOUND", f"The service has neither group nor certificate called {shown_text(name)}.", state=_UNTOUCHED)


def retire(
    service: Service, wanted: Retirement, *, compromised: bool, tell: Callable[[Act], None], more: Mapping[str, Any] | None = None
) -> None:
    """Looks once more, then does it; `tell` gets each act when the service was seen to hold it. `more` goes into the last one's receipt.

    Raises AzureFailure and what `retirement_of` raises; AZURE-CONFLICT when it is not as it was when the person was asked.
    """
    found = retirement_of(service.observe(), wanted.name, only=wanted.kind, compromised=compromised)
    if found != wanted:
        raise CeremonyError("AZURE-CONFLICT", f"{shown_text(wanted.name)} was changed while you were asked.", state=_UNTOUCHED)
    etag: str | None = wanted.etag
    for name in wanted.disable_first:
        act = disable_group(service, name)
        tell(act)
        if wanted.kind == "group":
            etag = act.etag_after
    if wanted.kind == "certificate":
        _refuse_referred(service.observe(), wanted.name)
    tell(_deleted(service, wanted, etag or "", more or {}))


def _of_group(world: World, group: Group) -> Retirement:
    shown = shown_text(group.group_id)
    end = ends_of(world, group) if group.is_x509 else None
    cas = open_to(world, group)
    if cas and (end is None or end > world.time):
        return _of_open_group(world, group, cas)
    if end is None:
        what = f"The service does not tell when all that lets devices into {shown} ends."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=_UNTOUCHED)
    if end > world.time:
        what = f"A certificate of the group {shown} is good until {time_text(end)}; by the service's clock it is {time_text(world.time)}."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=_UNTOUCHED)
    return Retirement("group", group.group_id, group.etag, (group.group_id,) if group.is_enabled else ())


def _of_open_group(world: World, group: Group, cas: tuple[str, ...]) -> Retirement:
    shown, named = shown_text(group.group_id), ", ".join(map(shown_text, cas))
    if group.is_enabled:
        what = f"The group {shown} lets in whatever {named} signs, and is enabled."
        do_now = f"`ceremony online disable {shown}` keeps its devices out at once, and lists whom it let in; then give this again."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=_UNTOUCHED, do_now=do_now)
    others = ", ".join(shown_text(other.group_id) for other in next_in_line(world, group))
    if others:
        what = f"{named} may stand below another CA: were {shown} gone, its devices could come in through one of {others}."
        do_now = f"Leave it: disabled it lets nobody in. Or first disable {others}."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=_UNTOUCHED, do_now=do_now)
    return Retirement("group", group.group_id, group.etag, open_to=cas)


def _of_certificate(world: World, certificate: UploadedCertificate, *, compromised: bool) -> Retirement:
    enabled = tuple(group.group_id for group in groups_on(world, certificate) if group.is_enabled)
    if enabled and not compromised:
        what = f"Enabled groups stand on {shown_text(certificate.name)}: {', '.join(map(shown_text, enabled))}."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=_UNTOUCHED)
    if not compromised:
        _refuse_without_a_successor(world, certificate)
    if not enabled:
        _refuse_referred(world, certificate.name)
    return Retirement("certificate", certificate.name, certificate.etag, enabled)


def _refuse_without_a_successor(world: World, certificate: UploadedCertificate) -> None:
    """In a roll-over the new root is proved before the old one goes: uploaded alone, it lets nobody in."""
    others = [found for found in world.certificates if found.name != certificate.name]
    waiting = [shown_text(found.name) for found in others if not found.is_verified]
    if certificate.is_verified and waiting and len(waiting) == len(others):
        what = f"{shown_text(certificate.name)} is the only verified root, and {', '.join(waiting)} is not verified yet."
        do_now = "Prove the new root first: its proof comes from the ceremony (`ceremony online plan` and `apply` of that bundle)."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=_UNTOUCHED, do_now=do_now)


def _refuse_referred(world: World, name: str) -> None:
    """The service deletes no certificate that a group refers to, be it disabled."""
    referring = [shown_text(group.group_id) for group in world.groups if name.lower() in {each.lower() for each in group.ca_references}]
    if referring:
        what = f"Groups refer to the certificate {shown_text(name)} itself, and are disabled: {', '.join(referring)}."
        do_now = "Find out who made them; `ceremony online retire GROUP` takes each away. Then give the command again."
        state = "The groups are disabled and let nobody in; the certificate is there still."
        raise CeremonyError("ONLINE-STILL-NEEDED", what, state=state, do_now=do_now)


def _deleted(service: Service, wanted: Retirement, etag: str, more: Mapping[str, Any]) -> Act:
    """Deletes, and looks that it is gone. An answer that was lost leads to a look, not to a second try."""
    is_group = wanted.kind == "group"
    answered = None
    try:
        if is_group:
            service.data.delete_group(wanted.name, etag)
        else:
            service.control.delete(wanted.name, etag)
        answered = (service.data if is_group else service.control).watch.last
    except AzureFailure as failed:
        if not (failed.status in (404, 412) or failed.outcome_unknown) or _is_there(service, wanted):
            raise
    if answered is not None and _is_there(service, wanted):
        raise CeremonyError("AZURE-CONFLICT", f"{shown_text(wanted.name)} was deleted, and is there when looked for again.")
    return Act("group-deleted" if is_group else "certificate-deleted", wanted.name, etag, None, answered, more)


def _is_there(service: Service, wanted: Retirement) -> bool:
    if wanted.kind == "group":
        return service.group(wanted.name) is not None
    return service.control.certificate(wanted.name) is not None
