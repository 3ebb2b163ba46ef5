"""The packets of MQTT 3.1.1 that a device, the Device Provisioning Service and an IoT Hub say to each other.

Both services refuse quality of service 2, so its packets are not among them. Sections are those of the OASIS standard
"MQTT Version 3.1.1".
"""

from dataclasses import dataclass
from enum import IntEnum

FAILURE = 0x80
"""SUBACK's return code for a filter that was not taken (3.9.3)."""


class MqttError(Exception):
    """Bytes that are not MQTT 3.1.1, or more of it than we take. The standard asks to close the connection (4.8)."""


class Kind(IntEnum):
    """Control packet types (2.2.1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Refusal(IntEnum):
    """CONNACK's return codes (3.2.2.3); 0 is accepted."""

    ACCEPTED = 0
    PROTOCOL_VERSION = 1
    CLIENT_ID = 2
    SERVER_UNAVAILABLE = 3
    USER_NAME = 4
    NOT_AUTHORIZED = 5


@dataclass(frozen=True)
class Connect:
    """`keep_alive` in seconds, 0 is none. `level` is 4 for MQTT 3.1.1; of another level, nothing else was read."""

    client_id: str
    user_name: str | None = None
    password: bytes | None = None
    keep_alive: int = 0
    is_clean: bool = True
    will: tuple[str, bytes] | None = None
    level: int = 4


@dataclass(frozen=True)
class Connack:
    """The answer to CONNECT."""

    refusal: Refusal = Refusal.ACCEPTED
    session_present: bool = False


@dataclass(frozen=True)
class Publish:
    """A message. `packet_id` is None with quality of service 0, and given with 1."""

    topic: str
    payload: bytes
    packet_id: int | None = None
    is_duplicate: bool = False
    is_retained: bool = False


@dataclass(frozen=True)
class Puback:
    """A message of quality of service 1 has arrived."""

    packet_id: int


@dataclass(frozen=True)
class Subscribe:
    """Topic filters, each with the quality of service asked for (0 to 2)."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Suback:
    """Per filter: the quality of service granted, or FAILURE."""

    packet_id: int
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Unsubscribe:
    """Topic filters that end."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Unsuback:
    """The answer to UNSUBSCRIBE."""

    packet_id: int


@dataclass(frozen=True)
class Pingreq:
    """The client is still there."""


@dataclass(frozen=True)
class Pingresp:
    """So is the server."""


@dataclass(frozen=True)
class Disconnect:
    """The client goes, as planned."""


Packet = Connect | Connack | Publish | Puback | Subscribe | Suback | Unsubscribe | Unsuback | Pingreq | Pingresp | Disconnect
