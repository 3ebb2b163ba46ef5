"""What the leading process and the processes that make certificates say to each other, and how it goes through their pipes.

A message is its length (four bytes, big-endian) and that many bytes of MessagePack. Secrets follow the first message raw, from
one wipeable buffer into another, as they do on the way to the token's process.
"""

from typing import Any, TypeVar

import msgspec

from hsm.pipe import PipeClosed, read_into, write_all

LARGEST_MESSAGE = 16 << 20
"""A message has at most 16 MiB."""

_Message = TypeVar("_Message")


class Start(msgspec.Struct, frozen=True):
    """What a whole order shares. Certificates are DER, times seconds since 1970 UTC; `secrets` are the lengths of what follows raw.

    The secrets are the intermediate's key (PKCS#8, empty when it is on a token), the passphrase of .p12 files and that of key
    files; both are empty where none are wanted.
    """

    intermediate: bytes
    not_before: int
    not_after: int
    rehearsal: bool
    secrets: tuple[int, int, int]


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """One certificate that is wanted: the registration id, and the device's own key (SPKI, DER), or None where one is to be made."""

    registration_id: str
    public_key_der: bytes | None


class Batch(msgspec.Struct, frozen=True):
    """Certificates to be made together; their files go into `folder`, which is there and empty."""

    folder: str
    wanted: list[Wanted]


class Signatures(msgspec.Struct, frozen=True):
    """The answer to ToSign, in the same order."""

    made: list[bytes]


class ToSign(msgspec.Struct, frozen=True, tag=True):
    """Bytes that the token is to sign, for the batch that the worker is at."""

    to_be_signed: list[bytes]


class Made(msgspec.Struct, frozen=True, array_like=True):
    """A certificate that was made: serial (40 hex digits), SHA-256 of its DER and of its key (SPKI), both hex."""

    serial: str
    sha256: str
    key_sha256: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """A batch is made: one entry for each that was wanted, in the same order."""

    made: list[Made]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A batch could not be made: the parts of a CeremonyError."""

    code: str
    what: str
    state: str
    do_now: str


FromWorker = ToSign | Done | Failed


def send(descriptor: int, message: msgspec.Struct, *secrets: bytearray) -> None:
    """Writes a message, and what follows it raw. Raises PipeClosed when the other end is gone."""
    octets = msgspec.msgpack.encode(message)
    write_all(descriptor, [len(octets).to_bytes(4, "big"), octets, *secrets])


def receive(descriptor: int, kind: Any) -> Any:
    """The next message, of this kind or one of this union. Raises PipeClosed at the end, and for what is no message."""
    head = bytearray(4)
    read_into(descriptor, head)
    length = int.from_bytes(head, "big")
    if length > LARGEST_MESSAGE:
        raise PipeClosed
    body = bytearray(length)
    read_into(descriptor, body)
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except msgspec.DecodeError as broken:
        raise PipeClosed from broken


def receive_secret(descriptor: int, length: int) -> bytearray:
    """The next raw bytes, which the caller wipes. Raises PipeClosed."""
    secret = bytearray(length)
    read_into(descriptor, secret)
    return secret
