"""What the menu shows and reads: plain lines, at most 79 columns, on any terminal."""

import os
import sys
import termios
import textwrap
from collections.abc import Iterable, Sequence

from ceremony.pki.names import shown_text

WIDTH = 79
_PAGE = 21
_REVERSE, _PLAIN = "\033[7m", "\033[0m"


class Closed(Exception):
    """The terminal gave no more input."""


def clear() -> None:
    """Begins a new screen where the terminal can."""
    print("\033[H\033[2J" if os.environ.get("TERM") == "linux" else "", end="", flush=True)


def title(text: str) -> None:
    """The first line of a screen, and an empty one."""
    print(f"{_REVERSE}{f' {text}':{WIDTH}}{_PLAIN}\n")


def say(*lines: str) -> None:
    """Lines, wrapped; their own indentation is kept."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        print(*(textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [""]), sep="\n")


def ask(text: str) -> str:
    """One line from the keyboard, trimmed; what was typed before the question does not count. Raises Closed."""
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    print(f"{text} ", end="", flush=True)
    try:
        line = sys.stdin.readline()
    except (KeyboardInterrupt, UnicodeDecodeError):
        print()
        return ""
    if not line:
        raise Closed
    return line.strip()


def go_on() -> None:
    """Waits until what is shown was read."""
    ask("Enter goes back to the menu.")


def pages(lines: Iterable[str]) -> None:
    """Lines in pages of one screen, and a question after each."""
    wrapped = [part for line in lines for part in (textwrap.wrap(line, WIDTH, break_on_hyphens=False) or [""])]
    for start in range(0, len(wrapped), _PAGE):
        clear()
        print(*wrapped[start : start + _PAGE], sep="\n")
        left = len(wrapped) - start - _PAGE
        if left <= 0:
            go_on()
        elif ask(f"-- {left} more lines: Enter; q leaves --") == "q":
            return


def choose(text: str, choices: Sequence[str]) -> int | None:
    """The number of a choice, from 0; None when Enter alone was typed. Asks again until it is one of them. Choices may be foreign text."""
    for number, choice in enumerate(choices, 1):
        print(f"{number:3}  {shown_text(choice)[: WIDTH - 5]}")
    while True:
        typed = ask(f"{text} (1 to {len(choices)}, Enter for none):")
        if not typed:
            return None
        if typed.isdecimal() and 1 <= int(typed) <= len(choices):
            return int(typed) - 1
        print("That is none of them.")
