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
    DigestByHand,
    Event,
    Facts,
    Happened,
    Heading,
    Listing,
    NewPage,
    Paragraph,
    Sheet,
    StepTaken,
    StepToTake,
    Table,
    Timeline,
    Tree,
    Typed,
)


def render_html(content: Content) -> bytes:
    """The report as HTML, in ASCII: letters of other alphabets are references. The same content gives the same bytes."""
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
    return "\n".join(parts).encode("ascii", "xmlcharrefreplace")


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
        case NewPage():
            yield "<hr>"
        case DigestByHand(label):
            yield f'<div class="box"><p><strong>{escape(label)}</strong></p>'
            yield from _boxes("64 hex digits, four to a box", 16)
            yield from _boxes("or 32 words", 32)
            yield "</div>"
        case Sheet(title, fields):
            yield f"<h4>{escape(title)}</h4>"
            yield '<table class="facts by-hand">'
            yield from (f'<tr><th scope="row" class="lines-{lines}">{escape(label)}</th><td></td></tr>' for label, lines in fields)
            yield "</table>"
        case StepToTake():
            yield from _step_to_take(block)
        case StepTaken():
            yield from _step_taken(block)
        case Tree(alternative, nodes):
            yield f'<ul class="tree" aria-label="{escape(alternative)}">'
            for node in nodes:
                told = escape(_lines(node.lines))
                yield f'<li class="depth-{min(node.depth, 1)}"><strong>{escape(node.title)}</strong><pre>{told}</pre></li>'
            yield "</ul>"
        case Timeline(alternative, bars):
            yield f'<table class="timeline" aria-label="{escape(alternative)}">'
            for bar in bars:
                drawn = _drawn(bar.start, bar.end, "/" if bar.trouble else "#")
                yield f'<tr><th scope="row">{escape(bar.label)}</th><td><pre>{drawn}</pre></td>'
                yield f"<td><code>{escape(bar.times)}</code></td></tr>"
            yield "</table>"
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


def _boxes(label: str, count: int) -> Iterable[str]:
    columns = 8 if count == 16 else 4
    yield f'<p>{escape(label)}</p><table class="by-hand">'
    for first in range(1, count + 1, columns):
        yield "<tr>" + "".join(f"<td><code>{number}</code></td>" for number in range(first, first + columns)) + "</tr>"
    yield "</table>"


_BAR_LENGTH = 50


def _drawn(start: int, end: int, mark: str) -> str:
    """A bar in characters: `start` and `end` in thousandths."""
    before = min(start * _BAR_LENGTH // 1000, _BAR_LENGTH - 1)
    long = max((end - start) * _BAR_LENGTH // 1000, 1)
    return "." * before + mark * long + "." * (_BAR_LENGTH - before - long)


def _said(lines: Iterable[str]) -> Iterable[str]:
    if lines:
        yield "<blockquote>" + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</blockquote>"


def _step_to_take(step: StepToTake) -> Iterable[str]:
    yield f"<h3>{step.number}. {escape(step.title)}</h3>"
    yield '<div class="step"><div>'
    yield from _said(step.say)
    yield from _facts(step.written)
    head = "".join(f'<th scope="col">{column}</th>' for column in ("Who", "Time (UTC)", "Initials"))
    yield f'</div><div><table class="by-hand"><thead><tr>{head}</tr></thead>'
    yield from (f"<tr><td><code>{escape(who)}</code> {escape(what)}</td><td></td><td></td></tr>" for who, what in step.people)
    yield "</table>"
    yield '<table class="facts by-hand">'
    yield from (f'<tr><th scope="row">{escape(label)}</th><td></td></tr>' for label in step.blanks)
    yield "</table></div></div>"


def _step_taken(step: StepTaken) -> Iterable[str]:
    yield f"<h3>{step.number}. {escape(step.title)}</h3><p><code>{escape(step.when)}</code></p>"
    yield '<div class="step"><div><h4>As written</h4>'
    yield from _said(step.say)
    yield from _facts(step.written)
    yield "</div><div><h4>As it happened</h4>"
    if step.events:
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
