"""Text on paper: what people wrote in their own alphabets stands as they wrote it, as far as the paper's fonts have the letters.

On a screen nothing but ASCII is shown (`names.shown_text`): a console may have 256 glyphs. Paper has the fonts inside the typst
package, and those are the same on every machine.
"""

import re
import unicodedata
from collections.abc import Iterator

from ceremony.pki.names import scripts_in, shown_text

_RANGES = """
20-7E A1-AC AE-B4 B6-131 134-13E 141-148 14A-17E 180-1C3 1CD-1F0 1F4-24F 1E00-1E99 1E9E 1EA0-1EFF
370-373 375-377 37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3CF 400-482 48A-4FF 510-513 51A-51D
531-556 559-586 588-58A 5BE 5C0 5C3 5D0-5EA 5EF-5F4 60C 61B 61F 621-63A 641-64A 674 679-67B 67E-680 683-684
686-687 691 698 6A4 6A9 6AF 6BE 6CC 10D0-10FB 10FD-10FF
2010 2012-2016 2018-2022 2026 2030 2039-203A 20A0-20A7 20A9-20BF 2116 2190-2193
"""
PRINTABLE = frozenset(
    chr(code)
    for first, _, last in (part.partition("-") for part in _RANGES.split())
    for code in range(int(first, 16), int(last or first, 16) + 1)
)
"""The characters that the paper's fonts have, upright and bold: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic and Georgian
letters that need no combining mark, and punctuation (tests/report/test_glyphs.py sets every one of them)."""

_LETTERS = re.compile(r"[^\W\d_]+")
_LOOKS_LATIN = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеосрхуѕіјһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονρ" + "ı",
    "ABESIJKMHOPCTYXaeocpxysijhdqwABEZHIKMNOPTYXovp" + "i",
)  # fmt: skip


def printed_text(text: str) -> str:
    """`text` as it may stand on paper: what the fonts have as it is, all else as `shown_text` writes it.

    A word that mixes the letters of two alphabets is written out too, so that no letter passes for another. Twice is
    the same as once.
    """
    if text.isascii():
        return shown_text(text)
    mixed = {place for word in _LETTERS.finditer(text) if len(scripts_in(word.group())) > 1 for place in range(*word.span())}
    return "".join(
        character if character in PRINTABLE and place not in mixed else shown_text(character) for place, character in enumerate(text)
    )


def unprintable(text: str) -> Iterator[str]:
    """Why each line of `text` can't stand on paper as it is, in words that may be shown; nothing when it can."""
    for line in text.splitlines():
        if printed_text(line) == line:
            continue
        strange = sorted({character for character in line if character not in PRINTABLE})
        if strange:
            yield f"the paper's fonts do not have {', '.join(map(_named, strange))}"
        else:
            words = [word for word in _LETTERS.findall(line) if len(scripts_in(word)) > 1]
            yield f"letters of two alphabets stand in one word: {', '.join(map(shown_text, words))}"


def _named(character: str) -> str:
    name = unicodedata.name(character, "a character without a name")
    return f"U+{ord(character):04X} ({name})"


def look_of(name: str) -> str:
    """A name as the eye takes it: two names with the same look can't be told apart on paper, whatever letters they are of."""
    return " ".join(name.translate(_LOOKS_LATIN).split()).casefold()
