import fcntl
import io
import os
import struct
import termios

import pytest

from ceremony.machine.terminal import problem_with_terminal

GOOD = {"TERM": "linux"}


@pytest.fixture
def terminal():
    """Opens a real pseudo-terminal of the size, with the character set."""
    opened = []

    def make(columns=80, lines=24, encoding="utf-8"):
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        stream = io.TextIOWrapper(os.fdopen(slave, "wb", buffering=0), encoding=encoding, write_through=True)
        opened.append((master, stream))
        return stream

    yield make
    for master, stream in opened:
        stream.close()
        os.close(master)


def test_the_bare_linux_console_will_do(terminal):
    assert problem_with_terminal(terminal(), terminal(), GOOD) is None
    assert problem_with_terminal(terminal(), terminal(132, 50, "UTF8"), {"TERM": "xterm"}) is None


@pytest.mark.parametrize("environ", [{}, {"TERM": ""}, {"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_of_no_known_kind_is_refused(terminal, environ):
    problem = problem_with_terminal(terminal(), terminal(), environ)
    assert problem is not None
    assert problem.code == "TERMINAL-DUMB"
    assert "export TERM=linux" in problem.do_now


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_another_character_set_is_refused(terminal, encoding):
    problem = problem_with_terminal(terminal(), terminal(encoding=encoding), GOOD)
    assert problem is not None
    assert (problem.code, "export LC_ALL=C.UTF-8" in problem.do_now) == ("TERMINAL-NOT-UTF-8", True)


@pytest.mark.parametrize(("columns", "lines", "typed"), [(79, 24, "printf"), (80, 23, "printf"), (0, 0, "stty cols 80 rows 24")])
def test_a_small_terminal_is_refused(terminal, columns, lines, typed):
    problem = problem_with_terminal(terminal(), terminal(columns, lines), GOOD)
    assert problem is not None
    assert (problem.code, problem.exit_code) == ("TERMINAL-TOO-SMALL", 2)
    assert typed in problem.do_now


def test_what_is_no_terminal_is_refused(terminal, tmp_path):
    with (tmp_path / "file").open("w+") as file:
        for stdin, screen in ((file, terminal()), (terminal(), file)):
            problem = problem_with_terminal(stdin, screen, GOOD)
            assert problem is not None
            assert problem.code == "TERMINAL-MISSING"
