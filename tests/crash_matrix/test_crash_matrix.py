"""A sample of the matrix: verbs that first-ceremony (tests/engine/test_crashes.py) does not have, cut before and after they were done."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash_matrix.__main__ import SCRIPTS
from tests.crash_matrix.cuts import Cuts
from tests.crash_matrix.ends import End, assert_right_end
from tests.crash_matrix.pace import Pace
from tests.crash_matrix.token_files import in_memory, read_store, write_store
from tests.room.held import rehearsed

SAMPLE = {
    "backup-token": {"take-token", "look-at-copy", "leave-token", "find-root"},
    "destroy-key": {"destroy-key", "list-objects"},
    "reshare": {"change-activation", "prove-activation"},
}


@pytest.mark.usefixtures("softhsm")
@pytest.mark.parametrize("name", SAMPLE)
def test_a_cut_around_each_verb_is_followed_to_one_right_end(name: str, place: Path) -> None:
    reached: set[tuple[str, str]] = set()

    def choose(points: int) -> Callable[[int, str], bool]:
        def takes(number: int, what: str) -> bool:
            words = what.split()
            new = (words[0], words[-1]) not in reached
            if words[-1] in SAMPLE[name] and words[0] in ("line", "before") and new:
                reached.add((words[0], words[-1]))
                return True
            return what.startswith("token: ") and not what.endswith("no user PIN yet")

        return takes

    tried = Cuts(_script(name), place, choose).held()
    assert {verb for when, verb in reached if when == "before"} == SAMPLE[name]
    assert len(reached) == 2 * len(SAMPLE[name])
    assert tried.wrong == []
    assert tried.points > 250


@pytest.mark.usefixtures("softhsm")
def test_a_second_signature_and_a_lost_key_would_be_noticed(place: Path) -> None:
    folder = place / "D"
    with in_memory(lambda what: None):
        rehearsed(folder, path=_script("root-generation"))
        end = End.of(folder)
        assert_right_end(folder, end, [])
        [token] = folder.glob("work/rehearsal/token/tokens/*.token")
        store = read_store(token)
        store.signed.append(store.signed[-1])
        write_store(token, store)
        with pytest.raises(AssertionError, match="was signed 2 times, 1 are in the record"):
            assert_right_end(folder, end, [])
        store.signed.pop()
        store.generated += 1
        write_store(token, store)
        with pytest.raises(AssertionError, match="2 keys were made, 1 are in the record"):
            assert_right_end(folder, end, [])
        store.generated -= 1
        store.pairs.clear()
        write_store(token, store)
        with pytest.raises(AssertionError, match="is not"):
            assert_right_end(folder, end, [])


def test_time_is_shared_evenly_and_no_kind_is_left_out() -> None:
    now = 0.0
    pace = Pace(100, 50, lambda: now)
    taken = []
    for number in range(1, 101):
        if pace.takes(number, f"line {number}, {'sealed' if number == 90 else 'confirmed'} x"):
            taken.append(number)
            now += 2
    assert 90 in taken
    assert 22 <= len(taken) <= 28
    assert all(Pace(100, None).takes(number, "x") for number in range(1, 101))


def _script(name: str) -> Path:
    return next(path for path in SCRIPTS if path.stem == name)
