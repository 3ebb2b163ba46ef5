"""MQTT 3.1.1 on the wire: packets to bytes and bytes to packets. No socket, no clock: whoever holds one feeds it.

Sections are those of the OASIS standard "MQTT Version 3.1.1". Every length is checked before it is used, and no packet is longer
than the reader allows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ceremony.simulator.mqtt_packets import (
    FAILURE,
    Connack,
    Connect,
    Disconnect,
    Kind,
    MqttError,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Refusal,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)

LONGEST_PACKET = 256 * 1024
"""Bytes of a packet after its fixed header: IoT Hub's limit of a message."""
MOST_FILTERS = 50
"""Topic filters in one SUBSCRIBE or UNSUBSCRIBE: IoT Hub allows a client 50 subscriptions."""

_FLAGS = {Kind.SUBSCRIBE: 2, Kind.UNSUBSCRIBE: 2}
"""The reserved flags of the fixed header, where they are not 0 (2.2.2). PUBLISH has flags that mean something."""


@dataclass
class Reader:
    """Takes bytes as they come and gives packets as they become whole. After an MqttError it is of no more use."""

    longest_packet: int = LONGEST_PACKET
    _held: bytearray = field(default_factory=bytearray, repr=False)

    def feed(self, octets: bytes) -> list[Packet]:
        """The packets that these bytes complete, in order. Raises MqttError, as soon as the header alone shows it."""
        self._held += octets
        packets: list[Packet] = []
        while (frame := self._frame()) is not None:
            packets.append(parse(*frame))
        return packets

    def _frame(self) -> tuple[int, bytes] | None:
        """The next packet's first byte and what follows its length (2.2.3), taken out; None until it is whole."""
        if self._held:
            _kind_of(self._held[0])
        length = 0
        for position in range(1, 5):
            if position >= len(self._held):
                return None
            octet = self._held[position]
            length |= (octet & 0x7F) << 7 * (position - 1)
            if length > self.longest_packet:
                raise MqttError("A packet is longer than we take.")
            if not octet & 0x80:
                end = position + 1 + length
                if len(self._held) < end:
                    return None
                first, body = self._held[0], bytes(self._held[position + 1 : end])
                del self._held[:end]
                return first, body
        raise MqttError("A packet's length has more than four bytes.")


def parse(first: int, body: bytes) -> Packet:
    """The packet of a fixed header's first byte and what comes after its length. Raises MqttError."""
    kind, fields = _kind_of(first), _Fields(body)
    packet = _publish(first & 0x0F, fields) if kind is Kind.PUBLISH else _PARSERS[kind](fields)
    fields.end()
    return packet


def encode(packet: Packet) -> bytes:
    """The packet's bytes. Raises MqttError for a text over 65,535 bytes of UTF-8 and for a packet over LONGEST_PACKET."""
    first, body = _encoded(packet)
    if len(body) > LONGEST_PACKET:
        raise MqttError("A packet is longer than we take.")
    length, left = bytearray(), len(body)
    while True:
        left, low = left >> 7, left & 0x7F
        length.append(low | (0x80 if left else 0))
        if not left:
            return bytes([first, *length]) + body


def _kind_of(first: int) -> Kind:
    """The type in a fixed header's first byte (2.2.1), its flags checked (2.2.2)."""
    try:
        kind = Kind(first >> 4)
    except ValueError:
        raise MqttError(f"Packets of type {first >> 4} are not known here.") from None
    if kind is Kind.PUBLISH:
        quality = first >> 1 & 0x03
        if quality > 1 or (first & 0x08 and not quality):
            raise MqttError("PUBLISH asks for a quality of service that is not given here, or repeats what is never repeated.")
    elif first & 0x0F != _FLAGS.get(kind, 0):
        raise MqttError(f"{kind.name} has reserved flags set.")
    return kind


def _encoded(packet: Packet) -> tuple[int, bytes]:
    """First byte of the fixed header, and what follows the length."""
    match packet:
        case Connect():
            return Kind.CONNECT << 4, _connect_body(packet)
        case Connack(refusal, session_present):
            return Kind.CONNACK << 4, bytes([session_present, refusal])
        case Publish(topic, payload, packet_id, is_duplicate, is_retained):
            flags = is_duplicate << 3 | (packet_id is not None) << 1 | is_retained
            return Kind.PUBLISH << 4 | flags, _text(topic) + (b"" if packet_id is None else _number(packet_id)) + payload
        case Subscribe(packet_id, filters):
            return Kind.SUBSCRIBE << 4 | 2, _number(packet_id) + b"".join(_text(name) + bytes([quality]) for name, quality in filters)
        case Unsubscribe(packet_id, names):
            return Kind.UNSUBSCRIBE << 4 | 2, _number(packet_id) + b"".join(_text(name) for name in names)
        case Suback(packet_id, codes):
            return Kind.SUBACK << 4, _number(packet_id) + bytes(codes)
        case Puback(packet_id):
            return Kind.PUBACK << 4, _number(packet_id)
        case Unsuback(packet_id):
            return Kind.UNSUBACK << 4, _number(packet_id)
        case Pingreq():
            return Kind.PINGREQ << 4, b""
        case Pingresp():
            return Kind.PINGRESP << 4, b""
        case Disconnect():
            return Kind.DISCONNECT << 4, b""


def _connect_body(packet: Connect) -> bytes:
    flags = packet.is_clean << 1
    payload = _text(packet.client_id)
    if packet.will is not None:
        flags |= 0x04
        payload += _text(packet.will[0]) + _binary(packet.will[1])
    if packet.user_name is not None:
        flags |= 0x80
        payload += _text(packet.user_name)
    if packet.password is not None:
        flags |= 0x40
        payload += _binary(packet.password)
    return _text("MQTT") + bytes([packet.level, flags]) + _number(packet.keep_alive) + payload


