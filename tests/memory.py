"""Looks for a secret in a process's memory, as whoever stole the machine would."""

from pathlib import Path


def found_in_memory(process_id: int, masked: bytes) -> int:
    """How often a text stands in a process's writable memory; it is kept masked, or the search would find itself."""
    count = 0
    with open(f"/proc/{process_id}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{process_id}/maps").read_text().splitlines():
            area, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(place, 16) for place in area.split("-"))
            octets = bytearray(end - start)
            try:
                memory.seek(start)
                memory.readinto(octets)
                count += occurrences(octets, masked)
            except (OSError, OverflowError):
                continue
            finally:
                # In the searching process a copy would stay in freed memory, for the next search to find.
                octets[:] = bytes(len(octets))
    return count


def occurrences(octets: bytes | bytearray, masked: bytes) -> int:
    first, second = masked[0] ^ 0x55, masked[1] ^ 0x55
    place, count = -1, 0
    while (place := octets.find(bytes([first, second]), place + 1)) >= 0:
        count += all(octets[place + offset] == octet ^ 0x55 for offset, octet in enumerate(masked) if place + offset < len(octets))
    return count
