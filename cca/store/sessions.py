"""Sessions and their turns, as functions of a connection. An owner sees its own; what has expired is not there."""

import re
import sqlite3
from collections.abc import Collection, Sequence

import orjson
from attrs import fields, frozen

from cca.errors import Conflict
from cca.model import Turn
from cca.store.turns import Row, Status, history

TITLE_LIMIT = 500
"""Characters of a title."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)

_VISIBLE = "owner = ? AND id = ? AND (expires_at IS NULL OR expires_at > ?)"


@frozen
class Name:
    """Whose session, and what they call it."""

    owner: str
    id: str


@frozen
class Session:
    """Times are in seconds since the epoch; ``expires_after`` in seconds, ``None`` for one that is kept."""

    number: int
    owner: str
    id: str
    title: str | None
    system: str
    created_at: float
    updated_at: float
    expires_after: float | None
    expires_at: float | None
    turns: int


@frozen
class KeptTurn:
    """A turn as it is kept: ``content`` and ``answer`` are JSON."""

    position: int
    id: str
    role: str
    content: str
    created_at: float
    status: str
    answer: str | None


@frozen
class Said:
    """What one exchange adds to a session. ``ids`` has one for each row."""

    system: tuple[str, ...]
    rows: Sequence[Row]
    ids: Sequence[str]
    status: Status
    at: float


_SESSION = ", ".join(field.name for field in fields(Session))
_TURN = ", ".join(field.name for field in fields(KeptTurn))


def is_id(given: str) -> bool:
    """Return whether a session can have this id."""
    return _ID.fullmatch(given) is not None


def find(connection: sqlite3.Connection, name: Name, now: float) -> Session | None:
    row = connection.execute(f"SELECT {_SESSION} FROM session WHERE {_VISIBLE}", [name.owner, name.id, now]).fetchone()  # noqa: S608
    return None if row is None else Session(*row)


def load(connection: sqlite3.Connection, name: Name, now: float) -> tuple[Session, tuple[Turn, ...]] | None:
    """Return a session and its history."""
    session = find(connection, name, now)
    if session is None:
        return None
    query = "SELECT role, status, content FROM turn WHERE session = ? ORDER BY position"
    return session, history(connection.execute(query, [session.number]))


def begin(connection: sqlite3.Connection, name: Name, now: float, expires_after: float | None) -> Session:
    """Return a new session. One of that id which has expired goes. Raise ``Conflict`` when there is one already."""
    connection.execute("DELETE FROM session WHERE owner = ? AND id = ? AND expires_at <= ?", [name.owner, name.id, now])
    expires_at = None if expires_after is None else now + expires_after
    try:
        connection.execute(
            "INSERT INTO session (owner, id, system, created_at, updated_at, expires_after, expires_at, turns) "
            "VALUES (?, ?, '[]', ?, ?, ?, ?, 0)",
            [name.owner, name.id, now, now, expires_after, expires_at],
        )
    except sqlite3.IntegrityError:
        raise Conflict(f"There is a session {name.id} already. Choose another id.", code="session_exists") from None
    session = find(connection, name, now)
    assert session is not None, "it was just made"
    return session


def append(connection: sqlite3.Connection, session: Session, said: Said) -> None:
    """Add an exchange to ``session`` as it was read. Raise ``Conflict`` when it is no longer as it was."""
    changed = connection.execute(
        "UPDATE session SET turns = turns + ?, system = ?, updated_at = ?, expires_at = ? + expires_after "
        "WHERE number = ? AND turns = ?",
        [len(said.rows), orjson.dumps(said.system).decode(), said.at, said.at, session.number, session.turns],
    )
    if changed.rowcount != 1:
        raise Conflict(
            f"The session {session.id} was changed or deleted while its answer was written, and has not kept it. "
            "Read it again, and send the request once more.",
            code="session_changed",
        )
    connection.executemany(
        "INSERT INTO turn (session, position, id, role, content, created_at, status, answer) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (session.number, session.turns + index, turn_id, row.role, row.content, said.at, said.status, row.answer)
            for index, (row, turn_id) in enumerate(zip(said.rows, said.ids, strict=True))
        ],
    )


def page(connection: sqlite3.Connection, owner: str, now: float, limit: int, after: Session | None) -> list[Session]:
    """Return at most ``limit`` sessions, those last used first, from behind ``after`` on."""
    query = f"SELECT {_SESSION} FROM session WHERE owner = ? AND (expires_at IS NULL OR expires_at > ?)"  # noqa: S608
    values: list[object] = [owner, now]
    if after is not None:
        query += " AND (updated_at, number) < (?, ?)"
        values += [after.updated_at, after.number]
    rows = connection.execute(f"{query} ORDER BY updated_at DESC, number DESC LIMIT ?", [*values, limit])
    return [Session(*row) for row in rows]


def everybodys(connection: sqlite3.Connection, now: float) -> list[Session]:
    """Return all sessions of all owners, those last used first: for the user of this machine."""
    query = f"SELECT {_SESSION} FROM session WHERE expires_at IS NULL OR expires_at > ? ORDER BY updated_at DESC"  # noqa: S608
    return [Session(*row) for row in connection.execute(query, [now])]


def of_id(connection: sqlite3.Connection, session_id: str, now: float) -> list[Session]:
    """Return the sessions of this id, of all owners."""
    query = f"SELECT {_SESSION} FROM session WHERE id = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY owner"  # noqa: S608
    return [Session(*row) for row in connection.execute(query, [session_id, now])]


def turns(connection: sqlite3.Connection, session: Session, limit: int, after: int = -1) -> list[KeptTurn]:
    """Return at most ``limit`` turns of ``session``, the oldest first, from behind the position ``after`` on."""
    query = f"SELECT {_TURN} FROM turn WHERE session = ? AND position > ? ORDER BY position LIMIT ?"  # noqa: S608
    return [KeptTurn(*row) for row in connection.execute(query, [session.number, after, limit])]


def change(connection: sqlite3.Connection, session: Session, title: str | None, expires_after: float | None) -> None:
    """Set a session's title and how long it is kept after it was last used."""
    connection.execute(
        "UPDATE session SET title = ?, expires_after = ?, expires_at = updated_at + ? WHERE number = ?",
        [title, expires_after, expires_after, session.number],
    )


def remove(connection: sqlite3.Connection, session: Session) -> None:
    connection.execute("DELETE FROM session WHERE number = ?", [session.number])


def copy_turns(connection: sqlite3.Connection, source: Session, target: Session, count: int) -> None:
    """Give ``target``, which has none, the first ``count`` turns of ``source``, and its system prompt."""
    connection.execute(
        "INSERT INTO turn (session, position, id, role, content, created_at, status, answer) "
        "SELECT ?, position, id, role, content, created_at, status, answer FROM turn "
        "WHERE session = ? AND position < ?",
        [target.number, source.number, count],
    )
    connection.execute(
        "UPDATE session SET turns = ?, system = ? WHERE number = ?", [count, source.system, target.number]
    )


def sweep(connection: sqlite3.Connection, now: float, besides: Collection[Name]) -> int:
    """Delete the sessions that have expired, but for those in ``besides``, and return how many they were."""
    rows = connection.execute("SELECT number, owner, id FROM session WHERE expires_at <= ?", [now])
    numbers = [(number,) for number, *name in rows.fetchall() if Name(*name) not in besides]
    connection.executemany("DELETE FROM session WHERE number = ?", numbers)
    return len(numbers)
