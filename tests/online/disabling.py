"""`ceremony online disable NAME --hub HOST`, and what it left at service and hub."""

from ceremony.simulator.exchange import Exchange
from tests.online.held_service import HeldService, Ran
from tests.simulator.mqtt_client import HUB


def disable(held: HeldService, *more: str, hubs: tuple[str, ...] = (HUB,)) -> Ran:
    named = [part for host in hubs for part in ("--hub", host)]
    return held.run("disable", "alpha.1", *named, "--receipts", held.folder / "receipts.jsonl", *more)


def states(held: HeldService) -> dict[str, bool]:
    """The devices at all hubs: whether they are enabled."""
    return {device.device_id: device.is_enabled for device in held.state.devices.values()}


def enabled(held: HeldService, name: str = "alpha.1") -> bool:
    return held.state.groups[name].is_enabled


def at_hub(held: HeldService, method: str = "") -> list[Exchange]:
    """The requests to hubs, of this method if one is named."""
    return [made for made in held.simulator.requests if made.face == "hub" and method in ("", made.request.method)]
