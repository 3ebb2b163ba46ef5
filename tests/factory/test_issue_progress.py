"""How far an order is, and how it is stopped."""

import io
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from ceremony.commands.factory_issue import stoppable
from ceremony.commands.factory_progress import Progress, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    times = [100.0]
    monkeypatch.setattr("ceremony.commands.factory_progress.time.monotonic", lambda: times[0])
    yield times


def test_a_bar_on_a_terminal_of_eighty_columns_that_is_taken_away(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    progress = Progress(10_000)
    for made in (250, 5_000):
        clock[0] += 5
        progress.tell(made)
    clock[0] += 0.01
    progress.tell(5_250)
    progress.end()
    first, second, away = [text for text in screen.getvalue().split("\r") if text]
    assert first.rstrip() == "[..............................] 250 of 10,000, 50/s, 3 min 15 s left"
    assert second.rstrip() == "[###############...............] 5,000 of 10,000, 500/s, 10 s left"
    assert {len(first), len(second), len(away)} == {79} and not away.strip()


def test_elsewhere_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    progress = Progress(1_000)
    for made in range(100, 1_001, 100):
        clock[0] += 4
        progress.tell(made)
    progress.end()
    assert written.getvalue() == "300 of 1,000, 25/s, 28 s left\n600 of 1,000, 25/s, 16 s left\n900 of 1,000, 25/s, 4 s left\n"
    assert progress_line(0, 10, 0) == "0 of 10"


def test_the_first_signal_is_noted_and_the_second_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), stoppable() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM] and "Stopping" in capsys.readouterr().err
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
