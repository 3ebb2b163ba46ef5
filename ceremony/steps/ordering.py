"""The order to sign: two people type eight words of the digest of what will be signed (design, rule 5)."""

from collections.abc import Generator, Sequence
from typing import Any

from ceremony.engine.backed import backed
from ceremony.engine.step import Ask, Known, Request
from ceremony.words import words_of


def ordered_by_two(
    known: Known, key: str, digest: str, shown: Sequence[str], orderer: str, confirmer: str
) -> Generator[Request, Any, None]:
    """The orderer types the first four words of the digest (SHA-256 hex), the confirmer the next four and signs for it."""
    words = words_of(digest)
    asked = "This is the order to sign: the first four words of the digest."
    yield Ask(key=f"{key}/order", text=asked, by=orderer, shown=tuple(shown), digest=digest, accept=" ".join(words[:4]), order=True)
    asked = "Have you read the same? The next four words of the digest."
    confirm = " ".join(words[4:8])
    ask = Ask(key=f"{key}/confirm", text=asked, by=confirmer, shown=tuple(shown), digest=digest, accept=confirm, order=True)
    yield from backed(known, ask)
