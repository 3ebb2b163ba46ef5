"""Reading what Linux says of itself under /proc, /sys and /etc. `root` is "/" or a made-up tree."""

from pathlib import Path

_SHOWS_ALL = ("hidepid=0", "hidepid=off")


def text_of(root: Path, relative: str) -> str | None:
    """The text of a file; None when it is not there or may not be read. Bytes that are not ASCII come as "\\xNN"."""
    try:
        return (root / relative).read_bytes().decode("ascii", "backslashreplace")
    except OSError:
        return None


def entries(root: Path, relative: str) -> list[str] | None:
    """The names in a folder, sorted; None when it is not there or may not be read."""
    try:
        return sorted(ascii(entry.name)[1:-1] for entry in (root / relative).iterdir())
    except OSError:
        return None


def running(root: Path) -> set[str] | None:
    """The names of the running programs, at most 15 characters each (proc(5), /proc/pid/comm).

    None when they can't be listed, or when other people's are hidden (mount option hidepid).
    """
    numbers = [name for name in entries(root, "proc") or () if name.isdigit()]
    of_proc = [line.split()[3].split(",") for line in mounts(root) or () if " proc " in line]
    hidden = any(option.startswith("hidepid=") and option not in _SHOWS_ALL for options in of_proc for option in options)
    if not numbers or hidden:
        return None
    return {name.strip() for number in numbers if (name := text_of(root, f"proc/{number}/comm")) is not None}


def mounts(root: Path) -> list[str] | None:
    """The lines of /proc/self/mounts (device, place, type, options); None when they can't be read."""
    text = text_of(root, "proc/self/mounts")
    return None if text is None else text.splitlines()
