"""The menu of the ceremony machine: `python -m image.menu [--media] [--plain]`. It is root's, shows a few lines and takes a few answers.

`--media` is the one on the second console, for media alone; `--plain` is for a serial line, where the program runs in line mode.
"""

import signal
import sys
import time
from collections.abc import Sequence

from ceremony.machine.image import image_sha256
from ceremony.said import digest_lines
from image.menu import entries, facts, screen

_ENTRIES = (
    ("Ceremony", entries.ceremony),
    ("Rehearsal", entries.rehearsal),
    ("Verify a bundle", entries.verify),
    ("Doctor", entries.doctor),
    ("Media", entries.media_in_and_out),
    ("Vendor's module", entries.vendors_module),
    ("Keyboard layout", entries.keyboard),
    ("This machine", entries.this_machine),
    ("Power off", entries.power_off),
)
_OF_MEDIA = ("Media", "This machine")


def main(arguments: list[str]) -> None:
    """Shows the menu until the terminal is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plain = "--plain" in arguments
    shown = [entry for entry in _ENTRIES if "--media" not in arguments or entry[0] in _OF_MEDIA]
    _wait_for_a_keyboard(plain)
    while True:
        _first_screen(shown)
        typed = screen.ask("Type a number, then Enter:")
        if typed.isdecimal() and 1 <= int(typed) <= len(shown):
            screen.clear()
            screen.title(shown[int(typed) - 1][0])
            shown[int(typed) - 1][1](plain)


def _wait_for_a_keyboard(plain: bool) -> None:
    if not plain and not facts.has_keyboard():
        screen.clear()
        screen.say("No keyboard was found. Plug in a USB keyboard with a cable; this screen goes on by itself.")
        while not facts.has_keyboard():
            time.sleep(1)


def _first_screen(shown: Sequence[tuple[str, entries.Entry]]) -> None:
    screen.clear()
    if len(shown) < len(_ENTRIES):
        screen.title("CEREMONY MACHINE: MEDIA. Alt+F1 goes back to the ceremony")
    else:
        screen.title("CEREMONY MACHINE. In memory alone, without network and disk. Alt+F2: media")
        digest = image_sha256()
        screen.say("SHA-256 of this image, as it measured itself. Compare it with the paper:")
        screen.say(*(digest_lines(digest) if digest else ["NOT TOLD: this is not the ceremony machine's image."]))
    print()
    print(*entries.media_lines(), sep="\n")
    print()
    half = (len(shown) + 1) // 2
    for left in range(half):
        right = left + half
        cells = [f"{number + 1}  {shown[number][0]}" for number in (left, right) if number < len(shown)]
        print("  " + "".join(f"{cell:38}" for cell in cells).rstrip())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except screen.Closed:
        sys.exit(0)
