"""The report as one HTML file: no script, nothing fetched, the style inside."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

from ceremony.report.blocks import (
    NOT_BEGUN,
    Block,
    Box,
    Content,
    Digest,
    Event,
    Facts,
    Happened,
    Heading,
    Listing,
    Paragraph,
    StepTaken,
    Table,
    Typed,
)


def render_html(content: Content) -> bytes:
    """The report as HTML (UTF-8). The same content gives the same bytes."""
    style = _style()
    policy = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    title = f"{content.mode}: {content.title}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f'<p class="mode">{escape(content.mode)}</p>',
        "<main>",
        f'<p class="kind">{escape(content.kind)}</p>',
        f"<h1>{escape(content.title)}</h1>",
        *(line for block in content.blocks for line in _block(block)),
        "</main>",
        f"<footer>{escape(content.mode)}. {escape(content.footer)}</footer>",
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(parts).encode()


@cache
def _style() -> str:
    return (files("ceremony.report") / "report.css").read_text()


def _block(block: Block) -> Iterable[str]:
    match block:
        case Heading(text, level):
            yield f"<h{level + 1}>{escape(text)}</h{level + 1}>"
        case Paragraph(text):
            yield f"<p>{escape(text)}</p>"
        case Box(title, lines):
            yield f'<div class="box"><p><strong>{escape(title)}</strong></p>'
            yield from (f"<p>{escape(line)}</p>" for line in lines)
            yield "</div>"
        case Facts(rows):
            yield from _facts(rows)
        case Digest(label, groups, words):
            yield f'<div class="digest"><p>{escape(label)}</p>'
            yield f"<pre>{escape(_lines(groups))}</pre><pre>{escape(_lines(words))}</pre></div>"
        case Typed(label, lines):
            yield f'<div class="box typed"><p><strong>{escape(label)}</strong></p><pre>{escape(_lines(lines))}</pre></div>'
        case Table():
            yield from _table(block)
        case Listing(lines):
            yield f"<pre>{escape(_lines(lines))}</pre>"
        case StepTaken():
            yield from _step(block)
        case Happened(events):
            yield from _events(events)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _facts(rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    yield '<table class="facts">'
    yield from (f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(value)}</code></td></tr>' for name, value in rows)
    yield "</table>"


def _table(table: Table) -> Iterable[str]:
    yield '<table class="by-hand">' if table.by_hand else "<table>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns) + "</tr></thead>"
    for row in table.rows:
        cells = (f"<code>{escape(cell)}</code>" if place in table.data else escape(cell) for place, cell in enumerate(row))
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</table>"


def _step(step: StepTaken) -> Iterable[str]:
    yield f"<h3>{escape(step.title)}</h3>"
    yield '<div class="step"><div><h4>As written</h4>'
    yield from _facts(step.written)
    if step.say:
        yield "<blockquote>" + "".join(f"<p>{escape(line)}</p>" for line in step.say) + "</blockquote>"
    yield "</div><div><h4>As it happened</h4>"
    if step.by_hand:
        yield from _facts((label, "") for label in step.by_hand)
    elif step.events:
        yield from _events(step.events)
    else:
        yield f"<p>{NOT_BEGUN}</p>"
    yield "</div></div>"


def _events(events: Iterable[Event]) -> Iterable[str]:
    yield '<ol class="events">'
    for event in events:
        trouble = ' class="trouble"' if event.trouble else ""
        yield f"<li{trouble}><code>#{event.seq} {escape(event.time)}</code> {escape(event.who)}: <strong>{escape(event.text)}</strong>"
        if event.details:
            yield f"<pre>{escape(_lines(event.details))}</pre>"
        yield "</li>"
    yield "</ol>"
