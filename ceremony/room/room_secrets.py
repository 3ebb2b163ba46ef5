"""What the room does with activation data: overwrites it as soon as the token has it."""


def wipe(secret: bytearray) -> None:
    """Overwrites a secret in place."""
    secret[:] = bytes(len(secret))
