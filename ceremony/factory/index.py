"""index.sqlite of an output folder: which id has which certificate, and what was begun.

The index is the truth: a certificate counts from the commit that enters it, and leaves the hidden folder it was made in only
after that. One certificate of an id is current; what a renewal replaced is kept as superseded.
"""

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from ceremony.errors import CeremonyError
from ceremony.factory.messages import Made, Wanted
from ceremony.pki.names import shown_text

FORMAT: Final = 1
_APPLICATION: Final = 0x46634478
"""Tells our files from other SQLite files (https://www.sqlite.org/fileformat2.html#application_id)."""

_SCHEMA: Final = """
CREATE TABLE about (
    issuer_key_sha256 TEXT NOT NULL, root_sha256 TEXT NOT NULL, rehearsal INTEGER NOT NULL, shard TEXT NOT NULL
);
CREATE TABLE orders (
    number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, issuer_sha256 TEXT NOT NULL, ids INTEGER NOT NULL, not_before TEXT NOT NULL,
    not_after TEXT NOT NULL, begun_at TEXT NOT NULL, finished_at TEXT
);
CREATE TABLE batches (
    number INTEGER PRIMARY KEY, order_number INTEGER NOT NULL REFERENCES orders,
    status TEXT NOT NULL CHECK (status IN ('begun', 'issued', 'broken-off'))
);
CREATE TABLE certificates (
    number INTEGER PRIMARY KEY, registration_id TEXT NOT NULL COLLATE NOCASE, serial TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL,
    key_sha256 TEXT NOT NULL, key_source TEXT NOT NULL CHECK (key_source IN ('made', 'request')),
    status TEXT NOT NULL CHECK (status IN ('issued', 'superseded')), batch INTEGER NOT NULL REFERENCES batches
);
CREATE UNIQUE INDEX one_certificate_an_id ON certificates (registration_id) WHERE status = 'issued';
CREATE INDEX certificates_by_key ON certificates (key_sha256);
CREATE VIEW device_certificates AS
    SELECT c.number, c.registration_id, c.serial, c.sha256, o.not_before, o.not_after, o.issuer_sha256, a.rehearsal, c.key_source,
        c.status, printf('devices/%06d', c.batch) AS folder
    FROM certificates c JOIN batches b ON b.number = c.batch JOIN orders o ON o.number = b.order_number, about a;
"""


class About(NamedTuple):
    """What the whole folder is of: SHA-256 (hex) of the intermediate's key (SPKI) and of the root's DER, rehearsal or not, the shard.

    The key, not the certificate: a renewed intermediate goes on in the same folder. The shard is written `i/n`.
    """

    issuer_key_sha256: str
    root_sha256: str
    rehearsal: bool
    shard: str


@dataclass(frozen=True)
class Order:
    """What was asked for at once. `sha256` is that of all that was asked, `issuer_sha256` of the intermediate's DER; both hex.

    Times are UTC (RFC 3339 with a Z).
    """

    number: int
    sha256: str
    issuer_sha256: str
    ids: int
    not_before: str
    not_after: str
    begun_at: str
    finished_at: str | None


class Entry(NamedTuple):
    """A certificate that counts, from the view `device_certificates`. `folder` is relative to the output folder."""

    registration_id: str
    serial: str
    sha256: str
    not_before: str
    not_after: str
    issuer_sha256: str
    rehearsal: int
    key_source: str
    folder: str


