"""Device certificates, P-256 in software, by the whole command: its start is in it, so the cost of each falls to what one more costs."""

from collections.abc import Iterator, Sequence

from benchmarks.curve import Curve, Point
from benchmarks.factories import in_file, working_folder
from benchmarks.issuing import command


def _measure(sizes: Sequence[int]) -> Iterator[Point]:
    with working_folder() as folder:
        factory = in_file(folder, "ec:secp256r1")
        for size in sizes:
            took, memory = command(factory, folder / f"out-{size}", "--count", str(size), "--prefix", "dev-")
            yield Point(size, took.wall / size * 1e6, took.processor / size * 1e6, memory)


DEVICE_GROWTH = Curve(
    name="device-growth",
    what="Device certificates by `ceremony factory issue`, start-up included, P-256 in software",
    sizes=(10, 100, 1_000, 10_000, 100_000),
    tiny=(10,),
    measure=_measure,
)
