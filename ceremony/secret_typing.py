"""Activation data as it is typed: what every face does with it, so that none can be typed otherwise in one than in another.

Nothing that is typed stands in a message, not even a mistyped word: a message may be kept where a word must not be.
"""

from collections.abc import Iterable
from typing import Protocol

from ceremony.engine.step import Secret
from ceremony.said import secret_problem

_COLUMNS, _COLUMN = 2, 16
_NEVER = {"pin": "a real PIN", "share": "a word of a real share", "passphrase": "a real passphrase"}


class Typing(Protocol):
    """One secret on its way from a person's fingers to the room."""

    @property
    def prompt(self) -> str:
        """Which part of it comes next."""

    @property
    def instruction(self) -> str:
        """What to do now. In a rehearsal with what to type."""

    def enter(self, typed: bytearray) -> str | None:
        """Takes what was typed, which is overwritten unless it is kept. Why it does not fit; None when it does."""

    def taken(self) -> bytearray | None:
        """The whole secret when all of it was typed, once; whoever takes it wipes it."""

    def forget(self) -> None:
        """Overwrites what was typed; the typing begins anew."""


def typing_of(secret: Secret) -> Typing:
    """How this kind of secret is typed."""
    return ShareTyping(secret) if secret.kind == "share" else PinTyping(secret)


class PinTyping:
    """A PIN or a passphrase: in one go, twice when it is new."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._first: bytearray | None = None
        self._whole: bytearray | None = None

    @property
    def prompt(self) -> str:
        """The same again, the second time."""
        return self._secret.what if self._first is None else "The same again"

    @property
    def instruction(self) -> str:
        """How often to type it."""
        how = "Type it again." if self._first is not None else "Type it twice." if self._secret.twice else "Type it."
        return how + _offered(self._secret, self._secret.suggestion)

    def enter(self, typed: bytearray) -> str | None:
        """Within the token's limits, and the same twice."""
        if problem := secret_problem(self._secret, typed):
            wipe(typed)
            self.forget()
            return problem
        if self._secret.twice and self._first is None:
            self._first = typed
            return None
        if self._secret.twice and typed != self._first:
            wipe(typed)
            self.forget()
            return "The two do not agree. Nothing was changed; type both once more."
        self.forget()
        self._whole = typed
        return None

    def taken(self) -> bytearray | None:
        """The secret."""
        whole, self._whole = self._whole, None
        return whole

    def forget(self) -> None:
        """Overwrites the first of the two."""
        wipe(self._first or bytearray())
        self._first = None


class ShareTyping:
    """A share: word by word, each looked at when it is entered, and all together at the end.

    With `reveal` each must be the word that was shown; else the checksum says which one is wrong.
    """

    def __init__(self, secret: Secret) -> None:
        # Here, so that a ceremony without shares does not load the library.
        from ceremony.activation.shares import WORDS_OF_SHARE

        self._secret = secret
        self._words = [bytearray() for _ in range(WORDS_OF_SHARE)]

    @property
    def prompt(self) -> str:
        """The number of the word that is typed next; no other is shown."""
        return f"Word {self._next + 1} of {len(self._words)}"

    @property
    def instruction(self) -> str:
        """How a word is typed."""
        words = (self._secret.suggestion or "").split()
        return "Type the word, or its first four letters." + _offered(self._secret, words[self._next] if words else None)

    def meant(self, typed: str) -> str:
        """The word of the list that these letters stand for; "" when there is none."""
        from ceremony.activation.shares import word_of

        return word_of(typed) or ""

    def enter(self, typed: bytearray) -> str | None:
        """The next word, or several with a space between, as far as they fit."""
        words = typed.split()
        wipe(typed)
        problem = None if words else "A word is needed."
        for word in words:
            problem = problem or self._enter(word.decode("ascii", errors="replace"))
            wipe(word)
        return problem

    def back(self) -> None:
        """Drops the word before the next one; it is typed anew."""
        wipe(self._words[max(0, self._next - 1)])
        self._words[max(0, self._next - 1)] = bytearray()

    def taken(self) -> bytearray | None:
        """The words in full, with a space between."""
        if not all(self._words):
            return None
        whole = bytearray(b" ").join(self._words)
        self.forget()
        return whole

    def forget(self) -> None:
        """Overwrites the words; the first is typed next."""
        self._drop(range(1, len(self._words) + 1))

    @property
    def _next(self) -> int:
        return next((place for place, word in enumerate(self._words) if not word), len(self._words) - 1)

    def _enter(self, typed: str) -> str | None:
        if all(self._words):
            return f"A share has {len(self._words)} words; what came after them was dropped."
        place = self._next
        word = self.meant(typed)
        if not word:
            return f"Word {place + 1} is not on the list of words for shares. Type word {place + 1} again."
        if self._secret.reveal and not _is_word_of(self._secret.reveal.octets, place, word):
            return f"Word {place + 1} is not the one that was shown. Type word {place + 1} again."
        self._words[place] = bytearray(word.encode())
        return self._problem_of_whole() if all(self._words) else None

    def _problem_of_whole(self) -> str | None:
        from ceremony.activation.shares import ShareProblem, read_share

        whole = bytearray(b" ").join(self._words)
        try:
            wipe(read_share(whole).words)
        except ShareProblem as wrong:
            self._drop(wrong.words or range(1, len(self._words) + 1))
            again = f"Type word {wrong.words[0]} again." if wrong.words else "Type the share once more."
            return f"{wrong.what} {again}"
        finally:
            wipe(whole)
        return None

    def _drop(self, places: Iterable[int]) -> None:
        for place in places:
            wipe(self._words[place - 1])
            self._words[place - 1] = bytearray()


def share_lines(octets: bytearray) -> list[str]:
    """The words of a share, numbered, in columns to be read downwards."""
    words = [bytes(word).decode() for word in octets.split()]
    rows = -(-len(words) // _COLUMNS)
    numbered = [f"{number:>2}  {word:<{_COLUMN}}" for number, word in enumerate(words, 1)]
    return ["".join(numbered[row::rows]).rstrip() for row in range(rows)]


def _is_word_of(share: bytearray, place: int, word: str) -> bool:
    words = share.split()
    same = words[place] == word.encode()
    for copy in words:
        wipe(copy)
    return same


def wipe(octets: bytearray) -> None:
    """Overwrites them in place."""
    octets[:] = bytes(len(octets))


def _offered(secret: Secret, what: str | None) -> str:
    return f" REHEARSAL: type {what}, never {_NEVER[secret.kind]}." if what is not None else ""
