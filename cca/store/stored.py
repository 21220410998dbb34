"""Answers under their own ids, as functions of a connection. Each is of one session, and goes with it.

Its owner sees it, for as long as its session is there. A session that nobody named is there for the answers stored in
it, and no turn of it stays that none of them needs.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import orjson
from attrs import frozen

from cca.model import Json
from cca.store import sessions
from cca.store.sessions import Name, Session
from cca.store.text import Place, drop, get, put

Kind: TypeAlias = Literal["response", "chat.completion"]
"""As the ``object`` of its body says."""

Order: TypeAlias = Literal["asc", "desc"]


@frozen
class Answer:
    """An answer as it is to be stored. ``asked`` is the model as the request had it, ``model`` as the answer has it.

    ``system`` is the system prompt that the next request goes on from; ``created_at`` in seconds since the epoch.
    """

    id: str
    kind: Kind
    created_at: int
    model: str
    asked: str
    metadata: Mapping[str, str]
    system: tuple[str, ...]
    input: Sequence[Json]
    body: Json


@frozen
class Stored:
    """A stored answer, without its input and its body. ``name`` is its session's, which had ``turns`` with it."""

    name: Name
    metadata: Mapping[str, str]
    system: tuple[str, ...]
    input: Place
    body: Place
    number: int
    id: str
    session: int
    turns: int
    created_at: int
    model: str
    asked: str


_STORED = (
    "stored.number, stored.id, stored.session, stored.turns, stored.created_at, stored.model, stored.asked, "
    "session.owner, session.id, stored.about, stored.about_pieces, stored.input, stored.input_pieces, "
    "stored.body, stored.body_pieces"
)
_LIVES = "(session.expires_at IS NULL OR session.expires_at > ?)"
_FROM = "FROM stored CROSS JOIN session ON session.number = stored.session"


def add(connection: sqlite3.Connection, session: Session, turns: int, answer: Answer) -> None:
    """Store ``answer``, the last of the ``turns`` of ``session``."""
    about = _about(connection, session.number, answer.metadata, answer.system)
    given = put(connection, session.number, _json(answer.input))
    body = put(connection, session.number, _json(answer.body))
    connection.execute(
        "INSERT INTO stored (id, owner, kind, session, turns, created_at, model, asked, "
        "about, about_pieces, input, input_pieces, body, body_pieces) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(answer.id, session.owner, answer.kind, session.number, turns),
            *(answer.created_at, answer.model, answer.asked),
            *(about.first, about.pieces, given.first, given.pieces, body.first, body.pieces),
        ],
    )


def find(connection: sqlite3.Connection, owner: str, kind: Kind, answer_id: str, now: float) -> Stored | None:
    query = f"SELECT {_STORED} {_FROM} WHERE stored.owner = ? AND stored.id = ? AND stored.kind = ? AND {_LIVES}"
    return next(_rows(connection, query, [owner, answer_id, kind, now]), None)


def page(
    connection: sqlite3.Connection, owner: str, kind: Kind, order: Order, limit: int, after: Stored | None, now: float
) -> list[Stored]:
    """Return at most ``limit`` answers in ``order`` of their times, from behind ``after`` on."""
    than = ">" if order == "asc" else "<"
    behind = "" if after is None else f"AND (stored.created_at, stored.number) {than} (?, ?)"
    values: list[object] = [] if after is None else [after.created_at, after.number]
    query = (
        f"SELECT {_STORED} {_FROM} WHERE stored.owner = ? AND stored.kind = ? {behind} AND {_LIVES} "
        f"ORDER BY stored.created_at {order}, stored.number {order} LIMIT ?"
    )
    return list(_rows(connection, query, [owner, kind, *values, now, limit]))


def body_of(connection: sqlite3.Connection, stored: Stored) -> Json:
    return orjson.loads(get(connection, stored.body))


def input_of(connection: sqlite3.Connection, stored: Stored) -> list[Json]:
    """Return what its client sent for it, in the shape of its dialect."""
    items: list[Json] = orjson.loads(get(connection, stored.input))
    return items


def change(connection: sqlite3.Connection, stored: Stored, metadata: Mapping[str, str]) -> None:
    [*old] = connection.execute("SELECT about, about_pieces FROM stored WHERE number = ?", [stored.number]).fetchone()
    drop(connection, Place(*old))
    new = _about(connection, stored.session, metadata, stored.system)
    connection.execute(
        "UPDATE stored SET about = ?, about_pieces = ? WHERE number = ?", [new.first, new.pieces, stored.number]
    )


def remove(connection: sqlite3.Connection, stored: Stored) -> None:
    """Delete an answer; of a session that is there for such answers only, also what none of the others needs."""
    [*about] = connection.execute("SELECT about, about_pieces FROM stored WHERE number = ?", [stored.number]).fetchone()
    for place in (Place(*about), stored.input, stored.body):
        drop(connection, place)
    connection.execute("DELETE FROM stored WHERE number = ?", [stored.number])
    session = sessions.numbered(connection, stored.session)
    if session is not None and session.lone:
        _trim(connection, session)


def _trim(connection: sqlite3.Connection, session: Session) -> None:
    """Leave of a session what was said up to the last answer that is stored in it: without one, nothing."""
    query = f"SELECT {_STORED} {_FROM} WHERE stored.session = ? ORDER BY stored.turns DESC LIMIT 1"
    last = next(_rows(connection, query, [session.number]), None)
    if last is None:
        sessions.remove(connection, session)
    else:
        sessions.cut(connection, session, last.turns, last.system)


def _about(connection: sqlite3.Connection, session: int, metadata: Mapping[str, str], system: tuple[str, ...]) -> Place:
    return put(connection, session, _json({"metadata": metadata, "system": system}))


def _rows(connection: sqlite3.Connection, query: str, values: list[object]) -> Iterator[Stored]:
    for *head, owner, session_id, about, about_pieces, first, pieces, body, body_pieces in connection.execute(
        query, values
    ).fetchall():
        described = orjson.loads(get(connection, Place(about, about_pieces)))
        yield Stored(
            Name(owner, session_id),
            described["metadata"],
            tuple(described["system"]),
            Place(first, pieces),
            Place(body, body_pieces),
            *head,
        )


def _json(value: Json) -> str:
    return orjson.dumps(value).decode()
