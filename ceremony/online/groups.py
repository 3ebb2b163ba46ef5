"""An enrollment group as we want it, and how one at the service differs from that."""

from collections.abc import Iterator, Mapping
from typing import Any

from ceremony.online.config import GroupDefaults
from ceremony.online.world import Group, held, table, writable

MANAGED = ("reprovisionPolicy", "allocationPolicy", "capabilities", "iotHubs", "initialTwin")
"""What of a group the settings may say; nothing else comes from them."""
_LONGEST_TEXT = 1000
_TWIN_METADATA = ("$version", "$metadata", "version", "count", "metadata")


def settings_of(defaults: GroupDefaults) -> dict[str, Any]:
    """What stands in every group beside its id, status and certificates, in the service's own words."""
    settings: dict[str, Any] = {
        "reprovisionPolicy": {"updateHubAssignment": defaults.update_hub_assignment, "migrateDeviceData": defaults.migrate_device_data},
        "capabilities": {"iotEdge": defaults.iot_edge},
    }
    if defaults.allocation != "by-hand":
        settings["allocationPolicy"] = defaults.allocation
    if defaults.hubs:
        settings["iotHubs"] = list(defaults.hubs)
    if defaults.initial_twin is not None:
        settings["initialTwin"] = dict(defaults.initial_twin)
    return settings


def new_record(group_id: str, primary_pem: bytes, secondary_pem: bytes | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The whole record of a new group: it admits what these intermediates signed, and never refers to the root."""
    signing = {"primary": {"certificate": primary_pem.decode()}}
    if secondary_pem is not None:
        signing["secondary"] = {"certificate": secondary_pem.decode()}
    return {
        **settings,
        "enrollmentGroupId": group_id,
        "attestation": {"type": "x509", "x509": {"signingCertificates": signing}},
        "provisioningStatus": "enabled",
    }


def changed_record(group: Group, primary_pem: bytes, secondary_pem: bytes | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The record to put in the group's place: what we don't manage stays as it is, a secondary certificate too."""
    record = new_record(group.group_id, primary_pem, secondary_pem, settings)
    if secondary_pem is None and held(group.record, "secondary"):
        record["attestation"] = writable(group.record)["attestation"]
    return writable(group.record) | record


def differences(group: Group, settings: Mapping[str, Any], secondary_sha256: str | None) -> list[str]:
    """What would have to change, one text each: `name: is -> wanted`. Not the status: a disabled group is not a mistake."""
    return list(_differences(group, settings, secondary_sha256))


def _differences(group: Group, settings: Mapping[str, Any], secondary_sha256: str | None) -> Iterator[str]:
    found = _normal(group.record)
    for key, wanted in _normal(settings).items():
        if key in settings and found[key] != wanted:
            yield f"{key}: {_short(_text(found[key]))} -> {_short(_text(wanted))}"
    if secondary_sha256 is not None and group.secondary_sha256 is None:
        yield f"secondary certificate: none -> {secondary_sha256[:16]}..."


def _normal(record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the service's defaults in the place of what is left out."""
    policy, twin = table(record, "reprovisionPolicy"), table(record, "initialTwin")
    hubs = record.get("iotHubs")
    return {
        "reprovisionPolicy": {key: policy.get(key, True) for key in ("updateHubAssignment", "migrateDeviceData")},
        "allocationPolicy": record.get("allocationPolicy") or "hashed",
        "capabilities": {"iotEdge": bool(table(record, "capabilities").get("iotEdge", False))},
        "iotHubs": sorted(map(str, hubs)) if isinstance(hubs, list) else [],
        "initialTwin": {
            "tags": _values(table(twin, "tags")),
            "properties": {"desired": _values(table(table(twin, "properties"), "desired"))},
        },
    }


def _values(collection: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in collection.items() if key not in _TWIN_METADATA}


def _short(text: str) -> str:
    """A twin may be long; the text goes onto a screen, and into a receipt."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} {_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
