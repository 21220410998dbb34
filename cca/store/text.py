"""Texts, each in pages of its own, so that nothing of one that is deleted stays in the file.

``secure_delete`` overwrites a row where it stands. But as pages fill and empty, SQLite moves rows from one to the next,
and now and then what it leaves behind is a copy that no row points to any more (3 of 100 files of a random history had
one, with SQLite 3.40). A row that takes more than half of a page is never moved beside another. So a text is cut into
pieces that fill a page each, the last one filled up with zeros, which no JSON holds.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from attrs import frozen

OVERHEAD = 100
"""Bytes of a page that are not a piece's: 8 of the page, 2 of the pointer, and the row's header and numbers."""


@frozen
class Place:
    """Where a text is: the number of its first piece, and how many follow one another from there."""

    first: int
    pieces: int


JOINED = "JOIN text ON text.number BETWEEN turn.content AND turn.content + turn.pieces - 1"
"""Adds each piece of a turn's text to its row; they are in order by ``text.number``."""


def put(connection: sqlite3.Connection, session: int, text: str) -> Place:
    """Keep a text of a session, which goes with it."""
    content = text.encode()
    [page_size] = connection.execute("PRAGMA page_size").fetchone()
    size = page_size - OVERHEAD
    first, *others = [
        content[start : start + size].ljust(size, b"\0") for start in range(0, max(1, len(content)), size)
    ]
    # SQLite gives it the number after the last one.
    number = connection.execute("INSERT INTO text (session, piece) VALUES (?, ?)", [session, first]).lastrowid
    assert number is not None, "it was just made"
    rows = ((next_number, session, piece) for next_number, piece in enumerate(others, number + 1))
    connection.executemany("INSERT INTO text (number, session, piece) VALUES (?, ?, ?)", rows)
    return Place(number, 1 + len(others))


def get(connection: sqlite3.Connection, place: Place) -> str:
    query = "SELECT piece FROM text WHERE number BETWEEN ? AND ? ORDER BY number"
    pieces: Iterator[tuple[bytes]] = connection.execute(query, [place.first, place.first + place.pieces - 1])
    return whole(piece for (piece,) in pieces)


def whole(pieces: Iterable[bytes]) -> str:
    """Return the text that was cut into ``pieces``."""
    return b"".join(pieces).rstrip(b"\0").decode()


def drop(connection: sqlite3.Connection, place: Place) -> None:
    connection.execute("DELETE FROM text WHERE number BETWEEN ? AND ?", [place.first, place.first + place.pieces - 1])
