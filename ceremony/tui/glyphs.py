"""What the bare Linux console can draw, measured over the fonts of the kernel and of Debian's console-setup.

Missing there: rounded, heavy and block borders, ellipses, long dashes, check marks, curly quotes.
"""

from ceremony.pki.names import shown_text

BOXES = frozenset("│─┌┐└┘║═╔╗╚╝├┤┬┴┼")
"""Solid and double lines, the only borders that the screens use."""

BULLET = "\u2022"
"""What a field for activation data shows for each character; every console font has it."""

CONSOLE_SAFE = frozenset(map(chr, range(0x20, 0x7F))) | frozenset(map(chr, range(0xC0, 0x100))) | BOXES
"""Printable ASCII, the letters of Latin-1 (names of people), and the boxes."""


def console_text(text: str) -> str:
    """Text that the console can show: every other character is escaped, tabs become spaces, line breaks stay."""
    kept = CONSOLE_SAFE | {"\n"}
    return "".join(character if character in kept else shown_text(character) for character in text.expandtabs(4))
