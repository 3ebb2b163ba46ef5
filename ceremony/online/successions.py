"""A re-issued intermediate in the group of the certificate that it re-issues: first second, beside it; later, when a person says so, alone.

Two groups may not hold one certificate, and devices change their chain one by one: so the new certificate comes into the old one's group
(Microsoft's page "Roll X.509 certificates"), and takes its place by a plan of its own.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from ceremony.crossing.verified import CertificateOfBundle, VerifiedBundle
from ceremony.errors import CeremonyError
from ceremony.online.groups import differences
from ceremony.online.revoked import serial_held
from ceremony.online.world import Group, held, writable
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

SuccessionKind = Literal["second", "promote"]
SUCCESSIONS: tuple[SuccessionKind, ...] = ("second", "promote")


class Succession(msgspec.Struct, frozen=True):
    """What is to be done with a group: which of the two, what would change, and a text for a person."""

    kind: SuccessionKind
    text: str
    changes: tuple[str, ...]


def succeeds(bundle: VerifiedBundle, name: str, there: Group) -> bool:
    """Whether the group holds first the certificate that this intermediate of the bundle re-issues."""
    return serial_held(there, "primary") in bundle.reissued.get(name, ())


def succession_of(
    certificate: CertificateOfBundle, there: Group, settings: Mapping[str, Any], *, promote: bool, enable: Collection[str]
) -> Succession:
    """How the group comes to hold the new certificate, or with `promote` it alone. Raises CeremonyError ONLINE-GROUP-DIFFERS, USAGE."""
    name, digest = shown_text(there.group_id), sha256_hex(certificate.der)
    if there.secondary_sha256 not in (None, digest):
        what = f"The group {name} has a second certificate already: SHA-256 {there.secondary_sha256}."
        raise CeremonyError("ONLINE-GROUP-DIFFERS", what, state="Nothing was sent.")
    is_second = there.secondary_sha256 == digest
    if promote and not is_second:
        what = f"The new certificate does not stand second in the group {name} yet: apply a plan without --promote first."
        raise CeremonyError("USAGE", what, state="Nothing was sent.")
    kind: SuccessionKind = "promote" if promote else "second"
    if not there.is_enabled and there.group_id not in enable:
        return Succession(kind, f"group, DISABLED: stays so (--enable {there.group_id} enables it)", ())
    changes = [*(() if there.is_enabled else ("status: disabled -> enabled",)), *differences(there, settings, digest)]
    if promote:
        changes.append(f"primary certificate: {(there.primary_sha256 or 'unknown')[:16]}... -> {digest[:16]}..., and no second one")
        return Succession(kind, "group, the new certificate alone: a device that sends the old chain no longer registers", tuple(changes))
    return Succession(kind, f"group, both certificates (--promote {there.group_id} ends that)", tuple(changes))


def succeeded_record(group: Group, kind: SuccessionKind, pem: bytes, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The record to put in the group's place: the new certificate second, or alone; what we don't manage stays as it is."""
    new = {"certificate": pem.decode()}
    signing = {"primary": held(group.record, "primary"), "secondary": new} if kind == "second" else {"primary": new}
    record = {**settings, "attestation": {"type": "x509", "x509": {"signingCertificates": signing}}, "provisioningStatus": "enabled"}
    return writable(group.record) | record


def is_succeeded(group: Group, kind: SuccessionKind, digest: str, settings: Mapping[str, Any]) -> bool:
    """Whether the group holds the new certificate (SHA-256, hex, of its DER) as wanted, is enabled, and has these settings."""
    places = {"second": (group.secondary_sha256, digest), "promote": (group.secondary_sha256, None)}
    found, wanted = places[kind]
    first = kind == "second" or group.primary_sha256 == digest
    return group.is_enabled and first and found == wanted and not differences(group, settings, None)
