"""Names in their own letters: printed right, or refused before anybody is in the room."""

import re
import unicodedata

import pytest

from ceremony.errors import CeremonyError
from ceremony.pki.printed import PRINTABLE, look_of, printed_text, unprintable
from ceremony.report.blocks import Box, Content, Facts, Paragraph
from ceremony.report.content import report_content
from ceremony.report.typeset import render_pdf
from ceremony.script import read_script
from ceremony.shipped import path_of
from tests.credentials import credential
from tests.report.made_up import SCRIPT
from tests.report.pdf import running_text, solid

NAMES = (
    "K\u00e5re M\u00fcller-Stra\u00dfe", "\u0141ukasz \u017b\u00f3\u0142\u0107", "Nguy\u1ec5n Th\u1ecb H\u1ed3ng",
    "\u041e\u043b\u044c\u0433\u0430 \u0429\u0443\u043a\u0438\u043d\u0430", "\u039f\u03bb\u03c5\u03bc\u03c0\u03af\u03b1",
    "\u0531\u0580\u0561\u0574", "\u10d2\u10d8\u10dd\u10e0\u10d2\u10d8",
)  # fmt: skip
RIGHT_TO_LEFT = ("\u05d0\u05d1\u05e8\u05d4\u05dd \u05db\u05d4\u05df", "\u0645\u062d\u0645\u062f \u0639\u0628\u062f")


def test_every_character_said_to_be_printable_is_in_the_fonts() -> None:
    """Upright and bold, in text and in data: typst refuses what it has no glyph for."""
    every = "\u00b7".join(sorted(PRINTABLE))
    content = Content("T", "K", "REHEARSAL", every, "", (Paragraph(every), Box(every, (every,)), Facts(((every, every),))))
    # Not by the check before typst, which these pass by their own table.
    assert render_pdf(content).startswith(b"%PDF")
    assert all(unicodedata.normalize("NFC", character) == character for character in PRINTABLE)


def test_names_are_printed_as_they_are_written() -> None:
    alternates = ", ".join(f'{{ name = "{name}", credential = "{credential(name)}" }}' for name in NAMES[1:])
    script = SCRIPT.decode().replace('"Kari Nordmann"', f'"{NAMES[0]}"')
    script = re.sub(r"^alternates = .*$", f"alternates = [{alternates}]", script, flags=re.MULTILINE)
    content = report_content(script.encode(), [], certificates={})
    text = running_text(render_pdf(content))
    assert [name for name in NAMES if solid(name) not in text] == []


def test_right_to_left_names_have_all_their_letters() -> None:
    """How a library puts visual order into text differs; that each letter is there, and none is another, does not."""
    text = running_text(render_pdf(Content("T", "K", "M", "", "", (Paragraph(" / ".join(RIGHT_TO_LEFT)),))))
    assert set("".join(RIGHT_TO_LEFT)) - {" "} <= set(unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize(
    ("written", "shown", "why"),
    [
        ("Kari", "Kari", None),
        ("\u0410\u043d\u043d\u0430 M\u00fcller", "\u0410\u043d\u043d\u0430 M\u00fcller", None),
        ("K\u0430ri", "K\\u{430}ri", "letters of two alphabets stand in one word: K\\u{430}ri"),
        ("\u4e2d", "\\u{4E2D}", "U+4E2D (CJK UNIFIED IDEOGRAPH-4E2D)"),
        ("e\u0301", "e\\u{301}", "U+0301 (COMBINING ACUTE ACCENT)"),
        ("Kari\u202e", "Kari\\u{202E}", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("Kari\u200f", "Kari\\u{200F}", "U+200F (RIGHT-TO-LEFT MARK)"),
        ("\U0001f511", "\\u{1F511}", "U+1F511 (KEY)"),
        ("\x1b[2J", "\\u{1B}[2J", "U+001B (a character without a name)"),
    ],
)  # fmt: skip
def test_what_paper_cannot_show_is_written_out_and_refused_in_a_script(written: str, shown: str, why: str | None) -> None:
    assert printed_text(written) == shown == printed_text(shown)
    assert [why in told for told in unprintable(written)] == [True] if why else [*unprintable(written)] == []


@pytest.mark.parametrize("name", ["Eva \u4e2d", "Eva\u200f Lund", "Evae\u0301", "Ev\u0430 Lund"])
def test_a_script_with_such_a_name_is_refused(name: str) -> None:
    script = path_of("root-generation").read_bytes().replace(b'"Eva Lund"', f'"{name}"'.encode())
    with pytest.raises(CeremonyError) as refused:
        read_script(script)
    assert refused.value.code == "SCRIPT-INVALID"
    assert "participants[" in refused.value.what and ".name: can't be printed" in refused.value.what


def test_two_names_that_look_the_same_are_refused() -> None:
    """All Cyrillic, and not to be told from the Latin name beside it."""
    assert look_of("\u0420\u0435\u0440") == look_of("Pep")
    script = path_of("root-generation").read_bytes().replace(b'"Eva Lund"', b'"Pep Oca"')
    script = script.replace(b'"Nils Berg"', '"\u0420\u0435\u0440 \u041e\u0441\u0430"'.encode())
    with pytest.raises(CeremonyError) as refused:
        read_script(script)
    assert "or what looks the same, stands in two places" in refused.value.what
