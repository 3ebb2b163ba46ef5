"""What people sign with their credentials: one canonical JSON object each, whose `context` says what it is (design, rule 6)."""

from typing import Any

from ceremony.canonical import canonical_json

SIGN_OFF = "root-ceremony sign-off v1"
CONFIRMATION = "root-ceremony confirmation v1"
OVERRIDE = "root-ceremony override v1"
"""The contexts: how the ceremony was done so far, an answer that a step needs a second person for, an override of a finding."""


def signed_octets(statement: dict[str, Any], line: str) -> bytes:
    """The bytes that are signed. `line` is SHA-256 (hex) of the transcript's last line before the signature."""
    return canonical_json({**statement, "line": line})
