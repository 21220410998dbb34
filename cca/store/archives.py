"""Sessions out of the database and back into it, in full."""

import sqlite3
from typing import cast

import orjson
from attrs import asdict

from cca.archive import Archive, ArchivedTurn, answered_of
from cca.store import sessions
from cca.store.sessions import KeptTurn, Name, Session
from cca.store.turns import Role, Status


def archive(connection: sqlite3.Connection, session: Session) -> Archive:
    """Return all of ``session``."""
    turns = tuple(_archived(turn) for turn in sessions.turns(connection, session))
    times = (session.created_at, session.updated_at)
    return Archive(session.id, session.title, session.system, *times, turns)


def restore(
    connection: sqlite3.Connection, archived: Archive, name: Name, now: float, expires_after: float | None
) -> Session:
    """Return a new session of all that ``archived`` has, last used ``now``. Raise ``Conflict`` if there is one."""
    session = sessions.begin(connection, name, now, expires_after)
    kept = [_kept(position, turn) for position, turn in enumerate(archived.turns)]
    sessions.fill(connection, session, archived.title, archived.system, kept)
    connection.execute("UPDATE session SET created_at = ? WHERE number = ?", [archived.created_at, session.number])
    found = sessions.find(connection, name, now)
    assert found is not None, "it was just made"
    return found


def _archived(turn: KeptTurn) -> ArchivedTurn:
    answer = None if turn.answer is None else answered_of(orjson.loads(turn.answer))
    role, status = cast(Role, turn.role), cast(Status, turn.status)
    return ArchivedTurn(turn.id, role, status, orjson.loads(turn.content), turn.created_at, answer)


def _kept(position: int, turn: ArchivedTurn) -> KeptTurn:
    content = orjson.dumps(turn.content).decode()
    answer = None if turn.answer is None else orjson.dumps(asdict(turn.answer)).decode()
    return KeptTurn(position, turn.id, turn.role, content, turn.created_at, turn.status, answer)
