"""The parser: round trips, bytes from the standard, and any bytes at all."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ceremony.simulator.mqtt import LONGEST_PACKET, MOST_FILTERS, Reader, encode, parse
from ceremony.simulator.mqtt_packets import (
    FAILURE,
    Connack,
    Connect,
    Disconnect,
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

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0#+"), min_size=1, max_size=40)
filters = st.one_of(topics, topics.map(lambda topic: f"{topic}/#"), st.sampled_from(["#", "+", "+/a/#", "/", "a//+"]))
packet_ids = st.integers(1, 0xFFFF)
octets = st.binary(max_size=200)


def _connect(
    client_id: str, names: tuple[str | None, bytes | None], keep_alive: int, is_clean: bool, will: tuple[str, bytes] | None
) -> Connect:
    user_name, password = names
    return Connect(client_id, user_name, password if user_name is not None else None, keep_alive, is_clean, will)


packets: st.SearchStrategy[Packet] = st.one_of(
    st.builds(
        _connect,
        text,
        st.tuples(st.none() | text, st.none() | octets),
        st.integers(0, 0xFFFF),
        st.booleans(),
        st.none() | st.tuples(topics, octets),
    ),
    st.builds(Connack, st.sampled_from(Refusal)),
    st.builds(Publish, topics, octets, packet_ids, st.booleans(), st.booleans()),
    st.builds(Publish, topics, octets, is_retained=st.booleans()),
    st.builds(Subscribe, packet_ids, st.lists(st.tuples(filters, st.integers(0, 2)), min_size=1, max_size=5).map(tuple)),
    st.builds(Suback, packet_ids, st.lists(st.sampled_from([0, 1, 2, FAILURE]), min_size=1, max_size=5).map(tuple)),
    st.builds(Unsubscribe, packet_ids, st.lists(filters, min_size=1, max_size=5).map(tuple)),
    st.builds(Puback, packet_ids),
    st.builds(Unsuback, packet_ids),
    st.sampled_from([Pingreq(), Pingresp(), Disconnect(), Connack(session_present=True)]),
)


def fed(stream: bytes, sizes: list[int], longest: int = LONGEST_PACKET) -> tuple[list[Packet], bool]:
    """What a reader makes of a stream that comes in pieces of these sizes, then a byte at a time; and whether it gave up."""
    reader, found, at = Reader(longest), list[Packet](), 0
    try:
        for size in [*sizes, *[1] * len(stream)]:
            found += reader.feed(stream[at : at + size])
            at += size
            assert len(reader._held) <= longest + 5
    except MqttError:
        return found, True
    return found, False


@given(st.lists(packets, max_size=5), st.lists(st.integers(0, 60), max_size=10))
def test_what_is_written_is_read_however_it_is_cut(sent, sizes):
    assert fed(b"".join(encode(packet) for packet in sent), sizes) == (sent, False)


@settings(max_examples=500)
@given(st.binary(max_size=400), st.lists(st.integers(0, 40), max_size=10))
def test_any_bytes_give_packets_or_one_kind_of_error(stream, sizes):
    assert fed(stream, sizes, 300) == fed(stream, [], 300)


@settings(max_examples=500)
@given(st.integers(0, 255), st.binary(max_size=300))
def test_any_body_gives_a_packet_that_can_be_written_again_or_one_kind_of_error(first, body):
    try:
        packet = parse(first, body)
    except MqttError:
        return
    assert parse(*_split(encode(packet))) == packet


@settings(max_examples=500)
@given(packets, st.data())
def test_a_packet_with_one_changed_byte_gives_packets_or_one_kind_of_error(packet, data):
    stream = bytearray(encode(packet))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    fed(bytes(stream), [])


@given(packets, st.data())
def test_a_body_cut_short_is_never_the_same_packet(packet, data):
    first, body = _split(encode(packet))
    if body:
        try:
            cut = parse(first, body[: data.draw(st.integers(0, len(body) - 1))])
        except MqttError:
            return
        assert cut != packet


def _split(encoded: bytes) -> tuple[int, bytes]:
    length = next(position for position in range(1, 5) if not encoded[position] & 0x80)
    return encoded[0], encoded[length + 1 :]


@pytest.mark.parametrize(
    ("stream", "packet"),
    [
        ("20020000", Connack()),
        ("20020100", Connack(session_present=True)),
        ("20020005", Connack(Refusal.NOT_AUTHORIZED)),
        ("c000", Pingreq()),
        ("d000", Pingresp()),
        ("e000", Disconnect()),
        ("4002000a", Puback(10)),
        # 3.3.2 and 3.8.3, the standard's own examples of a topic and of two filters
        ("3207 0003 612f62 000a", Publish("a/b", b"", 10)),
        ("820e 000a 0003 612f62 01 0003 632f64 02", Subscribe(10, (("a/b", 1), ("c/d", 2)))),
        ("9005 000a 00 02 80", Suback(10, (0, 2, FAILURE))),
        ("a20c 000a 0003 612f62 0003 632f64", Unsubscribe(10, ("a/b", "c/d"))),
        ("b002000a", Unsuback(10)),
        ("100f 0004 4d515454 04 02 000a 0003 616263", Connect("abc", keep_alive=10)),
        ("1012 0004 4d515454 03 02 000a 0006 616263646566", Connect("", level=3)),
    ],
)
def test_bytes_as_the_standard_writes_them(stream, packet):
    octets = bytes.fromhex(stream)
    assert Reader().feed(octets) == [packet]
    if not (isinstance(packet, Connect) and packet.level != 4):
        assert encode(packet) == octets


@example(0)
@example(127)
@example(128)
@example(16_383)
@example(16_384)
@example(LONGEST_PACKET - 3)
@given(st.integers(0, LONGEST_PACKET - 3))
@settings(max_examples=20)
def test_every_length_up_to_the_cap(length):
    packet = Publish("t", bytes(length))
    assert Reader().feed(encode(packet)) == [packet]


def test_lengths_are_written_as_table_2_4_says():
    for length, written in ((127, "7f"), (128, "8001"), (321, "c102"), (16_383, "ff7f"), (16_384, "808001"), (200_000, "c09a0c")):
        encoded = encode(Publish("t", bytes(length - 3)))
        assert encoded[1 : 1 + len(bytes.fromhex(written))].hex() == written


BROKEN = {
    "reserved types 0 and 15": ["0000", "f000"],
    "quality of service 2 and its packets": ["34050001610001", "50020001", "62020001", "70020001"],
    "quality of service 3": ["36050001610001"],
    "a duplicate of quality 0": ["3803000161"],
    "reserved flags": ["c100", "d200", "e800", "2102 0000", "4102 0001", "8006 0001 0001 61 00", "a005 0001 0001 61", "b202 0001"],
    "bodies where none may be": ["c00100", "d00100", "e00100"],
    "packet identifier zero": ["32050001610000", "40020000", "8206 0000 0001 61 00", "b0020000"],
    "no filter": ["82020001", "a2020001", "90020001"],
    "quality over 2 asked for": ["8206 0001 0001 61 03"],
    "wildcards": ["30030001 23", "30030001 2b", "8207 0001 0002 6123 00", "8208 0001 0003 232f61 00", "8207 0001 0002 612b 00"],
    "empty topic": ["30020000", "8205 0001 0000 00"],
    "U+0000, a surrogate, no UTF-8": ["3003000100", "3005 0003 eda080", "3003 0001 ff"],
    "texts longer than the packet": ["30021000", "3003000261", "100c 0004 4d515454 04 02 000a 0003"],
    "CONNECT of another protocol": ["1011 0006 4d5149736470 03 02 000a 0003 616263"],
    "CONNECT with flags that contradict": [f"100f 0004 4d515454 04 {flags} 000a 0003 616263" for flags in ("03", "0a", "22", "1e", "42")],
    "CONNECT with bytes left over": ["1010 0004 4d515454 04 02 000a 0003 616263 00"],
    "CONNACK that is none": ["2002 0200", "2002 0006", "2002 0105", "2003 000000", "2001 00"],
    "a length of five bytes": ["3080808001", "30ffffffff"],
    "a length over the cap": ["30ffffff7f", "30818010"],
}


@pytest.mark.parametrize("stream", [stream for streams in BROKEN.values() for stream in streams])
def test_what_the_standard_forbids_is_refused(stream):
    with pytest.raises(MqttError):
        Reader().feed(bytes.fromhex(stream))


def test_a_length_over_the_cap_is_refused_before_a_byte_of_it_came():
    over = encode(Publish("t", bytes(1000)))
    with pytest.raises(MqttError, match="longer"):
        Reader(1000).feed(over[:3])


@pytest.mark.parametrize("octet", ["00", "34", "38", "47", "81", "c1", "f0"])
def test_a_first_byte_that_cannot_be_is_refused_at_once(octet):
    with pytest.raises(MqttError):
        Reader().feed(bytes.fromhex(octet))


def test_too_many_filters_are_refused():
    names = tuple(f"t{number}" for number in range(MOST_FILTERS + 1))
    assert Reader().feed(encode(Unsubscribe(1, names[1:]))) == [Unsubscribe(1, names[1:])]
    with pytest.raises(MqttError):
        Reader().feed(encode(Unsubscribe(1, names)))


def test_what_cannot_be_said_is_not_written():
    for packet in (Publish("t" * 0x10000, b""), Publish("t", bytes(LONGEST_PACKET)), Connect("c" * 0x10000)):
        with pytest.raises(MqttError):
            encode(packet)
