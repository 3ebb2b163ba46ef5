"""The page docs/performance.md: its tables and plots as text, written between their markers; all else in it is written by people."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.curve import Curve
from benchmarks.results import Results
from benchmarks.row import Goal, Row, Scored, Took, scored

_BAR = 40
"""Characters from nothing to the goal; a bar ends at twice that."""


def write(path: Path, results: Results, rows: Sequence[Row], curves: Sequence[Curve]) -> None:
    """Writes both tables anew. Raises ValueError when the page has no place for them."""
    page = path.read_text()
    for name, lines in (("rows", _rows(results, rows)), ("curves", _curves(results, curves))):
        begin, end = f"<!-- {name}: written by make bench -->", f"<!-- end of {name} -->"
        before, found_begin, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise ValueError(f"{path} has no place for the {name}")
        page = "\n".join([before + begin, *lines, end + after])
    path.write_text(page)


def lines_of(results: Results, rows: Sequence[Row]) -> Iterator[tuple[Row, Goal, Scored | None]]:
    """Every goal of every row that was measured; None for what was not on the machine."""
    for row in rows:
        measured = results.rows.get(row.name)
        for goal in row.goals if measured else ():
            assert measured is not None
            rounds = measured.theirs.get(goal.against)
            yield row, goal, scored(row, measured.size, measured.ours, rounds) if rounds else None


def figure(row: Row, value: float) -> str:
    """A score as it is told."""
    return f"{value:.2f}" if row.score == "ratio" else f"{value:.1f} ms each"


def _rows(results: Results, rows: Sequence[Row]) -> Iterator[str]:
    yield "| what | against | median | goal | spread | by processor time | ours: seconds (processor) | theirs | rounds, day, load |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row, goal, score in lines_of(results, rows):
        measured = results.rows[row.name]
        most = "" if goal.most is None else f"≤ {goal.most:g}{'' if row.score == 'ratio' else ' ms'}"
        if score is None:
            yield f"| {row.what} | {goal.words} | not on this machine | {most} | | | | | |"
            continue
        found = f"**{figure(row, score.median)}**" if goal.most is not None else figure(row, score.median)
        spread = f"{score.least:.2f} to {score.most:.2f}"
        processor = f"{score.ours.processor / score.theirs.processor:.2f}" if row.score == "ratio" and score.theirs.processor else ""
        when = f"{len(measured.ours)}, {measured.day}{'' if measured.load is None else f', {measured.load:g}'}"
        sides = f"{_took(score.ours)} | {_took(score.theirs)}"
        yield f"| {row.what} | {goal.words} | {found} | {most} | {spread} | {processor} | {sides} | {when} |"
    yield ""
    yield "The medians beside their goals; `|` is the goal:"
    yield "```text"
    for row, goal, score in lines_of(results, rows):
        if score is not None and goal.most is not None:
            yield f"{row.name + ' / ' + goal.against:<44}{_bar(score.median / goal.most)} {figure(row, score.median)} of {goal.most:g}"
    yield "```"
    yield from (f"Measured on {machine}." for machine in sorted({one.machine for one in results.rows.values()}))


def _took(took: Took) -> str:
    return f"{took.wall:.3g} ({took.processor:.3g})"


def _bar(share: float) -> str:
    length = min(round(max(share, 0) * _BAR), 2 * _BAR)
    drawn = f"{'#' * length:<{2 * _BAR}}"
    return f"{drawn[:_BAR]}|{drawn[_BAR:]}".rstrip()


def _curves(results: Results, curves: Sequence[Curve]) -> Iterator[str]:
    for curve in curves:
        if curve.name not in results.curves:
            continue
        grown = results.curves[curve.name]
        yield f"**{curve.what}** ({grown.day})"
        yield "```text"
        yield f"{'number':>9} {'us each':>10} {'processor':>10} {'MiB':>7}"
        most = max(point.wall for point in grown.points)
        for point in grown.points:
            memory = f"{point.memory:7.1f}" if point.memory else f"{'':7}"
            bar = "#" * round(point.wall / most * _BAR)
            yield f"{point.number:9,} {point.wall:10,.1f} {point.processor:10,.1f} {memory} {bar}"
        yield "```"
