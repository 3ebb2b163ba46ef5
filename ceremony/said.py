"""How questions, notices and digests read as lines of text: the same words in every face."""

import textwrap
from collections.abc import Mapping
from itertools import zip_longest

from ceremony.engine.step import Ask, Notice, Secret
from ceremony.words import grouped, words_of

People = Mapping[str, tuple[str, str]]
"""Name and role of each participant, by the id that the script gives."""

WIDTH = 79

LONGEST_FOUR = 2 * sum(max(len(words_of(bytes([byte, byte]))[place]) for byte in range(256)) for place in (0, 1)) + 3
"""Characters of the longest four words that a digest can have."""


def person(participant: str, people: People, called: str = "") -> str:
    """Name and role of a participant; the id itself when nobody is known by it. `called`: by this name today (see Ask)."""
    name, role = people.get(participant, (participant, ""))
    name = called or name
    return f"{name} ({role})" if role else name


def digest_lines(digest: str, width: int = WIDTH) -> list[str]:
    """A digest (hex) as evidence: groups of four hex digits, then its words, four a line, or eight where any eight would fit.

    So the same width gives the same number of lines for each digest.
    """
    words = words_of(digest)
    fours = [" ".join(words[start : start + 4]) for start in range(0, len(words), 4)]
    if width >= 2 * LONGEST_FOUR + 3:
        fours = [f"{first:<{LONGEST_FOUR}}   {second}".rstrip() for first, second in zip_longest(fours[::2], fours[1::2], fillvalue="")]
    return [*textwrap.wrap(grouped(digest), width), *fours]


def instruction(ask: Ask) -> str:
    """What the person must do to answer; never what stands on paper."""
    choices = ", ".join(ask.choices)
    if ask.accept is not None:
        what = "Type what you read; it is not shown here" if ask.blind else f"Type: {ask.accept}"
        return f"{what}. Or type: {choices}" if choices else what
    if choices:
        return f"Choose: {choices}"
    if ask.least > 1:
        return f"Type the answer, at least {ask.least} characters."
    return "Type the answer." if ask.least else "Press Enter to go on."


def notice_lines(notice: Notice) -> list[str]:
    """A notice for a face that prints: a step with its number, an error with its word, a fingerprint with its words."""
    match notice.kind:
        case "step-started":
            title, *say = notice.lines or ("",)
            return ["", f"Step {notice.step}: {title}", *(f"  {line}" for line in say)]
        case "step-finished":
            return [f"Step {notice.step} done. {notice.time}".rstrip()]
        case "working":
            return [f"WAIT  {line}" for line in notice.lines]
        case "error":
            return [f"ERROR {line}" for line in notice.lines]
        case "fingerprint":
            digest = notice.facts["fingerprint"]
            return [*notice.lines, "FINGERPRINT (SHA-256). Read it aloud and write it on paper:", *digest_lines(digest)]
        case "status":
            return [f"{name}: {value}" for name, value in notice.facts.items()]
    return list(notice.lines)


def secret_problem(secret: Secret, typed: bytes | bytearray) -> str | None:
    """Why activation data cannot be taken: its length in bytes; None when it fits the token's limits."""
    if secret.shortest <= len(typed) <= secret.longest:
        return None
    return f"{secret.what} must have {secret.shortest} to {secret.longest} bytes; this has {len(typed)}."
