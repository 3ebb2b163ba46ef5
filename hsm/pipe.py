"""The pipe between us and the child that holds the module.

A message is its length (four bytes, big-endian), then that many bytes of JSON. A request names in `secrets`
the lengths of what follows it raw: activation data goes from one wipeable buffer into another, and is never
part of a JSON text, of a `bytes` or of a `str`.
"""

import os
from collections.abc import Sequence
from typing import Any, Final

import msgspec

LARGEST_MESSAGE: Final = 16 << 20
"""A message has at most 16 MiB."""
LONGEST_SECRET: Final = 4096
"""A secret has at most 4,096 bytes."""
ACTING: Final = frozenset({"initialise", "wipe", "set-pin", "reset-user-pin", "generate-key", "sign", "destroy"})
"""Verbs that change the token or make a signature: when no answer comes, their outcome is unknown."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `token` is the number under which the child holds the token, from 1; 0 when the call needs none."""

    number: int
    verb: str
    token: int = 0
    args: dict[str, Any] = {}
    secrets: tuple[int, ...] = ()


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A TokenError on its way through the pipe."""

    code: str
    what: str
    state: str = ""
    do_now: str = ""
    costs_a_try: bool = False
    outcome_unknown: bool = False
    ckr: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the request of the same number: a value, or a failure."""

    number: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None


class PipeClosed(Exception):
    """The other end is gone."""


def framed(message: msgspec.Struct) -> bytes:
    """The bytes of a message."""
    octets = msgspec.json.encode(message)
    return len(octets).to_bytes(4, "big") + octets


def write_all(descriptor: int, parts: Sequence[bytes | bytearray]) -> None:
    """Writes the parts one after the other, without copying them. Raises PipeClosed."""
    for part in parts:
        rest = memoryview(part)
        while rest:
            try:
                written = os.write(descriptor, rest)
            except BrokenPipeError as gone:
                raise PipeClosed from gone
            rest = rest[written:]


def read_into(descriptor: int, buffer: bytearray) -> None:
    """Fills the buffer from the pipe, and nothing but the buffer. Raises PipeClosed."""
    rest = memoryview(buffer)
    while rest:
        count = os.readv(descriptor, [rest])
        if not count:
            raise PipeClosed
        rest = rest[count:]


def read_request(descriptor: int) -> tuple[Request, list[bytearray]]:
    """The next request and its secrets, which the caller wipes. Raises PipeClosed at the end and on a message over the caps."""
    head = bytearray(4)
    read_into(descriptor, head)
    length = int.from_bytes(head, "big")
    if length > LARGEST_MESSAGE:
        raise PipeClosed
    body = bytearray(length)
    read_into(descriptor, body)
    request = msgspec.json.decode(body, type=Request)
    secrets = []
    for length in request.secrets:
        if not 0 <= length <= LONGEST_SECRET:
            raise PipeClosed
        secret = bytearray(length)
        read_into(descriptor, secret)
        secrets.append(secret)
    return request, secrets


def wipe(secret: bytearray) -> None:
    """Overwrites a secret with zeros, in place."""
    secret[:] = bytes(len(secret))
