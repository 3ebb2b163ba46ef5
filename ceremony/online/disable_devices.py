"""The other half of the emergency lever: the devices that a disabled group had let in are disabled at their hub.

One after the other, each by its etag. One that fails does not stop the others; a hub that takes nothing of ours does.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ceremony.errors import CeremonyError
from ceremony.online.acts import Act, Record
from ceremony.online.azure_errors import AzureFailure
from ceremony.online.disable import MOST_TRIES, LetIn
from ceremony.online.hub_registry import HubRegistry
from ceremony.online.world import Service
from ceremony.pki.names import shown_text

Outcome = Literal["done", "found", "gone", "left"]
"""Disabled by this run; disabled already; no device of the hub any more; not disabled."""
MOST_SILENCES = 3
"""So many devices in a row for which a hub gave no answer that is one: the rest is not tried."""
_HOPELESS = ("AZURE-AUTHENTICATION", "AZURE-ROLE-MISSING")
_SILENT = ("AZURE-UNREACHABLE", "AZURE-THROTTLED", "AZURE-FAILED")


@dataclass
class HubRun:
    """What became of the devices at one hub, by device id, and the first failure, if there was one."""

    host: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failed: CeremonyError | None = None

    def those(self, outcome: Outcome) -> list[str]:
        """The devices with this outcome, in order."""
        return [device_id for device_id, found in self.outcomes.items() if found == outcome]

    def line(self) -> str:
        """The same in numbers, for a person."""
        words: dict[Outcome, str] = {"done": "disabled", "found": "found disabled", "gone": "no longer there", "left": "NOT DISABLED"}
        said = [f"{len(self.those(outcome))} {text}" for outcome, text in words.items() if self.those(outcome)]
        return f"{shown_text(self.host)}: {', '.join(said) or 'nothing to do'}."


def hubs_of(found: Iterable[LetIn]) -> dict[str, list[LetIn]]:
    """The registrations by the hub that they are assigned to, in small letters; those without a hub or a device are left out."""
    hubs: dict[str, list[LetIn]] = {}
    for entry in found:
        if entry.hub and entry.device_id:
            hubs.setdefault(entry.hub.lower(), []).append(entry)
    return dict(sorted(hubs.items()))


def disable_at_hub(
    service: Service, host: str, group_id: str, devices: Sequence[str], record: Record, progress: Callable[[int], None]
) -> HubRun:
    """Disables these devices at this hub. `progress` hears how many have had their turn.

    Raises nothing for what goes wrong with the hub or a device: that is in the result.
    """
    run = HubRun(host, dict.fromkeys(devices, "left"))
    silences = 0
    try:
        with service.hub(host) as registry:
            for number, device_id in enumerate(run.outcomes, 1):
                try:
                    act = disable_device(registry, host, device_id, group_id)
                    run.outcomes[device_id] = "gone" if act is None else act.how
                    silences = 0
                    if act is not None:
                        record.tell(act, registry.watch.last.server_time)
                except AzureFailure as failed:
                    run.failed = failed if failed.code in _HOPELESS else run.failed or failed
                    silences = silences + 1 if failed.code in _SILENT else 0
                    if failed.code in _HOPELESS or silences == MOST_SILENCES:
                        break
                progress(number)
    except CeremonyError as failed:
        run.failed = failed
    return run


def disable_device(registry: HubRegistry, host: str, device_id: str, group_id: str) -> Act | None:
    """Disables one device; None when the hub has it no more.

    An answer that is lost, and a change by somebody else, lead to another look and another try. The hub's answer to the write tells
    what it holds now, so it is not read once more: a unit of a hub takes 100 such calls a minute (Microsoft's page of its quotas).
    Raises AzureFailure.
    """
    reason = f"root-ceremony: its enrollment group was disabled: {group_id}"
    more = {"hub": host, "group": group_id}
    before: str | None = None
    for _ in range(MOST_TRIES):
        device = registry.device(device_id)
        if device is None:
            return None
        if not device.is_enabled:
            return Act("device-disabled", device_id, before or device.etag, device.etag, None, more)
        before = device.etag
        try:
            after = registry.disable(device, reason)
        except AzureFailure as failed:
            if not (failed.status in (404, 409, 412) or failed.outcome_unknown):
                raise
        else:
            if not after.is_enabled:
                return Act("device-disabled", device_id, before, after.etag, registry.watch.last, more)
    what = f"The device {shown_text(device_id)} was still enabled after {MOST_TRIES} tries."
    raise AzureFailure("AZURE-CONFLICT", what, do_now="Find out who else changes it, take that role away, and give the command again.")
