"""One SQLite file, one connection, one thread at a time, one whole transaction a call.

So a request that is cancelled cannot split a transaction, and no lock of SQLite's is waited for in the event loop. What
is committed is on the disk (``synchronous=FULL``), and what is deleted is not in the file (``secure_delete``).
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio
from attrs import field, frozen

from cca.errors import Unavailable

T = TypeVar("T")

APPLICATION_ID = 0x63636131
"""Marks a file as cca's: "cca1"."""

MIGRATIONS = (
    """
    CREATE TABLE exchange (
        id INTEGER PRIMARY KEY,
        request_id TEXT NOT NULL,
        began_at REAL NOT NULL,       -- seconds since the epoch
        dialect TEXT NOT NULL,
        model TEXT NOT NULL,
        outcome TEXT NOT NULL,        -- a stop reason, a status, or "abandoned"
        first_event REAL,             -- seconds from the request to the first event; NULL when there was none
        duration REAL NOT NULL,       -- seconds
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cache_read_tokens INTEGER NOT NULL,
        cache_write_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX exchange_began_at ON exchange (began_at);
    """,
)
"""Each is run once, in order; their number is the schema's version."""

BUSY_TIMEOUT = 5.0
"""Seconds that a transaction waits for another program that has the file open."""

Transaction = Callable[[sqlite3.Connection], T]


@frozen
class Database:
    """An open database. ``run`` is all there is to it."""

    path: Path
    _connection: sqlite3.Connection
    _turn: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(1))

    async def run(self, transaction: Transaction[T]) -> T:
        """Run ``transaction`` on the connection, commit it, and return what it returns; its exception rolls it back.

        Raise ``Unavailable`` when SQLite cannot: the disk is full, the file locked or gone. Cancelling before its turn
        does nothing; after it, the transaction is run to its end.
        """
        return await trio.to_thread.run_sync(self._transact, transaction, limiter=self._turn)

    def _transact(self, transaction: Transaction[T]) -> T:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                return transaction(self._connection)
        except sqlite3.Error as error:
            raise Unavailable(f"The database {self.path} cannot be used: {error}.") from error


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Own the database at ``path``, made if it is not there, for its owner's eyes only.

    Raise ``Unavailable`` for a file that is not cca's or of a newer cca; it is left as it is.
    """
    connection = await trio.to_thread.run_sync(_connect, path)
    try:
        yield Database(path, connection)
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"The database {path} cannot be opened: {error}.") from error
    try:
        _check(connection, path)
        _prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise Unavailable(
            f"The file {path} is not a database of cca's: {error}. Name another with --database."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``Unavailable`` for a database that is not ours. Nothing is written."""
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    [tables] = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or application):
        raise Unavailable(f"The file {path} is a database of another program. Name another with --database.")
    if version > len(MIGRATIONS):
        raise Unavailable(
            f"The database {path} is of a newer cca (its schema is {version}, this one knows {len(MIGRATIONS)}). "
            "Use that cca, or name another file with --database."
        )


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA journal_mode = {'WAL' if _wal_is_safe(sqlite3.sqlite_version_info) else 'TRUNCATE'}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    [version] = connection.execute("PRAGMA user_version").fetchone()
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        stamps = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN IMMEDIATE; {migration} {stamps} COMMIT;")


def _wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite keeps a WAL file whole when several connections use it.

    Source: the release notes of SQLite 3.51.3, whose mend the branches 3.50.7 and 3.44.6 have, too.
    """
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
