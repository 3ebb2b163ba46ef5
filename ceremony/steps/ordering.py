"""The order to sign: two people type eight words of the digest of what will be signed (design, rule 5)."""

from collections.abc import Generator, Sequence

from ceremony.engine.step import Ask, Request
from ceremony.words import words_of


def ordered_by_two(key: str, digest: str, shown: Sequence[str], orderer: str, confirmer: str) -> Generator[Request, str, None]:
    """The orderer types the first four words of the digest (SHA-256 hex), the confirmer the next four."""
    words = words_of(digest)
    asked = "This is the order to sign: the first four words of the digest."
    yield Ask(key=f"{key}/order", text=asked, by=orderer, shown=tuple(shown), digest=digest, accept=" ".join(words[:4]), order=True)
    asked = "Have you read the same? The next four words of the digest."
    yield Ask(key=f"{key}/confirm", text=asked, by=confirmer, shown=tuple(shown), digest=digest, accept=" ".join(words[4:8]), order=True)