class Index:
    """An open index; its folder's lock keeps others from writing to it."""

    def __init__(self, path: Path) -> None:
        """Opens one that `create` made. Raises CeremonyError FACTORY-OUT-BROKEN, FACTORY-OUT-OTHER, FACTORY-OUT-UNWRITABLE."""
        self._path = path
        _refuse_what_is_no_file(path)
        with self._telling():
            self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            with self._telling():
                self._check_format()
                # A commit is on the disk when it returns; readers are never in the way.
                self._execute("PRAGMA journal_mode = WAL")
                self._execute("PRAGMA synchronous = FULL")
                row = self._execute("SELECT issuer_key_sha256, root_sha256, rehearsal, shard FROM about").fetchone()
            if row is None:
                raise CeremonyError("FACTORY-OUT-BROKEN", f"{shown_text(str(path))} does not say whose it is.")
            self.about = About(row[0], row[1], bool(row[2]), row[3])
        except CeremonyError:
            self.close()
            raise

    @staticmethod
    def create(path: Path, about: About) -> None:
        """Makes an index at `path`, where nothing is; its bytes are not yet flushed to the disk. Raises sqlite3.Error and OSError."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("INSERT INTO about VALUES (?, ?, ?, ?)", about)
            connection.commit()
        finally:
            connection.close()

    def close(self) -> None:
        """Closes it; its journal goes into the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # orders

    def order(self, sha256: str) -> Order | None:
        """The last order of this digest."""
        columns = "number, sha256, issuer_sha256, ids, not_before, not_after, begun_at, finished_at"
        query = f"SELECT {columns} FROM orders WHERE sha256 = ? ORDER BY number DESC"  # noqa: S608  # our own words
        with self._telling():
            row = self._execute(query, (sha256,)).fetchone()
        return Order(*row) if row else None

    def begin(self, sha256: str, issuer_sha256: str, ids: int, not_before: str, not_after: str, at: str) -> Order:
        """Enters a new order."""
        values = (sha256, issuer_sha256, ids, not_before, not_after, at)
        with self.transaction():
            made = self._execute(
                "INSERT INTO orders (sha256, issuer_sha256, ids, not_before, not_after, begun_at) VALUES (?, ?, ?, ?, ?, ?)", values
            )
        return Order(made.lastrowid or 0, *values, finished_at=None)

    def finish(self, order: Order, at: str) -> None:
        """Says that all of the order is issued."""
        with self.transaction():
            self._execute("UPDATE orders SET finished_at = ? WHERE number = ?", (at, order.number))

    # batches: within a transaction

    def begin_batch(self, order: Order) -> int:
        """The number of a new batch, greater than all before."""
        with self._telling():
            made = self._execute("INSERT INTO batches (order_number, status) VALUES (?, 'begun')", (order.number,))
        return made.lastrowid or 0

    def enter(self, batch: int, wanted: Sequence[Wanted], made: Sequence[Made], *, renewing: bool) -> None:
        """The batch is issued: each id has this certificate. Only when `renewing` may it have one before, which is superseded."""
        rows = [
            (one.registration_id, of.serial, of.sha256, of.key_sha256, "made" if one.public_key_der is None else "request", batch)
            for one, of in zip(wanted, made, strict=True)
        ]
        with self._telling():
            if renewing:
                self._connection.executemany(
                    "UPDATE certificates SET status = 'superseded' WHERE registration_id = ? AND status = 'issued'",
                    ((one.registration_id,) for one in wanted),
                )
            self._connection.executemany(
                "INSERT INTO certificates (registration_id, serial, sha256, key_sha256, key_source, status, batch)"
                " VALUES (?, ?, ?, ?, ?, 'issued', ?)",
                rows,
            )
            self._execute("UPDATE batches SET status = 'issued' WHERE number = ?", (batch,))

    def is_issued(self, batch: int) -> bool:
        """Whether the batch's certificates count."""
        with self._telling():
            return self._execute("SELECT 1 FROM batches WHERE number = ? AND status = 'issued'", (batch,)).fetchone() is not None

    def break_off_begun(self) -> None:
        """No batch is under way any more: what was begun and not issued never will be."""
        with self.transaction():
            self._execute("UPDATE batches SET status = 'broken-off' WHERE status = 'begun'")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it, and on the disk when it ends. Raises CeremonyError FACTORY-OUT-UNWRITABLE, -BROKEN."""
        with self._telling():
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    # what is there

    def current(self, registration_ids: Sequence[str]) -> dict[str, str]:
        """Of these ids, those that have a certificate, in lower case, each with its end (RFC 3339)."""
        query = (
            "SELECT lower(c.registration_id), o.not_after FROM certificates c JOIN batches b ON b.number = c.batch"
            " JOIN orders o ON o.number = b.order_number WHERE c.status = 'issued' AND c.registration_id IN "
        )
        with self._telling():
            return dict(self._execute(query + _marks(registration_ids), registration_ids).fetchall())

    def holders(self, key_sha256s: Sequence[str]) -> list[tuple[str, str]]:
        """Key digest and id of each certificate that there is, or was, for these keys."""
        query = "SELECT key_sha256, registration_id FROM certificates WHERE key_sha256 IN "
        with self._telling():
            return self._execute(query + _marks(key_sha256s), key_sha256s).fetchall()

    def entries(self) -> Iterator[Entry]:
        """The certificate of each id, in the order of issue; none that is superseded."""
        query = f"SELECT {', '.join(Entry._fields)} FROM device_certificates WHERE status = 'issued' ORDER BY number"  # noqa: S608  # our own words
        with self._telling():
            for row in self._execute(query):
                yield Entry(*row)

    def _check_format(self) -> None:
        application, version = (self._execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if application != _APPLICATION or version != FORMAT:
            what = f"{shown_text(str(self._path))} is not an index of ours, or of another version of this program."
            raise CeremonyError("FACTORY-OUT-OTHER", what)

    def _execute(self, query: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        return self._connection.execute(query, tuple(values))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as failed:
            what = f"{shown_text(str(self._path))} could not be read or written: {shown_text(str(failed))}."
            raise CeremonyError("FACTORY-OUT-UNWRITABLE", what) from failed
        except sqlite3.DatabaseError as failed:
            what = f"{shown_text(str(self._path))} is damaged, or does not fit what is entered: {shown_text(str(failed))}."
            raise CeremonyError("FACTORY-OUT-BROKEN", what) from failed


def _marks(values: Sequence[str]) -> str:
    return f"({', '.join('?' * len(values))})"


def _refuse_what_is_no_file(path: Path) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise CeremonyError("FACTORY-OUT-OTHER", f"{shown_text(str(path))} is a link or a special file.")
