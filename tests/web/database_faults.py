"""Faults that a database's file can have, each for as long as its block lasts, and what is in the file by then."""

import json
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import frozen

from cca.store import database as database_room
from cca.store.database import Connection, Database
from cca.store.text import Place
from cca.store.text import get as text_at

Fault: TypeAlias = Callable[[Database], AbstractContextManager[None]]


@contextmanager
def told_to_sqlite(database: Database, pragma: str) -> Iterator[None]:
    """Set something of each connection that is opened."""
    original = database_room._prepare

    def prepare(connection: Connection) -> None:
        original(connection)
        connection.execute(f"PRAGMA {pragma}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_room, "_prepare", prepare)
        database.close()
        yield
    database.close()


def full(database: Database) -> AbstractContextManager[None]:
    """No page more: SQLite's own bound takes the least that is possible, which is what there is."""
    return told_to_sqlite(database, "max_page_count = 1")


def read_only(database: Database) -> AbstractContextManager[None]:
    """Refuse each write as SQLite does for a file that may not be written.

    The permissions themselves are tested in tests/store: with those of a user that is not root.
    """
    return told_to_sqlite(database, "query_only = ON")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file be larger than ``size``, nor be written from there on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def no_room(_: Database) -> AbstractContextManager[None]:
    return room_for(0)


@contextmanager
def locked(database: Database, how: str) -> Iterator[None]:
    with closing(sqlite3.connect(database.path, isolation_level=None)) as another:
        another.execute(f"BEGIN {how}")
        yield
        another.execute("ROLLBACK")


def written_by_another(database: Database) -> AbstractContextManager[None]:
    return locked(database, "IMMEDIATE")


def locked_by_another(database: Database) -> AbstractContextManager[None]:
    return locked(database, "EXCLUSIVE")


@contextmanager
def gone(database: Database) -> Iterator[None]:
    away = database.path.with_suffix(".away")
    database.path.rename(away)
    yield
    assert not database.path.exists()
    away.rename(database.path)


@contextmanager
def holding(database: Database, content: Callable[[bytes], bytes]) -> Iterator[None]:
    """Overwrite the file as it stands, and hold that nobody touches what is in it now."""
    good = database.path.read_bytes()
    bad = content(good)
    database.path.write_bytes(bad)
    yield
    assert database.path.read_bytes() == bad
    database.path.write_bytes(good)


def garbage(database: Database) -> AbstractContextManager[None]:
    return holding(database, lambda good: (b"garbage" * len(good))[: len(good)])


def cut(database: Database) -> AbstractContextManager[None]:
    return holding(database, lambda good: good[: len(good) // 2])


def anothers(database: Database) -> AbstractContextManager[None]:
    def content(_: bytes) -> bytes:
        place = database.path.with_suffix(".another")
        with closing(sqlite3.connect(place)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        return place.read_bytes()

    return holding(database, content)


@contextmanager
def directory(database: Database) -> Iterator[None]:
    with gone(database):
        database.path.mkdir()
        try:
            yield
        finally:
            database.path.rmdir()


READABLE: dict[str, tuple[Fault, str]] = {
    "full": (full, r"disk is full\. Make room on its disk, and send the request again\."),
    "no room": (no_room, r"disk I/O error\. See whether its disk is full or failing, and send the request again\."),
    "read-only": (read_only, r"readonly database\. Let cca write to it and its directory, and send the request again"),
    "written by another": (
        written_by_another,
        r"is locked\. Another program has it open and is writing; end that, and",
    ),
}
"""Faults that leave what is there to be read, and what is told."""

UNREADABLE: dict[str, tuple[Fault, str]] = {
    "locked": (locked_by_another, r"database is locked\. Another program has it open and is writing; end that, and"),
    "gone": (gone, r"is gone: No such file or directory\. Put it back, or restart cca to begin a new one\."),
    "a directory": (directory, r"unable to open database file\. Let cca write to it and its directory, and send"),
    "garbage": (garbage, r"file is not a database\. Put a good copy in its place"),
    "cut": (cut, r"malformed\. Put a good copy in its place"),
    # As long as its connection lasts, SQLite takes it for what it was.
    "another program's": (
        anothers,
        r"of another program\. Name another with --database|no such table: (session|exch)",
    ),
}

FAULTS = {**READABLE, **UNREADABLE}


def each(faults: dict[str, tuple[Fault, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("fault", "told"), faults.values(), ids=faults)


# What is there


@frozen
class Kept:
    """What the file holds, read by another program: the texts of the one session, and how many exchanges.

    ``stored`` are what the answers under their own ids say, in their order.
    """

    texts: tuple[str, ...]
    exchanges: int
    stored: tuple[str, ...] = ()


def kept(path: Path) -> Kept:
    """Return what is there, and hold that the file is sound and nothing in it is half."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        found = connection.execute("SELECT position, role, content, pieces FROM turn ORDER BY position").fetchall()
        said = [text_at(connection, Place(first, pieces)) for _, _, first, pieces in found]
        [turns] = connection.execute("SELECT coalesce(sum(turns), 0) FROM session").fetchone()
        [exchanges] = connection.execute("SELECT count(*) FROM exchange").fetchone()
        answers = connection.execute("SELECT turns, body, body_pieces FROM stored ORDER BY turns").fetchall()
        bodies = [json.loads(text_at(connection, Place(*place))) for _, *place in answers]
    assert [position for position, *_ in found] == list(range(turns))
    assert [role for _, role, *_ in found] == ["user", "assistant"] * (turns // 2)
    texts = tuple(json.loads(each)[0]["text"] for each in said)
    stored = tuple(body["choices"][0]["message"]["content"] for body in bodies)
    assert [texts[turns - 1] for turns, *_ in answers] == [*stored]
    return Kept(texts, exchanges, stored)
