"""The signing step of a root ceremony, per intermediate. A request holds at most 64 KiB of names and digests, which ends it below 200."""

from collections.abc import Iterator, Sequence

from benchmarks.ceremonies import rehearse
from benchmarks.curve import Curve, Point
from benchmarks.factories import working_folder


def _measure(sizes: Sequence[int]) -> Iterator[Point]:
    with working_folder() as folder:
        for size in sizes:
            took = rehearse(folder / f"ceremony-{size}", size)
            yield Point(size, took.wall / size * 1e6, took.processor / size * 1e6, 0)


ROOT_GROWTH = Curve(
    name="root-growth",
    what="Intermediates signed by a root, batches of 25, P-384 on SoftHSM",
    sizes=(5, 25, 75, 150),
    tiny=(2,),
    measure=_measure,
)
