"""How the tests read a report."""

import re
from dataclasses import replace
from html import unescape

from ceremony.report.blocks import Content
from ceremony.report.content import report_content
from ceremony.report.html import render_html
from tests.report.made_up import MadeUp

ROOT = "root/example-root-g1.cert.pem"


def content_of(made_up: MadeUp) -> Content:
    return report_content(made_up.script, made_up.lines, certificates=made_up.certificates)


def text_of(content: Content) -> str:
    """What a reader of the HTML sees, a space between any two elements."""
    page = re.sub(r"<style>.*?</style>", "", render_html(content).decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def up_to(made_up: MadeUp, type: str) -> MadeUp:
    """The ceremony as it stood at the last line of this type."""
    last = max(line.seq for line in made_up.lines if line.type == type)
    return replace(made_up, lines=made_up.lines[:last])
