"""The report as an accessible PDF for archives (PDF/UA-1 and PDF/A-2a), set by typst from the template beside this file.

Only the fonts inside the typst package are used, and no date but that of the record, so that the same
content gives the same bytes on any machine with the same version of typst. A character that these fonts
do not have is refused by its name, never left out and never a box.
"""

from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from typing import Any

import msgspec

from ceremony.errors import CeremonyError
from ceremony.pki.printed import unprintable
from ceremony.report.blocks import NOT_BEGUN, Content

PAPERS = {"a4": "a4", "letter": "us-letter"}
"""The sizes of paper, and typst's names for them."""


def render_pdf(content: Content, *, paper: str = "a4") -> bytes:
    """The report as PDF on paper of this size (one of PAPERS).

    Raises CeremonyError REPORT-PAPER, REPORT-GLYPH for a character that the fonts do not have, REPORT-NO-TYPST where
    the package is not installed, or REPORT-TYPESET when typst refuses or warns.
    """
    if paper not in PAPERS:
        raise CeremonyError("REPORT-PAPER", f"There is no paper {paper!r}.")
    try:
        import typst
    except ImportError as missing:
        raise CeremonyError("REPORT-NO-TYPST", "The package typst, which sets the PDF, is not installed.") from missing
    built = msgspec.to_builtins(content)
    for text in _texts(built):
        for why in unprintable(text):
            raise CeremonyError("REPORT-GLYPH", f"A text can't be set: {why}.")
    template = (files("ceremony.report") / "report.typ").read_bytes()
    inputs = {"content": msgspec.json.encode(built).decode(), "not-begun": NOT_BEGUN, "paper": PAPERS[paper]}
    made_of = datetime.fromisoformat(content.made_of) if content.made_of else None
    try:
        pdf, warnings = typst.compile_with_warnings(
            template,
            sys_inputs=inputs,
            ignore_system_fonts=True,
            format="pdf",
            # PDF/A wants a date, and a script that was not held yet has none.
            pdf_standards=["ua-1", "a-2a"] if made_of else ["ua-1"],
            timestamp=made_of,
        )
    except typst.TypstError as refused:
        raise CeremonyError("REPORT-TYPESET", f"The PDF could not be set: {refused}.") from refused
    if warnings:
        raise CeremonyError("REPORT-TYPESET", f"The PDF could not be set without a warning: {warnings[0]}.")
    return bytes(pdf)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
