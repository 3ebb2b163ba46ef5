"""The line that counts up: on a terminal rewritten in place and taken away, elsewhere not there."""

import io
import sys

import pytest

from ceremony.commands.progress import progress_line


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_counts_up_and_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with pytest.raises(KeyboardInterrupt), progress_line("Devices at h\x1b[2J", 10) as count_up:
        count_up(9)
        count_up(10)
        raise KeyboardInterrupt
    written = screen.getvalue()
    assert written.split("\r")[1:-2] == [f"Devices at h\\u{{1B}}[2J: {count} of 10" for count in (0, 9, 10)]
    assert written.split("\r")[-2:] == [" " * len("Devices at h\\u{1B}[2J: 10 of 10"), ""]


@pytest.mark.parametrize(("stream", "total"), [(io.StringIO, 10), (Screen, 0)])
def test_elsewhere_and_for_nothing_there_is_none(monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], total: int) -> None:
    there = stream()
    monkeypatch.setattr(sys, "stderr", there)
    with progress_line("Devices", total) as count_up:
        count_up(5)
    assert there.getvalue() == ""
