"""The two DER values (X.690) that an encrypted key file is built of. hsm's own stay in hsm: nothing of it may be imported here."""


def element(tag: int, *contents: bytes) -> bytes:
    """One DER element: tag, shortest length, contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
