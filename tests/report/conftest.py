"""The made-up ceremony, held once as a rehearsal and once in earnest."""

import pytest

from tests.report.made_up import MadeUp, hold


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    return hold(tmp_path_factory.mktemp("rehearsal"))


@pytest.fixture(scope="module")
def in_earnest(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    return hold(tmp_path_factory.mktemp("production"), rehearsal=False)
