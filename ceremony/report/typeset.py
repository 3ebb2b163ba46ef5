"""The report as an accessible PDF for archives (PDF/UA-1 and PDF/A-2a), set by typst from the template beside this file.

Only the fonts inside the typst package are used, and no date but that of the record, so that the same
content gives the same bytes on any machine with the same version of typst. A character that these fonts
do not have is refused by the PDF/UA rules, never left out.
"""

from datetime import datetime
from importlib.resources import files

import msgspec
import typst

from ceremony.errors import CeremonyError
from ceremony.report.blocks import NOT_BEGUN, Content

PAPERS = ("a4", "us-letter")


def render_pdf(content: Content, *, paper: str = "a4") -> bytes:
    """The report as PDF on paper of this size (one of PAPERS).

    Raises CeremonyError REPORT-PAPER, or REPORT-TYPESET when typst refuses or warns.
    """
    if paper not in PAPERS:
        raise CeremonyError("REPORT-PAPER", f"There is no paper {paper!r}.")
    template = (files("ceremony.report") / "report.typ").read_bytes()
    inputs = {"content": msgspec.json.encode(content).decode(), "not-begun": NOT_BEGUN, "paper": paper}
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
