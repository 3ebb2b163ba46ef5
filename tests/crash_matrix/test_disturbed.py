"""A sample of `make crash-matrix DISTURB=1`, in the smallest ceremony: four sorts of trouble, and one that would be found."""

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from tests.crash_matrix.__main__ import SCRIPTS
from tests.crash_matrix.cuts import Tried
from tests.crash_matrix.disturbed import Disturbed

ROOT_GENERATION = next(path for path in SCRIPTS if path.stem == "root-generation")
SAMPLE = {
    "the folder's disk has room for lines alone": ("mkdir bundles/.1.partial/record", "flush bundles"),
    "the medium is pulled": (
        "open work/rehearsal/outbox/.rehearsal-example-root-generation-1.partial/manifest.json",
        "rename work/rehearsal/outbox/rehearsal-example-root-generation-1",
    ),
    "the token is pulled in a call": ("generate_key", "sign"),
    "the clock is set back before it is resumed": ("generate-key",),
}


def struck(kind: str, wanted: tuple[str, ...], place: Path) -> Tried:
    def choose(points: int) -> Callable[[int, str], bool]:
        return lambda number, what: what in wanted

    return Disturbed(ROOT_GENERATION, kind, place, choose).held()


@pytest.mark.usefixtures("softhsm")
@pytest.mark.parametrize("kind", SAMPLE)
def test_a_trouble_is_told_and_the_ceremony_comes_to_its_one_end(kind: str, place: Path) -> None:
    tried = struck(kind, SAMPLE[kind], place)
    assert tried.wrong == []
    assert tried.cut == len(SAMPLE[kind]) and tried.points > 10


@pytest.mark.usefixtures("softhsm")
def test_what_is_left_half_copied_on_a_medium_would_be_found(place: Path) -> None:
    kind = "the medium is full"
    name = "open work/rehearsal/outbox/.rehearsal-example-root-generation-1.partial/manifest.json"
    with mock.patch("ceremony.machine.media.shutil.rmtree"):
        tried = struck(kind, (name,), place)
    assert len(tried.wrong) == 1 and kind in tried.wrong[0]
