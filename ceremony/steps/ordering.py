"""An order: two people type eight words of the digest of what will be signed, destroyed or wiped (design, rule 5)."""

from collections.abc import Generator, Sequence
from typing import Any

from ceremony.engine.backed import backed
from ceremony.engine.step import Ask, Known, Request
from ceremony.words import words_of

TO_SIGN = ("This is the order to sign: the first four words of the digest.", "Have you read the same? The next four words of the digest.")
"""What the orderer and the confirmer of a signature are asked."""


def ordered_by_two(
    known: Known, key: str, digest: str, shown: Sequence[str], orderer: str, confirmer: str, asked: tuple[str, str] = TO_SIGN
) -> Generator[Request, Any, None]:
    """The orderer types the first four words of the digest (SHA-256 hex), the confirmer the next four and signs for it.

    `key` comes before the keys of both questions; "" where a step has one order alone. `asked` is what each of the two is asked.
    """
    words, before = words_of(digest), f"{key}/" if key else ""
    first, second = " ".join(words[:4]), " ".join(words[4:8])
    yield Ask(key=f"{before}order", text=asked[0], by=orderer, shown=tuple(shown), digest=digest, accept=first, order=True)
    ask = Ask(key=f"{before}confirm", text=asked[1], by=confirmer, shown=tuple(shown), digest=digest, accept=second, order=True)
    yield from backed(known, ask)
