"""Where devices ask: the provisioning hosts of Azure's clouds, and what may stand in a host's place."""

import ipaddress
import re

CLOUDS = {
    "public": "global.azure-devices-provisioning.net",
    "us-government": "global.azure-devices-provisioning.us",
    "china": "global.azure-devices-provisioning.cn",
}
"""The device endpoint of each cloud, the same for all services in it: the id scope says which is meant."""

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST = 253


def is_host(text: str) -> bool:
    """Whether this is a host's name (RFC 1123 section 2.1) or an address, without a port."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None
    return True


def is_loopback(host: str) -> bool:
    """Whether this host is this machine alone: an address of the loopback, or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
