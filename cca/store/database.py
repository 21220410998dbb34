"""One SQLite file, one connection, one thread at a time, one whole transaction a call.

So a request that is cancelled cannot split a transaction, and no lock of SQLite's is waited for in the event loop. What
is committed is on the disk (``synchronous=FULL``), and what is deleted is not in the file (``secure_delete``).

A connection that failed is not used again: the next call opens the file anew, so that cca recovers where the disk has
room again or the file is back, without a restart.
"""

import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import trio
from attrs import define, field

from cca.errors import Unavailable
from cca.store.migrations import MIGRATIONS

T = TypeVar("T")

APPLICATION_ID = 0x63636131
"""Marks a file as cca's: "cca1"."""

OLDEST_SQLITE = (3, 37)
"""The first with STRICT tables."""

PAGE_SIZE = 1024
"""Bytes. A text takes whole pages (``cca.store.text``), and most that are said fit into one or two of these."""

BUSY_TIMEOUT = 5.0
"""Seconds that a transaction waits for another program that has the file open, from its call on: of many that wait for
one another, the last is told as soon as the first."""

Connection: TypeAlias = sqlite3.Connection
"""For those who write transactions outside of the store."""

Transaction = Callable[[sqlite3.Connection], T]

Begin: TypeAlias = Literal["BEGIN", "BEGIN IMMEDIATE"]
"""To read, and to write."""

Identity: TypeAlias = tuple[int, int, bool]
"""The device and the inode of a file, and whether it may be written: another one at the same path is another file, and
a connection to one that could only be read writes never.
"""


class Runner(Protocol):
    """Runs a function that blocks. It must not run two at once."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]: ...


@define
class Database:
    """An open database. Its calls run one after the other, in the order in which they came."""

    path: Path
    _run: Runner
    _connection: sqlite3.Connection | None
    _identity: Identity

    async def read(self, transaction: Transaction[T]) -> T:
        """Run ``transaction``, which changes nothing, and return what it returns. Otherwise as ``write``."""
        return await self._run(self._transact, "BEGIN", transaction, _busy_until())

    async def write(self, transaction: Transaction[T]) -> T:
        """Run ``transaction``, commit it, and return what it returns; its exception rolls it back.

        Raise ``Unavailable`` when SQLite cannot: the disk is full, the file locked or gone. Cancelling before its turn
        does nothing; after it, the transaction is run to its end.
        """
        return await self._run(self._transact, "BEGIN IMMEDIATE", transaction, _busy_until())

    async def erase(self, transaction: Transaction[T]) -> T:
        """Do as ``write``, and leave no copy of what was deleted in the write-ahead log."""
        return await self._run(self._erase, transaction, _busy_until())

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, begin: Begin, transaction: Transaction[T], by: float) -> T:
        try:
            connection = self._current(by)
            connection.execute(f"PRAGMA busy_timeout = {round(_left(by) * 1000)}")
            with _transaction(connection, begin):
                result = transaction(connection)
        except sqlite3.Error as error:
            self.close()
            raise Unavailable(f"The database {self.path} cannot be used: {error}. {_advice(error)}") from error
        return result

    def _erase(self, transaction: Transaction[T], by: float) -> T:
        result = self._transact("BEGIN IMMEDIATE", transaction, by)
        with suppress(sqlite3.Error):
            # While another program reads the log it stays; the next time it goes.
            self._current(by).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return result

    def _current(self, by: float) -> sqlite3.Connection:
        """Return the connection, a new one where there is none or the file is another one by now."""
        identity = _identity(self.path)
        if self._connection is None or identity != self._identity:
            self.close()
            self._connection, self._identity = _connect(self.path, by), identity
        return self._connection


def _busy_until() -> float:
    return time.monotonic() + BUSY_TIMEOUT


def _left(by: float) -> float:
    return max(0.0, by - time.monotonic())


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: Begin) -> Iterator[None]:
    """Run the block as one transaction: committed at its end, rolled back when it, or its commit, fails."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@define
class InThread:
    """Runs functions in a thread, one at a time."""

    _turn: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(1))

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._turn)


@asynccontextmanager
async def open_database(path: Path, run: Runner | None = None) -> AsyncIterator[Database]:
    """Own the database at ``path``, made if it is not there, for its owner's eyes only.

    Raise ``Unavailable`` for a file that is not cca's or of a newer cca; it is left as it is.
    """
    run = run or InThread()
    connection, identity = await run(_create, path)
    database = Database(path, run, connection, identity)
    try:
        yield database
    finally:
        database.close()


def _create(path: Path) -> tuple[sqlite3.Connection, Identity]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Unavailable(
            f"cca needs SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer, and this Python has "
            f"{sqlite3.sqlite_version}. Run cca with another Python."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Unavailable(
            f"The database {path} cannot be opened: {error.strerror}. Name another with --database."
        ) from error
    identity = _identity(path)
    return _connect(path, _busy_until()), identity


def _connect(path: Path, by: float) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=_left(by), isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise Unavailable(f"The database {path} cannot be opened: {error}. {_advice(error)}") from error
    try:
        _check(connection, path)
        _prepare(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        raise Unavailable(f"The database {path} cannot be used: {error}. {_advice(error)}") from error
    except sqlite3.Error as error:
        connection.close()
        raise Unavailable(
            f"The file {path} is not a database of cca's, or damaged: {error}. Put a good copy in its place, or name "
            "another with --database."
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``Unavailable`` for a database that is not ours. Nothing is written."""
    # In one transaction: read one by one, the file might be made by another program in between, and look like neither.
    with _transaction(connection, "BEGIN"):
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
    # Of a new file; one that is there keeps its own.
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute(f"PRAGMA journal_mode = {'WAL' if _wal_is_safe(sqlite3.sqlite_version_info) else 'TRUNCATE'}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    if _version(connection) < len(MIGRATIONS):
        _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that are missing, all or none. Two programs that open a new file at once do so one by one."""
    with _transaction(connection, "BEGIN IMMEDIATE"):
        for migration in MIGRATIONS[_version(connection) :]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _identity(path: Path) -> Identity:
    """Return which file is at ``path``. Raise ``Unavailable`` where there is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise Unavailable(
            f"The database {path} is gone: {error.strerror}. Put it back, or restart cca to begin a new one."
        ) from error
    return status.st_dev, status.st_ino, os.access(path, os.W_OK)


def _advice(error: sqlite3.Error) -> str:
    return _ADVICE.get(getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0], _RESTORE)


_RESTORE = "Put a good copy in its place; cca goes on with it."

_ADVICE = {
    "BUSY": "Another program has it open and is writing; end that, and send the request again.",
    "FULL": "Make room on its disk, and send the request again.",
    "IOERR": "See whether its disk is full or failing, and send the request again.",
    "READONLY": "Let cca write to it and its directory, and send the request again.",
    "CANTOPEN": "Let cca write to it and its directory, and send the request again.",
}
"""What to do, by SQLite's name for what went wrong."""


def _wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite keeps a WAL file whole when several connections use it.

    Source: the release notes of SQLite 3.51.3, whose mend the branches 3.50.7 and 3.44.6 have, too.
    """
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
