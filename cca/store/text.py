"""Texts, each in pages of its own, so that nothing of one that is deleted stays in the file.

``secure_delete`` overwrites a row where it stands. But as pages fill and empty, SQLite moves rows from one to the next,
and now and then what it leaves behind is a copy that no row points to any more (3 of 100 files of a random history had
one, with SQLite 3.40). A row that takes more than half of a page is never moved beside another. So a text is cut into
pieces that fill a page each, the last one filled up with zeros, which no JSON holds.
"""

import sqlite3
from collections.abc import Iterator

from attrs import frozen

OVERHEAD = 100
"""Bytes of a page that are not a piece's: 8 of the page, 2 of the pointer, and the row's header and numbers."""


@frozen
class Place:
    """Where a text is: the number of its first piece, and how many follow one another from there."""

    first: int
    pieces: int


def put(connection: sqlite3.Connection, session: int, text: str) -> Place:
    """Keep a text of a session, which goes with it."""
    content = text.encode()
    [page_size] = connection.execute("PRAGMA page_size").fetchone()
    size = page_size - OVERHEAD
    pieces = [content[start : start + size].ljust(size, b"\0") for start in range(0, len(content), size)]
    [last] = connection.execute("SELECT coalesce(max(number), 0) FROM text").fetchone()
    rows = ((number, session, piece) for number, piece in enumerate(pieces, last + 1))
    connection.executemany("INSERT INTO text (number, session, piece) VALUES (?, ?, ?)", rows)
    return Place(last + 1, len(pieces))


def get(connection: sqlite3.Connection, place: Place) -> str:
    query = "SELECT piece FROM text WHERE number BETWEEN ? AND ? ORDER BY number"
    pieces: Iterator[tuple[bytes]] = connection.execute(query, [place.first, place.first + place.pieces - 1])
    return b"".join(piece for (piece,) in pieces).rstrip(b"\0").decode()


def drop(connection: sqlite3.Connection, place: Place) -> None:
    connection.execute("DELETE FROM text WHERE number BETWEEN ? AND ?", [place.first, place.first + place.pieces - 1])
