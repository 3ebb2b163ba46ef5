"""What the room does with activation data: overwrites it as soon as the token has it."""


def wipe(secret: bytearray | None) -> None:
    """Overwrites a secret in place; there is none where it is typed on the token's own pad."""
    if secret is not None:
        secret[:] = bytes(len(secret))
