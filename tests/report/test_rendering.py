"""HTML and PDF: sound, the same each time, and foreign text in them is only ever text."""

import os
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ceremony.errors import CeremonyError
from ceremony.report.blocks import Content, Paragraph
from ceremony.report.content import report_content
from ceremony.report.html import render_html
from ceremony.report.record import read_record
from ceremony.report.typeset import PAPERS, render_pdf
from ceremony.words import sha256_hex
from tests.report.made_up import SCRIPT, MadeUp, hold
from tests.report.pdf import pages_of
from tests.report.reading import ROOT, content_of

HOSTILE = "\x1b[31m\u202e<b>#panic(1)$*_`\\@</b>\xe9\u4e2d\n"


class _Elements(HTMLParser):
    """Refuses elements that are not closed in order, and what could run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "link", "iframe", "a", "form")
        assert all(name in ("lang", "charset", "http-equiv", "content", "name", "class", "scope", "aria-label") for name, _ in attrs)
        if tag not in ("meta", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _assert_sound(page: bytes) -> None:
    assert page.isascii()
    elements = _Elements()
    elements.feed(page.decode())
    elements.close()
    assert elements.open == []


def test_html_is_sound_and_fetches_nothing(held: MadeUp) -> None:
    page = render_html(content_of(held))
    _assert_sound(page)
    assert b"default-src 'none'" in unescape(page.decode()).encode()
    assert b"url(" not in page and b"@import" not in page


def _hostile(value: Any, key: str = "") -> Any:
    formed = {"kind", "sha256", "serial", "root_certificate_sha256", "purpose", "verb", "software", "public_key_sha256"}
    if isinstance(value, dict):
        return {name: _hostile(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_hostile(item, key) for item in value]
    return value + HOSTILE if isinstance(value, str) and key not in formed else value


def test_foreign_text_is_only_ever_text(held: MadeUp) -> None:
    lines = [line._replace(data=_hostile(line.data), actor=(line.actor or "x") + HOSTILE) for line in held.lines]
    script = SCRIPT.replace(b"Example Devices", "Example \\u001b\\u202e<b>#panic(1)</b> 中 Devices".encode()).replace(
        b"Kari", "Кари".encode()
    )
    lines[0].data["script"]["sha256"] = sha256_hex(script)
    content = report_content(script, lines, certificates={f"{ROOT}{HOSTILE}": held.certificates[ROOT]})
    page = render_html(content)
    _assert_sound(page)
    assert b"<b>" not in page
    assert rb"\u{1B}[31m\u{202E}" in page and rb"\u{4E2D}" in page
    assert b"&#1050;&#1072;&#1088;&#1080; Nordmann" in page
    assert render_pdf(content).startswith(b"%PDF")


def test_a_character_without_a_glyph_is_refused_not_left_out() -> None:
    content = Content(title="T", kind="K", mode="REHEARSAL", footer="", made_of="", blocks=(Paragraph("中"),))
    with pytest.raises(CeremonyError) as refused:
        render_pdf(content)
    assert refused.value.code == "REPORT-GLYPH"
    assert "U+4E2D (CJK UNIFIED IDEOGRAPH-4E2D)" in refused.value.what


def test_without_typst_it_says_how_to_get_it(held: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(CeremonyError) as refused:
        render_pdf(content_of(held))
    assert refused.value.code == "REPORT-NO-TYPST"
    assert "requirements/offline.txt" in refused.value.do_now


AGAIN = """
import sys
from pathlib import Path
from ceremony.report.content import report_content
from ceremony.report.html import render_html
from ceremony.report.typeset import render_pdf
from ceremony.transcript import read_lines
folder = Path(sys.argv[1])
lines = read_lines((folder / "transcript.jsonl").read_bytes())[0] if sys.argv[2] == "held" else []
certificates = {"root/example-root-g1.cert.pem": (folder / "root.der").read_bytes()} if lines else {}
content = report_content((folder / "script.toml").read_bytes(), lines, certificates=certificates)
sys.stdout.buffer.write(render_html(content) + render_pdf(content))
"""


@pytest.mark.parametrize("state", ["held", "not held"])
def test_the_same_record_gives_the_same_bytes(tmp_path: Path, state: str) -> None:
    held = hold(tmp_path)
    (tmp_path / "script.toml").write_bytes(held.script)
    (tmp_path / "root.der").write_bytes(held.certificates[ROOT])
    made = []
    for seed, zone, place in (("1", "UTC", tmp_path), ("2", "Pacific/Auckland", Path("/"))):
        environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(Path(__file__).parents[2])}
        run = subprocess.run([sys.executable, "-c", AGAIN, tmp_path, state], capture_output=True, check=True, cwd=place, env=environment)
        made.append(run.stdout)
    content = content_of(held) if state == "held" else report_content(held.script, [], certificates={})
    assert made[0] == made[1] == render_html(content) + render_pdf(content)


@pytest.mark.parametrize("paper", PAPERS)
def test_the_pdf_is_tagged_and_says_on_every_page_what_it_is(held: MadeUp, in_earnest: MadeUp, paper: str) -> None:
    for made_up, mode in ((held, "REHEARSAL"), (in_earnest, "PRODUCTION")):
        pdf = render_pdf(content_of(made_up), paper=paper)
        assert b"/MarkInfo" in pdf
        pages = pages_of(pdf)
        assert len(pages) > 5
        assert all(page.startswith(mode) for page in pages)
        fingerprint = read_record(made_up.script, made_up.lines).announced
        assert fingerprint is not None
        assert all(fingerprint.sha256 in page for page in pages)


def test_papers_that_there_are_not_are_refused(held: MadeUp) -> None:
    with pytest.raises(CeremonyError) as refused:
        render_pdf(content_of(held), paper="a5")
    assert refused.value.code == "REPORT-PAPER"


def test_no_date_but_that_of_the_record_stands_in_the_pdf(held: MadeUp) -> None:
    last = held.lines[-1].time.translate({ord(mark): None for mark in "-:TZ"}).encode()
    assert set(re.findall(rb"\(D:(\d+)Z?\)", render_pdf(content_of(held)))) == {last}
    assert re.findall(rb"\(D:|xmp:\w+Date", render_pdf(report_content(SCRIPT, [], certificates={}))) == []
