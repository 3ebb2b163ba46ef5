"""What is to be issued, before anything is: every id in its order, no two the same, kept on the disk rather than in memory."""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from ceremony.canonical import canonical_json
from ceremony.errors import CeremonyError
from ceremony.factory.messages import Wanted
from ceremony.factory.registration_ids import problem_with_id
from ceremony.factory.shards import Shard
from ceremony.pki.names import shown_text

MOST_TOLD = 20
"""Problems that are told in full; of the rest only how many there are."""

_SCHEMA = """
CREATE TABLE wanted (
    position INTEGER PRIMARY KEY, place TEXT NOT NULL, registration_id TEXT NOT NULL COLLATE NOCASE UNIQUE,
    public_key BLOB UNIQUE, ours INTEGER NOT NULL
)
"""


class Refused(CeremonyError):
    """An error with a line for each place that is wrong, up to MOST_TOLD."""

    def __init__(self, code: str, summary: str, told: Sequence[str], more: int) -> None:
        listed = [*told, *([f"and {more:,} more"] if more else [])]
        super().__init__(code, f"{summary}: {'; '.join(listed)}.", state="Nothing was made.")
        self._summary, self.listed = summary, listed

    def lines(self) -> list[str]:
        """The four parts, the first over several lines."""
        return [f"What happened: {self._summary}:", *(f"  {line}" for line in self.listed), *super().lines()[1:]]


class Problems:
    """Collects what is wrong, each in words that may be shown; keeps the first ones and counts the rest."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0

    def add(self, where: str, what: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(shown_text(f"{where} {what}"))

    def refuse(self, code: str, what: str) -> None:
        """Raises Refused when there is any; `what` says of what they are, such as "of the ids"."""
        if self.count:
            raise Refused(code, f"{self.count:,} {what}", self.told, self.count - len(self.told))


class Asked:
    """The ids that are asked for, of one shard. A temporary database, which the system takes back when it is closed.

    A context manager. Its methods raise CeremonyError FACTORY-OUT-UNWRITABLE when the temporary file can't grow.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self.problems = Problems()
        # "" is a database in a file without a name, in SQLITE_TMPDIR, TMPDIR or /var/tmp (https://www.sqlite.org/inmemorydb.html).
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute(_SCHEMA)
        self._connection.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def add(self, place: str, registration_id: str, public_key_der: bytes | None = None) -> None:
        """One more id that is asked for at `place` ("line 7", or the name of a file). What is wrong with it goes to `problems`."""
        problem = problem_with_id(registration_id)
        if not problem:
            problem = self._enter(place, registration_id, public_key_der)
        if problem:
            self.problems.add(f"{place}: '{registration_id[:80]}'", problem)

    def _enter(self, place: str, registration_id: str, public_key_der: bytes | None) -> str:
        ours = self._shard.takes(registration_id)
        query = "INSERT OR IGNORE INTO wanted (place, registration_id, public_key, ours) VALUES (?, ?, ?, ?)"
        try:
            entered = self._connection.execute(query, (place, registration_id, public_key_der, ours)).rowcount
        except sqlite3.Error as failed:
            raise _no_room(failed) from failed
        return "" if entered else self._what_is_there(registration_id, public_key_der)

    def _what_is_there(self, registration_id: str, public_key_der: bytes | None) -> str:
        query = "SELECT place, registration_id FROM wanted WHERE registration_id = ?"
        if same := self._connection.execute(query, (registration_id,)).fetchone():
            only = "" if same[1] == registration_id else f", in other letters ('{same[1]}'): case makes no difference to the service"
            return f"stands at {same[0]} already{only}"
        query = "SELECT place, registration_id FROM wanted WHERE public_key = ?"
        place, other = self._connection.execute(query, (public_key_der,)).fetchone()
        return f"has the same key as '{other}' at {place}"

    def sha256(self, terms: Mapping[str, Any]) -> str:
        """SHA-256 (hex) of this shard's ids and keys, in whatever order they came, and of the terms."""
        digest = hashlib.sha256(canonical_json(terms))
        with _telling():
            query = "SELECT registration_id, public_key FROM wanted WHERE ours ORDER BY registration_id"
            for registration_id, public_key in self._connection.execute(query):
                digest.update(f"\n{registration_id} ".encode() + (public_key or b""))
        return digest.hexdigest()

    @property
    def all(self) -> int:
        """How many are asked for, of all shards."""
        return self._count("SELECT count(*) FROM wanted")

    @property
    def ours(self) -> int:
        """How many are asked for of this shard."""
        return self._count("SELECT count(*) FROM wanted WHERE ours")

    def batches(self, size: int) -> Iterator[list[Wanted]]:
        """What this shard is to make, in its order, in batches."""
        position = 0
        while True:
            with _telling():
                query = "SELECT position, registration_id, public_key FROM wanted WHERE ours AND position > ? ORDER BY position LIMIT ?"
                rows = self._connection.execute(query, (position, size)).fetchall()
            if not rows:
                return
            position = rows[-1][0]
            yield [Wanted(registration_id, public_key) for _, registration_id, public_key in rows]

    def _count(self, query: str) -> int:
        with _telling():
            row: tuple[int] = self._connection.execute(query).fetchone()
        return row[0]


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as failed:
        raise _no_room(failed) from failed


def _no_room(failed: sqlite3.Error) -> CeremonyError:
    return CeremonyError(
        "FACTORY-OUT-UNWRITABLE",
        f"A temporary file for the list of ids could not be written: {shown_text(str(failed))}.",
        do_now="Make room in /var/tmp, or name another folder in TMPDIR; then give the same command again.",
    )
