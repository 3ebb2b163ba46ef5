"""The plots as PNG, drawn by typst, which is here for the report already."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import typst

from benchmarks.curve import Curve
from benchmarks.page import figure, lines_of
from benchmarks.results import Grown, Results
from benchmarks.row import Row

_OURS, _OVER, _GRID = 'rgb("#2f6f4f")', 'rgb("#b5482a")', 'rgb("#cccccc")'
_LEFT, _WIDE, _HIGH = 200, 240, 110
_TITLE = 420


def draw_rows(path: Path, results: Results, rows: Sequence[Row]) -> None:
    """A bar for each goal: our median as a share of it; the line is the goal."""
    found = [(row, goal, score) for row, goal, score in lines_of(results, rows) if score is not None and goal.most is not None]
    lines = [_page(_LEFT + _WIDE + 110, 16 * len(found) + 30)]
    for number, (row, goal, score) in enumerate(found):
        assert goal.most is not None
        top = 16 * number + 6
        share = max(score.median / goal.most, 0)
        lines.append(_text(0, top, f"{row.name} / {goal.against}"))
        lines.append(_box(_LEFT, top, min(share, 2) * _WIDE / 2, 9, _OURS if share <= 1 else _OVER))
        lines.append(_text(_LEFT + _WIDE + 6, top, f"{figure(row, score.median)} of {goal.most:g}"))
    lines.append(_box(_LEFT + _WIDE / 2, 0, 1, 16 * len(found) + 4, "black"))
    lines.append(_text(_LEFT + _WIDE / 2 - 10, 16 * len(found) + 8, "goal"))
    _compile(path, lines)


def draw_curves(path: Path, results: Results, curves: Sequence[Curve]) -> None:
    """One small plot for each curve: microseconds for each thing (dark) and MiB (pale) over their number, both axes logarithmic."""
    found = [(curve, results.curves[curve.name]) for curve in curves if curve.name in results.curves]
    lines = [_page(_TITLE, (_HIGH + 50) * len(found))]
    for number, (curve, grown) in enumerate(found):
        lines += _curve(curve, grown, (_HIGH + 50) * number)
    _compile(path, lines)


def _curve(curve: Curve, grown: Grown, top: float) -> Iterator[str]:
    yield _text(0, top, curve.what)
    yield _text(45 + _WIDE + 20, top + 16, "dark: microseconds")
    yield _text(45 + _WIDE + 20, top + 28, "pale: MiB")
    top += 16
    counts = [point.number for point in grown.points]
    values = [value for point in grown.points for value in (point.wall, point.memory) if value]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    first, last = math.log10(counts[0]), max(math.log10(counts[-1]), math.log10(counts[0]) + 1)

    def place(count: float, value: float) -> tuple[float, float]:
        across = (math.log10(count) - first) / (last - first)
        return 45 + across * _WIDE, top + _HIGH * (1 - (math.log10(value) - low) / (high - low))

    for power in range(low, high + 1):
        _, down = place(counts[0], 10**power)
        yield _box(45, down, _WIDE, 0.5, _GRID)
        yield _text(0, down - 4, f"{10**power:,g}")
    for count in counts:
        yield _text(place(count, 10**low)[0] - 8, top + _HIGH + 5, f"{count:,}")
    for colour, points in (
        (_OURS, [place(point.number, point.wall) for point in grown.points]),
        (f"{_OVER}.lighten(40%)", [place(point.number, point.memory) for point in grown.points if point.memory]),
    ):
        for (x, y), (to_x, to_y) in zip(points, points[1:], strict=False):
            yield f"#place(line(start: ({x}pt, {y}pt), end: ({to_x}pt, {to_y}pt), stroke: 1.5pt + {colour}))"
        for x, y in points:
            yield f"#place(dx: {x - 2}pt, dy: {y - 2}pt, circle(radius: 2pt, fill: {colour}))"


def _page(width: float, height: float) -> str:
    return f'#set page(width: {width + 20}pt, height: {height + 20}pt, margin: 10pt)\n#set text(size: 8pt, font: "DejaVu Sans Mono")'


def _text(x: float, y: float, text: str) -> str:
    return f"#place(dx: {x}pt, dy: {y}pt, [#{_quoted(text)}])"


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f"#place(dx: {x}pt, dy: {y}pt, rect(width: {width}pt, height: {height}pt, fill: {fill}))"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _compile(path: Path, lines: Sequence[str]) -> None:
    image = typst.compile("\n".join(lines).encode(), format="png", ppi=144, ignore_system_fonts=True)
    assert isinstance(image, bytes)
    path.write_bytes(image)
