"""Verifying a bundle as it holds more certificates, from the start of the process to the verdict, without the report's rendering."""

from collections.abc import Iterator, Sequence

from benchmarks.curve import Curve, Point
from benchmarks.factories import working_folder
from benchmarks.held import bundle_of
from benchmarks.row import median
from benchmarks.rows.verify_bundle import verifying
from benchmarks.starting import compiled, run

_ROUNDS = 3


def _measure(sizes: Sequence[int]) -> Iterator[Point]:
    with working_folder() as folder:
        environment = compiled(folder)
        for size in sizes:
            command = verifying(*bundle_of(folder, size))
            run(command, environment)
            took = median([run(command, environment) for _ in range(_ROUNDS)])
            yield Point(size, took.wall / size * 1e6, took.processor / size * 1e6, 0.0)


VERIFIED_CERTIFICATES = Curve(
    name="verified-certificates",
    what="A certificate of a bundle, verified with its lines of the transcript, start-up included",
    sizes=(10, 100, 1_000),
    tiny=(10,),
    measure=_measure,
)
