"""Enrollment groups that stand on a certificate which the root has revoked.

Azure is taken to ask for no CRL: only a disabled group keeps the devices of a revoked intermediate out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from ceremony.online.world import Group, World, held, table
from ceremony.pki.crl import Crl
from ceremony.pki.names import shown_text
from ceremony.pki.revocation import Revoked

_HELD_AT = ("primary", "secondary")


@dataclass(frozen=True)
class RevokedGroup:
    """A group and the entry of the CRL that is about the certificate it holds."""

    group: Group
    entry: Revoked

    @property
    def text(self) -> str:
        """What to do about it, for a person."""
        name = shown_text(self.group.group_id)
        what = f"its certificate is revoked by the root ({self.entry.text})"
        if not self.group.is_enabled:
            return f"{what}; the group is disabled, as it should be."
        return f"{what}, and the group still lets devices in: disable it. `ceremony online disable {name}` does that."


def revoked_groups(world: World, crls: Sequence[Crl]) -> Iterator[RevokedGroup]:
    """The groups of which a certificate stands on one of these CRLs. A serial is random: it tells the certificate by itself."""
    for group in world.groups:
        entries = [crl.by_serial.get(serial_held(group, place) or 0) for place in _HELD_AT for crl in crls]
        for entry in entries:
            if entry is not None:
                yield RevokedGroup(group, entry)
                break


def serial_held(group: Group, place: str) -> int | None:
    """The serial of what the group holds at this place ("primary", "secondary").

    That of the certificate itself where the service shows it, else as its `info` says (hex).
    """
    certificate = held(group.record, place)
    pem = certificate.get("certificate")
    try:
        if isinstance(pem, str) and pem:
            return x509.load_pem_x509_certificate(pem.encode()).serial_number
        return int(str(table(certificate, "info").get("serialNumber", "")).replace(":", ""), 16)
    except ValueError:
        return None
