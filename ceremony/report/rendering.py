"""The renderings that a bundle holds, from its script and its transcript alone."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from ceremony.errors import CeremonyError
from ceremony.report.content import report_content
from ceremony.report.html import render_html
from ceremony.report.typeset import render_pdf
from ceremony.transcript import Line, read_lines

HTML, PDF = "record/report.html", "record/report.pdf"


def reports_of(script: bytes, transcript: bytes) -> Mapping[str, bytes]:
    """report.html and report.pdf of a record (bytes of its script and of its transcript), by their path in the bundle."""
    lines, _ = read_lines(transcript)
    content = report_content(script, lines, certificates=certificates_in(lines))
    return {HTML: render_html(content), PDF: render_pdf(content)}


def reports_of_bundle(bundle: Path) -> Mapping[str, bytes]:
    """The same from a bundle's own script and transcript, for `verify` to compare with what stands beside them."""
    return reports_of((bundle / "record" / "script.toml").read_bytes(), (bundle / "record" / "transcript.jsonl").read_bytes())


def rendered(script: bytes, transcript: bytes, suffix: str, paper: str = "a4") -> bytes:
    """One rendering, by the ending of the file it goes to: .pdf (on `paper`) or .html. Raises CeremonyError USAGE for another."""
    lines, _ = read_lines(transcript)
    content = report_content(script, lines, certificates=certificates_in(lines))
    if suffix == ".html":
        return render_html(content)
    if suffix == ".pdf":
        return render_pdf(content, paper=paper)
    raise CeremonyError("USAGE", f"A report is a .pdf or a .html, not {suffix or 'without an ending'}.")


def certificates_in(lines: Sequence[Line]) -> dict[str, bytes]:
    """The certificates (DER) that the record's own lines hold as they were written, by their path in the bundle."""
    found = {}
    for line in lines:
        if line.type == "intent" and line.data["verb"] == "write-artifact" and line.data["args"]["path"].endswith(".cert.pem"):
            body = "".join(line.data["args"]["pem"].splitlines()[1:-1])
            found[line.data["args"]["path"]] = base64.b64decode(body)
    return found
