"""What is read off a thing itself: typed by one person, and again by another who does not see what the first typed."""

from collections.abc import Generator
from typing import Annotated, Any

import msgspec

from ceremony.engine.step import Ask, Request

FactName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]
"""The name of a thing in custody or of something counted, as it stands in the ledger."""


def typed_twice(key: str, text: str, form: str, people: tuple[str, str], turn: int = 1) -> Generator[Request, Any, tuple[str, int]]:
    """A value in this form (see ceremony.custody) on which two people agree, and the number of the next turn.

    The second can say `differs`; then both read again. Keys are `<key>/<turn>/first` and `<key>/<turn>/second`, turns from `turn` on.
    """
    while True:
        value: str = yield Ask(key=f"{key}/{turn}/first", text=text, by=people[0], least=1, form=form)
        again: str = yield Ask(
            key=f"{key}/{turn}/second", text=f"Type it again from the thing itself: {text}",
            by=people[1], accept=value, blind=True, choices=("differs",),
        )  # fmt: skip
        turn += 1
        if again != "differs":
            return value, turn
