"""What a typed physical fact must look like, by its kind, and when two of them are the same.

The numbers of bags, seals and media, the names of safes, the times of a camera and counts: nothing but what is read off a thing itself.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

Kind = Literal["bag", "seal", "safe", "medium", "token", "video-start", "video-stop", "time", "other"]
"""The kinds of facts that a `record` step takes."""

MOMENTS = ("video-start", "video-stop", "time")
"""Kinds that tell of a moment and not of a thing: they are in nobody's custody."""


class Form(NamedTuple):
    """How a value is written, whole, and how that is said to who typed something else."""

    pattern: re.Pattern[str]
    said: str


_NUMBER = Form(
    re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9 ./-]{1,38}[A-Za-z0-9]"),
    "3 to 40 letters, digits, blanks, '.', '/' and '-', with a digit among them",
)
_TIME = Form(
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?"), "a time in UTC, such as 2026-11-24 09:30, that there is"
)
FORMS: Mapping[str, Form] = {
    "bag": _NUMBER,
    "seal": _NUMBER,
    "safe": Form(re.compile(r"[^\W_].{1,79}"), "2 to 80 characters: which safe, and which place in it"),
    "medium": Form(re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?"), "a serial of 1 to 64 printable ASCII characters"),
    # PKCS #11 v2.40, 3.2: CK_TOKEN_INFO.serialNumber has 16 characters, padded with blanks.
    "token": Form(re.compile(r"[!-~](?:[ -~]{0,14}[!-~])?"), "a serial of 1 to 16 printable ASCII characters"),
    "video-start": _TIME,
    "video-stop": _TIME,
    "time": _TIME,
    "count": Form(re.compile(r"[0-9]{1,4}"), "a number of things, 0 to 9999"),
}
"""How each kind is written; `other` is any text."""


def problem_with_fact(kind: str, value: str) -> str | None:
    """Why this can't be a fact of this kind; None when it can. White space at the ends does not count."""
    form = FORMS.get(kind)
    text = value.strip()
    if form is None or (form.pattern.fullmatch(text) and (form is not _TIME or _is_a_time(text))):
        return None
    return f"That is not {form.said}."


def same_fact(one: str, other: str) -> bool:
    """Whether two people read the same: upper and lower case, commas and white space do not matter."""
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return " ".join(text.replace(",", " ").split()).casefold()


def _is_a_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
