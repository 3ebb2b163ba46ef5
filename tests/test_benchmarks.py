"""The benchmarks are there to be run by hand; here their frame is, with made-up rows. Nothing that is timed is asserted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import page, picture, results
from benchmarks.curve import Curve, Point
from benchmarks.curves import CURVES
from benchmarks.results import Grown, Measured, Results
from benchmarks.row import Contest, Goal, Row, Took, contested, scored
from benchmarks.rows import ROWS

DOCS = Path(__file__).parent.parent / "docs"


@contextmanager
def twice_as_slow(size: int) -> Iterator[Contest]:
    yield Contest(lambda: Took(0.002 * size, 0.001), {"theirs": lambda: Took(0.001 * size, 0.001)})


GOALS = (Goal("theirs", "what they do", 2.5), Goal("absent", "a tool that is not here", None))
RATIO = Row("made-up", "A thing", GOALS, size=10, tiny=1, open=twice_as_slow)
OVER = Row("over", "Another", GOALS[:1], size=10, tiny=1, open=twice_as_slow, score="milliseconds over")
CURVE = Curve("grown", "Things", (10, 100), (10,), lambda sizes: (Point(size, 5.0, 4.0, 30.0) for size in sizes))


def measured() -> Results:
    rows = {row.name: Measured("2026-12-01", "a machine", 10, *contested(row, 10, 3)) for row in (RATIO, OVER)}
    return Results(rows, {"grown": Grown("2026-12-01", "a machine", list(CURVE.measure(CURVE.sizes)))})


def test_rows_and_curves_have_names_of_their_own_and_least_sizes() -> None:
    names = [*(row.name for row in ROWS), *(curve.name for curve in CURVES)]
    assert len(set(names)) == len(names)
    assert all(row.tiny <= row.size for row in ROWS)


def test_the_score_is_the_ratio_of_a_round_or_what_each_costs_over_it() -> None:
    kept = measured()
    ratio, over = (scored(row, 10, kept.rows[row.name].ours, kept.rows[row.name].theirs["theirs"]) for row in (RATIO, OVER))
    assert ratio.median == ratio.least == ratio.most == pytest.approx(2)
    assert over.median == pytest.approx(1)


def test_the_page_is_written_between_its_markers_from_what_was_kept(tmp_path: Path) -> None:
    results.write(tmp_path / "kept.json", measured())
    kept = results.read(tmp_path / "kept.json")
    text = (DOCS / "performance.md").read_text()
    (tmp_path / "page.md").write_text(text)
    page.write(tmp_path / "page.md", kept, [RATIO, OVER], [CURVE])
    written = (tmp_path / "page.md").read_text()
    assert "| A thing | what they do | **2.00** | ≤ 2.5 |" in written and "a tool that is not here | not on this machine" in written
    assert "**1.0 ms each** | ≤ 2.5 ms" in written and "      100        5.0        4.0    30.0" in written
    page.write(tmp_path / "page.md", results.read(DOCS / "performance.json"), ROWS, CURVES)
    assert (tmp_path / "page.md").read_text() == text, "docs/performance.md was not written from docs/performance.json"


def test_the_plots_are_pictures(tmp_path: Path) -> None:
    picture.draw_rows(tmp_path / "rows.png", measured(), [RATIO, OVER])
    picture.draw_curves(tmp_path / "curves.png", measured(), [CURVE])
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("rows.png", "curves.png"))
