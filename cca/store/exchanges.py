"""What each request came to: its model, its tokens, what it cost, how long it took. No text of it."""

import sqlite3
from collections.abc import Iterable
from operator import itemgetter

from attrs import astuple, fields, frozen

from cca.model import Usage

LONGEST = 7 * 86_400.0
"""Seconds: no answer takes a week, and what ended lately is looked for among those that began lately."""


@frozen
class Exchange:
    """One request and its answer. Times are in seconds, the cost in US dollars.

    ``outcome`` is a stop reason, a status, or "abandoned"; ``key`` the id of the API key, ``None`` without one.
    """

    request_id: str
    began_at: float
    dialect: str
    key: str | None
    model: str
    outcome: str
    first_event: float | None
    duration: float
    cost: float
    usage: Usage


_COLUMNS = [each.name for each in (*fields(Exchange)[:-1], *fields(Usage))]
_INSERT = f"INSERT INTO exchange ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"  # noqa: S608


def add(connection: sqlite3.Connection, exchanges: Iterable[Exchange]) -> None:
    rows = ([*astuple(each, recurse=False)[:-1], *astuple(each.usage)] for each in exchanges)
    connection.executemany(_INSERT, rows)


def latest(connection: sqlite3.Connection, count: int) -> list[Exchange]:
    """Return the last ``count`` exchanges, the newest first."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM exchange ORDER BY id DESC LIMIT ?", [count])  # noqa: S608
    width = len(fields(Exchange)) - 1
    return [Exchange(*[*row[:width], Usage(*row[width:])]) for row in rows]


def spending(connection: sqlite3.Connection, since: float) -> list[tuple[str | None, float, float]]:
    """Return the key, the end and the cost of each exchange that ended since then, in order, if it cost something."""
    query = (
        "SELECT key, began_at + duration AS ended_at, cost FROM exchange "
        "WHERE began_at > ? AND ended_at > ? AND cost > 0"
    )
    return sorted(connection.execute(query, [since - LONGEST, since]), key=itemgetter(1))
