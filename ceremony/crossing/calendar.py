"""Duties as a calendar file (RFC 5545): whole days, with reminders. The same bundle gives the same bytes.

An event's UID stays the same from bundle to bundle and its SEQUENCE goes up, so that a calendar moves it when a newer file is taken in.
"""

import datetime as dt
from collections.abc import Iterator

from ceremony.crossing.duties import Duties, Duty
from ceremony.words import sha256_hex

_REMINDERS = {"azure": (30, 7), "intermediate": (180, 30), "root": (730, 365), "cross": (365, 90)}
"""Days before; 90 and 30 for what is not named."""
_LONGEST_LINE = 75
"""Octets of a line without its end (RFC 5545 section 3.1)."""


def calendar_of(duties: Duties) -> bytes:
    """The calendar file. All texts of duties are printable ASCII."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//root-ceremony//duties//EN", "CALSCALE:GREGORIAN"]
    for duty in duties.duties:
        lines += _event(duties, duty)
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode("ascii")


def _event(duties: Duties, duty: Duty) -> Iterator[str]:
    day = dt.date.fromisoformat(duty.date)
    what = f"{'REHEARSAL: ' * duties.rehearsal}{duties.label}: {_SUMMARY[duty.kind].format(duty.name)}"
    about = f"{duty.text}\nBundle with the fingerprint {duties.fingerprint}."
    yield "BEGIN:VEVENT"
    yield f"UID:{sha256_hex(f'{duties.root_fingerprint} {duty.key}'.encode())}"
    yield f"DTSTAMP:{dt.datetime.fromisoformat(duties.sealed):%Y%m%dT%H%M%SZ}"
    yield f"SEQUENCE:{duties.seals}"
    yield f"DTSTART;VALUE=DATE:{day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{day + dt.timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{_escaped(what)}"
    yield f"DESCRIPTION:{_escaped(about)}"
    yield "TRANSP:TRANSPARENT"
    for days in _REMINDERS.get(duty.kind, (90, 30)):
        yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_escaped(what)}", f"TRIGGER:-P{days}D", "END:VALARM")
    yield "END:VEVENT"


_SUMMARY = {
    "ceremony": "last sensible day for the {}",
    "crl": "last day of the CRL",
    "intermediate": "last day of the intermediate {}",
    "root": "last day of the root {}",
    "cross": "last day of the cross-certificate {}",
    "azure": "last day at Azure of {}",
    "backup": "last day to prove the backup of {}",
}


def _escaped(text: str) -> str:
    """A TEXT value (RFC 5545 section 3.3.11)."""
    for character in "\\;,":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> str:
    """No line longer than 75 octets: the rest goes on in the next, behind a space (section 3.1)."""
    parts, rest = [line[:_LONGEST_LINE]], line[_LONGEST_LINE:]
    while rest:
        parts.append(rest[: _LONGEST_LINE - 1])
        rest = rest[_LONGEST_LINE - 1 :]
    return "\r\n ".join(parts)
