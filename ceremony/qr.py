"""A text as QR codes that fit a terminal, drawn without colours: what is light is a reversed blank.

Of the glyphs that a bare console lacks the upper half block is one: without it a module is two columns of a line, with it half a line
of one column. What does not fit at once is split; a part says which it is, `2/5:`, and all parts make the text.
"""

from collections.abc import Sequence
from typing import Final

Symbol = tuple[tuple[bool, ...], ...]
"""The modules of one QR code, row by row, with its quiet zone; True is dark."""

Run = tuple[str, bool]
"""Characters that stand beside one another, and whether they are reversed."""

MOST_CODES: Final = 9
"""Of more codes than this one is forgotten."""

_CHARACTERS: Final = (25, 47, 77, 114, 154, 195, 224, 279, 335, 395)
"""What versions 1 to 10 hold of the alphanumeric set at level L (ISO/IEC 18004, table 7)."""

_QUIET_ZONES: Final = (4, 2, 1)
"""Modules around a code: 4 by the standard (ISO/IEC 18004, 6.3.8); less is read as well where nothing else stands beside it."""

_UPPER_HALF: Final = "\u2580"


def codes_of(text: str, columns: int, lines: int, *, half_blocks: bool) -> list[Symbol]:
    """The codes of a text (digits, capital letters and `$%*+-./:`) for so much room, one after the other; none when it does not fit.

    The quiet zone is as wide as it can be, and the codes are as few as they can be then.
    """
    for quiet in _QUIET_ZONES:
        for version in range(len(_CHARACTERS), 0, -1):
            if _fits(17 + 4 * version + 2 * quiet, columns, lines, half_blocks=half_blocks):
                parts = _parts(text, _CHARACTERS[version - 1])
                if len(parts) <= MOST_CODES:
                    return [_symbol(part, quiet) for part in parts]
                break
    return []


def joined(parts: Sequence[str]) -> str:
    """The text whose parts were read, in any order. Raises ValueError when one is missing, or one is of another text."""
    if len(parts) == 1 and "/" not in parts[0]:
        return parts[0]
    numbered = dict(part.split(":", 1) for part in parts)
    wanted = [f"{number}/{len(numbered)}" for number in range(1, len(numbered) + 1)]
    if sorted(numbered) != sorted(wanted):
        raise ValueError(f"the parts {', '.join(sorted(numbered))} do not make a whole")
    return "".join(numbered[number] for number in wanted)


def drawn(symbol: Symbol, *, half_blocks: bool, swapped: bool = False) -> list[list[Run]]:
    """The lines of a code, for light letters on a dark screen; `swapped` for a light screen."""
    light = [[dark == swapped for dark in row] for row in symbol]
    if not half_blocks:
        return [_runs([("  ", module) for module in row]) for row in light]
    if len(light) % 2:
        light.append([False] * len(light[0]))
    return [_runs([_half(above, below) for above, below in zip(*pair, strict=True)]) for pair in zip(light[::2], light[1::2], strict=True)]


def _fits(size: int, columns: int, lines: int, *, half_blocks: bool) -> bool:
    return size <= columns and size <= 2 * lines if half_blocks else 2 * size <= columns and size <= lines


def _parts(text: str, room: int) -> list[str]:
    if len(text) <= room:
        return [text]
    room -= len("1/9:")
    count = -(-len(text) // room)
    each = -(-len(text) // count)
    return [f"{number + 1}/{count}:{text[number * each : (number + 1) * each]}" for number in range(count)]


def _symbol(text: str, quiet: int) -> Symbol:
    # Here, so that a ceremony without QR codes does not load it.
    import segno

    made = segno.make(text, error="l", mode="alphanumeric", micro=False)
    return tuple(tuple(bool(module) for module in row) for row in made.matrix_iter(border=quiet))


def _half(above: bool, below: bool) -> Run:
    if above == below:
        return " ", above
    return _UPPER_HALF, below


def _runs(cells: list[Run]) -> list[Run]:
    runs: list[Run] = []
    for text, is_reversed in cells:
        if runs and runs[-1][1] == is_reversed:
            runs[-1] = (runs[-1][0] + text, is_reversed)
        else:
            runs.append((text, is_reversed))
    return runs