def _number(number: int) -> bytes:
    return number.to_bytes(2)


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(octets: bytes) -> bytes:
    if len(octets) > 0xFFFF:
        raise MqttError("A text is longer than its length can say.")
    return _number(len(octets)) + octets


class _Fields:
    """A packet's body, read from front to back."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def octets(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._body):
            raise MqttError("A packet ends too early.")
        taken, self._at = self._body[self._at : end], end
        return taken

    def number(self) -> int:
        """Two bytes, the high one first (1.5.2)."""
        return int.from_bytes(self.octets(2))

    def octet(self) -> int:
        return self.octets(1)[0]

    def binary(self) -> bytes:
        return self.octets(self.number())

    def text(self) -> str:
        """UTF-8 with its length before it, without U+0000 and surrogates (1.5.3)."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise MqttError("A text is not UTF-8.") from None
        if "\0" in text:
            raise MqttError("A text has U+0000 in it.")
        return text

    def packet_id(self) -> int:
        """2.3.1: not zero."""
        number = self.number()
        if not number:
            raise MqttError("A packet identifier is zero.")
        return number

    def rest(self) -> bytes:
        return self.octets(len(self._body) - self._at)

    def is_at_end(self) -> bool:
        return self._at == len(self._body)

    def end(self) -> None:
        if not self.is_at_end():
            raise MqttError("A packet is longer than what it holds.")


def _connect(fields: _Fields) -> Connect:
    """3.1."""
    if fields.text() != "MQTT":
        raise MqttError("The protocol's name is not MQTT.")
    level, flags, keep_alive = fields.octet(), fields.octet(), fields.number()
    if level != 4:
        fields.rest()
        return Connect("", level=level)
    has_will, has_password, has_user_name = flags & 0x04, flags & 0x40, flags & 0x80
    if flags & 0x01 or (not has_will and flags & 0x38) or flags & 0x18 == 0x18 or (has_password and not has_user_name):
        raise MqttError("The flags of CONNECT contradict each other.")
    client_id = fields.text()
    will = (_topic(fields.text()), fields.binary()) if has_will else None
    user_name = fields.text() if has_user_name else None
    password = fields.binary() if has_password else None
    return Connect(client_id, user_name, password, keep_alive, bool(flags & 0x02), will)


def _connack(fields: _Fields) -> Connack:
    """3.2: a refusal never has a session."""
    present, code = fields.octet(), fields.octet()
    if present > 1 or code > max(Refusal) or (present and code):
        raise MqttError("CONNACK holds what the standard does not know.")
    return Connack(Refusal(code), bool(present))


def _publish(flags: int, fields: _Fields) -> Publish:
    """3.3."""
    topic = _topic(fields.text())
    packet_id = fields.packet_id() if flags & 0x02 else None
    return Publish(topic, fields.rest(), packet_id, bool(flags & 0x08), bool(flags & 0x01))


def _subscribe(fields: _Fields) -> Subscribe:
    """3.8."""
    packet_id, filters = fields.packet_id(), []
    while not fields.is_at_end():
        filters.append((_filter(fields.text()), fields.octet()))
    if any(quality > 2 for _, quality in filters):
        raise MqttError("SUBSCRIBE asks for a quality of service over 2.")
    _count(filters)
    return Subscribe(packet_id, tuple(filters))


def _suback(fields: _Fields) -> Suback:
    """3.9."""
    packet_id, codes = fields.packet_id(), fields.rest()
    if any(code > 2 and code != FAILURE for code in codes):
        raise MqttError("SUBACK holds a code that the standard does not know.")
    _count(codes)
    return Suback(packet_id, tuple(codes))


def _unsubscribe(fields: _Fields) -> Unsubscribe:
    """3.10."""
    packet_id, filters = fields.packet_id(), []
    while not fields.is_at_end():
        filters.append(_filter(fields.text()))
    _count(filters)
    return Unsubscribe(packet_id, tuple(filters))


def _count(filters: list[tuple[str, int]] | list[str] | bytes) -> None:
    if not 0 < len(filters) <= MOST_FILTERS:
        raise MqttError(f"A packet has no topic filter, or more than {MOST_FILTERS}.")


def _topic(topic: str) -> str:
    """4.7: a topic's name is not empty and has no wildcard."""
    if not topic or "#" in topic or "+" in topic:
        raise MqttError("A topic is empty or has a wildcard in it.")
    return topic


def _filter(topic: str) -> str:
    """4.7.1: `#` alone at the end, `+` alone between slashes."""
    levels = topic.split("/")
    if not topic or any(("#" in level or "+" in level) and len(level) > 1 for level in levels) or "#" in levels[:-1]:
        raise MqttError("A topic filter is empty or has a wildcard where none may be.")
    return topic


_PARSERS: dict[Kind, Callable[[_Fields], Packet]] = {
    Kind.CONNECT: _connect,
    Kind.CONNACK: _connack,
    Kind.PUBACK: lambda fields: Puback(fields.packet_id()),
    Kind.SUBSCRIBE: _subscribe,
    Kind.SUBACK: _suback,
    Kind.UNSUBSCRIBE: _unsubscribe,
    Kind.UNSUBACK: lambda fields: Unsuback(fields.packet_id()),
    Kind.PINGREQ: lambda _: Pingreq(),
    Kind.PINGRESP: lambda _: Pingresp(),
    Kind.DISCONNECT: lambda _: Disconnect(),
}
