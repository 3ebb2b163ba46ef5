"""One message between the ceremony's process and the one that handles shares: its length, JSON, then the secrets, raw.

Secrets go from one wipeable buffer into another; the JSON holds their lengths and what is public.
"""

import json
import os
from collections.abc import Sequence
from typing import Any, Final

LARGEST_MESSAGE: Final = 1 << 16
"""In bytes, and of each secret: the shares of 16 holders have far less."""


class WireClosed(Exception):
    """The other end is gone, or what came is no message."""


def send(descriptor: int, message: dict[str, Any], secrets: Sequence[bytearray] = ()) -> None:
    """Writes a message and its secrets. Raises WireClosed."""
    head = json.dumps({**message, "secrets": [len(secret) for secret in secrets]}).encode()
    parts: list[bytes | bytearray] = [len(head).to_bytes(4, "big"), head, *secrets]
    for part in parts:
        rest = memoryview(part)
        while rest:
            try:
                written = os.write(descriptor, rest)
            except BrokenPipeError as gone:
                raise WireClosed from gone
            rest = rest[written:]


def receive(descriptor: int) -> tuple[dict[str, Any], list[bytearray]]:
    """The next message and its secrets, which the caller wipes. Raises WireClosed."""
    message = json.loads(_filled(descriptor, int.from_bytes(_filled(descriptor, 4), "big")))
    return message, [_filled(descriptor, length) for length in message.pop("secrets")]


def _filled(descriptor: int, length: int) -> bytearray:
    if length > LARGEST_MESSAGE:
        raise WireClosed
    buffer = bytearray(length)
    rest = memoryview(buffer)
    while rest:
        count = os.readv(descriptor, [rest])
        if not count:
            raise WireClosed
        rest = rest[count:]
    return buffer
