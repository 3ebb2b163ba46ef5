"""Registration ids: what the Device Provisioning Service takes, and how they become names of files."""

import re

LONGEST_ID = 64
"""Characters of the longest id. The service takes 128, a CN holds 64 (RFC 5280 appendix A.1, ub-common-name)."""

_CHARACTERS = re.compile(r"[A-Za-z0-9._:-]+")
_ENCODED = {":": "%3A", ".": "%2E", "-": "%2D"}
_DECODED = {code: character for character, code in _ENCODED.items()}


def problem_with_id(registration_id: str) -> str:
    """Why the service would not take this id, in words that quote nothing; "" when it would.

    Azure, "Terminology used with DPS", registration ID: case-insensitive, letters, digits and `- . _ :`, the last a letter,
    a digit or `-`.
    """
    if not registration_id:
        return "is empty"
    if len(registration_id) > LONGEST_ID:
        return f"has {len(registration_id)} characters, more than {LONGEST_ID}"
    if not _CHARACTERS.fullmatch(registration_id):
        return "has characters other than letters, digits and - . _ :" + " (a space)" * (" " in registration_id)
    if registration_id[-1] in "._:":
        return f"ends with {registration_id[-1]}; the last character must be a letter, a digit or -"
    return ""


def file_stem(registration_id: str) -> str:
    """The id as the beginning of a file's name: `:` becomes `%3A`, and a `.` or `-` in the first place its code too.

    Two ids never become one name, also where the file system does not tell upper from lower case: ids that differ only so
    are one id to the service.
    """
    first = registration_id[0]
    return _ENCODED.get(first, first) + registration_id[1:].replace(":", _ENCODED[":"])


def id_of_stem(stem: str) -> str:
    """The id that `file_stem` wrote so. What it never writes is left as it stands."""
    return re.sub("%(?:3A|2E|2D)", lambda found: _DECODED[found[0]], stem)
