"""`python -m benchmarks`: measures the rows and the curves, and writes docs/performance.md and its plots."""

import argparse
import datetime as dt
import os
import sys
import time
from pathlib import Path

from benchmarks import machine, page, picture, results
from benchmarks.curves import CURVES
from benchmarks.row import contested
from benchmarks.rows import ROWS

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Measures what was asked for; what was measured earlier stays as it is."""
    names = [*(row.name for row in ROWS), *(curve.name for curve in CURVES)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="NAME", help="rows and curves: " + " ".join(names))
    parser.add_argument("--rounds", type=int, help="rounds of each row; one more goes before, uncounted")
    parser.add_argument("--size", type=int, help="how many things one run makes, in place of the row's own number")
    parser.add_argument("--tiny", action="store_true", help="one round of the least size, to see that all runs; nothing is kept")
    parser.add_argument("--docs", type=Path, default=DOCS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    day, where = dt.datetime.now(dt.UTC).date().isoformat(), machine.in_words()
    for row in ROWS:
        if row.name in args.rows:
            began, load = time.monotonic(), round(os.getloadavg()[0], 1)
            size, rounds = (row.tiny, 1) if args.tiny else (args.size or row.size, args.rounds or row.rounds)
            ours, theirs = contested(row, size, rounds)
            measured = results.Results(rows={row.name: results.Measured(day, where, size, ours, theirs, load)})
            for _, goal, score in page.lines_of(measured, [row]):
                told = "not on this machine" if score is None else f"{page.figure(row, score.median)} (goal {goal.most or '-'})"
                print(f"{row.name} / {goal.against}: {told}", flush=True)
            print(f"  {time.monotonic() - began:.0f} s in all", file=sys.stderr)
            if not args.tiny:
                write(args.docs, measured)
    for curve in CURVES:
        if curve.name in args.rows:
            points = []
            for point in curve.measure(curve.tiny if args.tiny else curve.sizes):
                points.append(point)
                print(f"{curve.name} at {point.number:,}: {point.wall:.1f} us each, {point.memory:.0f} MiB", flush=True)
            if not args.tiny:
                write(args.docs, results.Results(curves={curve.name: results.Grown(day, where, points)}))


def write(docs: Path, measured: results.Results) -> None:
    """Puts what was measured to what was kept before, and writes the page and its plots anew."""
    kept = results.read(docs / "performance.json")
    kept.rows |= measured.rows
    kept.curves |= measured.curves
    results.write(docs / "performance.json", kept)
    page.write(docs / "performance.md", kept, ROWS, CURVES)
    picture.draw_rows(docs / "pictures" / "performance.png", kept, ROWS)
    picture.draw_curves(docs / "pictures" / "growth.png", kept, CURVES)


if __name__ == "__main__":
    main()
