"""The emergency lever: an enrollment group is disabled, never deleted. It needs neither bundle nor fingerprint.

Disabled, the group goes on deciding about its devices, and decides no. Deleted, a group above it could let them in again
(Microsoft's page "X.509 attestation": the first enrollment entry from the leaf upwards decides).
"""

from dataclasses import dataclass

from ceremony.errors import CeremonyError
from ceremony.online.acts import Act
from ceremony.online.azure_errors import AzureFailure
from ceremony.online.world import Group, Service, writable
from ceremony.pki.names import shown_text

MOST_TRIES = 5
"""Others may change the group at the same moment: it is read again and disabled as it then is, so often."""

STILL_WORKING = (
    "No new device of it can register now. Devices that are registered keep working:",
    "their hub asks no group; `--hub HOST` disables them there.",
    "Do not delete the group: disabled it goes on refusing, deleted a group above it",
    "could let its devices in.",
    "If the intermediate is compromised, the root revokes it next: a ceremony of",
    "revoke-intermediate.toml.",
)


@dataclass(frozen=True)
class LetIn:
    """A registration that a group let in, as the service tells it; foreign text."""

    registration_id: str
    device_id: str
    hub: str
    last_updated: str

    def line(self) -> str:
        """The same for a screen: id, hub, device, time."""
        return shown_text(f"{self.registration_id}  {self.hub}  {self.device_id}  {self.last_updated}")


def disable_group(service: Service, name: str) -> Act:
    """Disables the group of this id and reads it again. All else in it stays as it is.

    An answer that is lost, and a change by somebody else, lead to another look and another try. Raises AzureFailure,
    CeremonyError AZURE-NOT-FOUND.
    """
    before: str | None = None
    answered = None
    for _ in range(MOST_TRIES):
        group = existing_group(service, name)
        if not group.is_enabled:
            return Act("group-disabled", group.group_id, before or group.etag, group.etag, answered)
        before = group.etag
        try:
            service.data.put_group(writable(group.record) | {"provisioningStatus": "disabled"}, group.etag)
            answered = service.data.watch.last
        except AzureFailure as failed:
            answered = None
            if not (failed.status in (409, 412) or failed.outcome_unknown):
                failed.state = f"The group {shown_text(group.group_id)} was ENABLED when it was last read."
                raise
    group = existing_group(service, name)
    if not group.is_enabled:
        return Act("group-disabled", group.group_id, before, group.etag, answered)
    what = f"The group {shown_text(name)} was still enabled after {MOST_TRIES} tries."
    do_now = "Find out who else changes it, take that role away, and give the command again."
    raise CeremonyError("AZURE-CONFLICT", what, state="It is ENABLED.", do_now=do_now)


def existing_group(service: Service, name: str) -> Group:
    """The group of this id. Raises CeremonyError AZURE-NOT-FOUND, which names the groups that there are, and AzureFailure."""
    group = service.group(name)
    if group is None:
        there = [shown_text(str(record.get("enrollmentGroupId", ""))) for record in service.data.groups()]
        named = ", ".join(there[:20]) + f" and {len(there) - 20} more" * (len(there) > 20)
        what = f"{service.config.service} has no enrollment group called {shown_text(name)}. It has: {named or 'none'}."
        raise CeremonyError("AZURE-NOT-FOUND", what, state="Nothing was changed.")
    return group


def let_in_by(service: Service, group_id: str) -> list[LetIn]:
    """The registrations that the group let in, by id. Raises AzureFailure."""
    found = [
        LetIn(*(str(record.get(key) or "") for key in ("registrationId", "deviceId", "assignedHub", "lastUpdatedDateTimeUtc")))
        for record in service.data.registrations(group_id)
    ]
    return sorted(found, key=lambda entry: entry.registration_id)
