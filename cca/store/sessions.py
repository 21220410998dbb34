"""Sessions and their turns, as functions of a connection. An owner sees its own; what has expired is not there."""

import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from operator import itemgetter

import orjson
from attrs import evolve, field, frozen

from cca.errors import Conflict, TooLarge
from cca.model import Turn
from cca.store.text import JOINED, Place, drop, get, put, whole
from cca.store.turns import Row, Status, history, model_of

ID_RULE = "1 to 128 letters, digits, dots, dashes and underscores, and not dots alone"
"""What ``is_id`` holds an id to, for a message."""

TITLE_LIMIT = 500
"""Characters of a title."""

_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,128}", re.ASCII)
"""Dots alone would be a path's own: clients resolve ``/v1/sessions/..`` before they send it."""

MOST_TURNS = 1_000_000
"""Of one session: more than any model reads."""


@frozen
class Name:
    """Whose session, and what they call it."""

    owner: str
    id: str


@frozen
class Session:
    """Times are in seconds since the epoch; ``expires_after`` in seconds, ``None`` for one that is kept.

    A ``lone`` one nobody named: it is there for the answers that are stored in it.
    """

    number: int
    owner: str
    id: str
    title: str | None
    system: tuple[str, ...]
    metadata: Mapping[str, str]
    created_at: float
    updated_at: float
    expires_after: float | None
    expires_at: float | None
    turns: int
    lone: bool = field(default=False, converter=bool)


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


_SESSION = "number, owner, id, about, about_pieces, created_at, updated_at, expires_after, expires_at, turns, lone"
_LIVES = "(expires_at IS NULL OR expires_at > ?)"


def is_id(given: str) -> bool:
    """Return whether a session can have this id."""
    return _ID.fullmatch(given) is not None


def find(connection: sqlite3.Connection, name: Name, now: float) -> Session | None:
    query = f"SELECT {_SESSION} FROM session WHERE owner = ? AND id = ? AND {_LIVES}"  # noqa: S608 - constants
    return next(_sessions(connection, query, [name.owner, name.id, now]), None)


def numbered(connection: sqlite3.Connection, number: int) -> Session | None:
    return next(_sessions(connection, f"SELECT {_SESSION} FROM session WHERE number = ?", [number]), None)  # noqa: S608 - constants


def load(
    connection: sqlite3.Connection, name: Name, now: float, most_bytes: int, turns: int = MOST_TURNS
) -> tuple[Session, tuple[Turn, ...]] | None:
    """Return a session and its history, that of the first ``turns``.

    Raise ``TooLarge`` for one of more than ``most_bytes``, before it is read.
    """
    session = find(connection, name, now)
    if session is None:
        return None
    if size_of(connection, session, turns) > most_bytes:
        raise TooLarge(
            f"The session {session.id} has grown to more than the {most_bytes} bytes that a request may have. Begin "
            "another one, or fork it with fewer turns; or raise CCA_BODY_LIMIT.",
            code="session_too_large",
        )
    query = (
        f"SELECT position, role, status, answer, piece FROM turn {JOINED} "  # noqa: S608 - constants
        "WHERE turn.session = ? AND position < ? ORDER BY position, number"
    )
    rows = groupby(connection.execute(query, [session.number, turns]), itemgetter(*range(4)))
    return session, history(
        (role, status, whole(row[-1] for row in pieces), model_of(answer)) for (_, role, status, answer), pieces in rows
    )


def size_of(connection: sqlite3.Connection, session: Session, turns: int = MOST_TURNS) -> int:
    """Return how many bytes the first ``turns`` of a session take in the file."""
    query = "SELECT sum(pieces) FROM turn WHERE session = ? AND position < ?"
    [pieces] = connection.execute(query, [session.number, turns]).fetchone()
    [page_size] = connection.execute("PRAGMA page_size").fetchone()
    return int((pieces or 0) * page_size)


def begin(
    connection: sqlite3.Connection, name: Name, now: float, expires_after: float | None, *, lone: bool = False
) -> Session:
    """Return a new session. One of that id which has expired goes. Raise ``Conflict`` when there is one already."""
    connection.execute("DELETE FROM session WHERE owner = ? AND id = ? AND expires_at <= ?", [name.owner, name.id, now])
    expires_at = None if expires_after is None else now + expires_after
    try:
        number = connection.execute(
            "INSERT INTO session (owner, id, about, about_pieces, created_at, updated_at, expires_after, expires_at, "
            "turns, lone) VALUES (?, ?, 0, 0, ?, ?, ?, ?, 0, ?)",
            [name.owner, name.id, now, now, expires_after, expires_at, lone],
        ).lastrowid
    except sqlite3.IntegrityError:
        raise Conflict(f"There is a session {name.id} already. Choose another id.", code="session_exists") from None
    assert number is not None, "it was just made"
    return Session(number, name.owner, name.id, None, (), {}, now, now, expires_after, expires_at, 0, lone)


def append(connection: sqlite3.Connection, session: Session, said: Said) -> None:
    """Add an exchange to ``session`` as it was read. Raise ``Conflict`` when it is no longer as it was."""
    # A number alone says not enough: it is given again once the last session is deleted, or the file is another one.
    changed = connection.execute(
        "UPDATE session SET turns = turns + ?, updated_at = ?, expires_at = ? + expires_after "
        "WHERE number = ? AND turns = ? AND owner = ? AND id = ? AND created_at = ?",
        [
            *(len(said.rows), said.at, said.at),
            *(session.number, session.turns, session.owner, session.id, session.created_at),
        ],
    )
    if changed.rowcount != 1:
        raise _changed(session)
    if said.system != session.system:
        # The title may have been set since the session was read.
        now = numbered(connection, session.number) or session
        _describe(connection, session.number, now.title, said.system, now.metadata)
    for position, (row, turn_id) in enumerate(zip(said.rows, said.ids, strict=True), session.turns):
        turn = KeptTurn(position, turn_id, row.role, row.content, said.at, said.status, row.answer)
        _add(connection, session.number, turn)


def page(connection: sqlite3.Connection, owner: str, now: float, limit: int, after: Session | None) -> list[Session]:
    """Return at most ``limit`` sessions, those last used first, from behind ``after`` on."""
    return _page(connection, f"owner = ? AND {_LIVES}", [owner, now], limit, after)


def everybodys(connection: sqlite3.Connection, now: float, limit: int, after: Session | None) -> list[Session]:
    """Return such a page of the sessions of all owners: for the user of this machine."""
    return _page(connection, _LIVES, [now], limit, after)


def of_id(connection: sqlite3.Connection, session_id: str, now: float) -> list[Session]:
    """Return the sessions of this id, of all owners."""
    query = f"SELECT {_SESSION} FROM session WHERE id = ? AND {_LIVES} ORDER BY owner"  # noqa: S608 - constants
    return list(_sessions(connection, query, [session_id, now]))


def turns(connection: sqlite3.Connection, session: Session, limit: int = MOST_TURNS, after: int = -1) -> list[KeptTurn]:
    """Return at most ``limit`` turns of ``session``, the oldest first, from behind the position ``after`` on."""
    rows = connection.execute(
        f"SELECT position, id, role, created_at, status, answer, piece FROM turn {JOINED} "  # noqa: S608 - constants
        "WHERE turn.session = ? AND position > ? AND position <= ? ORDER BY position, number",
        [session.number, after, after + limit],
    )
    return [
        KeptTurn(position, turn_id, role, whole(row[-1] for row in pieces), created_at, status, answer)
        for (position, turn_id, role, created_at, status, answer), pieces in groupby(rows, itemgetter(*range(6)))
    ]


def turn_page(
    connection: sqlite3.Connection, session: Session, limit: int, size: int, after: int = -1
) -> tuple[list[KeptTurn], bool]:
    """Return at most ``limit`` turns, of at most some ``size`` bytes but one at least, and whether more follow."""
    [page_size] = connection.execute("PRAGMA page_size").fetchone()
    rows = connection.execute(
        "SELECT pieces FROM turn WHERE session = ? AND position > ? AND position <= ? ORDER BY position",
        [session.number, after, after + limit],
    )
    sizes = accumulate(pieces * page_size for (pieces,) in rows)
    found = turns(connection, session, max(1, sum(each <= size for each in sizes)), after)
    return found, after + 1 + len(found) < session.turns


def position_of(connection: sqlite3.Connection, session: Session, turn_id: str) -> int | None:
    query = "SELECT max(position) FROM turn WHERE session = ? AND id = ?"
    [position] = connection.execute(query, [session.number, turn_id]).fetchone()
    return None if position is None else int(position)


def copy(connection: sqlite3.Connection, source: Session, count: int, target: Session) -> Session:
    """Give a new session the first ``count`` turns of another one, and return it as it is then.

    Raise ``Conflict`` when they are no longer there as they were.
    """
    now = numbered(connection, source.number)
    if now is None or (now.owner, now.id, now.created_at) != (source.owner, source.id, source.created_at):
        raise _changed(source)
    kept = turns(connection, now, count)
    if len(kept) < count:
        raise _changed(source)
    fill(connection, target, target.title, target.system, kept)
    return evolve(target, turns=count)


def claim(connection: sqlite3.Connection, session: Session) -> None:
    """Let a session be there for itself: its owner named it."""
    connection.execute("UPDATE session SET lone = 0 WHERE number = ?", [session.number])


def change(connection: sqlite3.Connection, session: Session, title: str | None, expires_after: float | None) -> None:
    """Set a session's title and how long it is kept after it was last used."""
    connection.execute(
        "UPDATE session SET expires_after = ?, expires_at = updated_at + ? WHERE number = ?",
        [expires_after, expires_after, session.number],
    )
    if title != session.title:
        _describe(connection, session.number, title, session.system, session.metadata)


def label(connection: sqlite3.Connection, session: Session, metadata: Mapping[str, str]) -> None:
    """Set what its owner says of a session."""
    _describe(connection, session.number, session.title, session.system, metadata)


def remove(connection: sqlite3.Connection, session: Session) -> None:
    connection.execute("DELETE FROM session WHERE number = ?", [session.number])


def cut(connection: sqlite3.Connection, session: Session, count: int, system: tuple[str, ...]) -> None:
    """Delete all turns of ``session`` but the first ``count``, after which its system prompt was ``system``."""
    behind = [session.number, count]
    rows = connection.execute("SELECT content, pieces FROM turn WHERE session = ? AND position >= ?", behind)
    for place in rows.fetchall():
        drop(connection, Place(*place))
    connection.execute("DELETE FROM turn WHERE session = ? AND position >= ?", behind)
    connection.execute("UPDATE session SET turns = min(turns, ?) WHERE number = ?", [count, session.number])
    if session.system != system:
        _describe(connection, session.number, session.title, system, session.metadata)


def fill(
    connection: sqlite3.Connection,
    session: Session,
    title: str | None,
    system: tuple[str, ...],
    kept: Sequence[KeptTurn],
) -> None:
    """Give a session that was just begun its title, its system prompt and its turns, as they were in another one."""
    for turn in kept:
        _add(connection, session.number, turn)
    _describe(connection, session.number, title, system, session.metadata)
    connection.execute("UPDATE session SET turns = ? WHERE number = ?", [len(kept), session.number])


def sweep(connection: sqlite3.Connection, now: float, besides: Collection[Name]) -> int:
    """Delete the sessions that have expired, but for those in ``besides``, and return how many they were."""
    rows = connection.execute("SELECT number, owner, id FROM session WHERE expires_at <= ?", [now])
    numbers = [(number,) for number, *name in rows.fetchall() if Name(*name) not in besides]
    connection.executemany("DELETE FROM session WHERE number = ?", numbers)
    return len(numbers)


def _page(
    connection: sqlite3.Connection, which: str, values: list[object], limit: int, after: Session | None
) -> list[Session]:
    query = f"SELECT {_SESSION} FROM session WHERE {which}"  # noqa: S608 - constants
    if after is not None:
        query += " AND (updated_at, number) < (?, ?)"
        values += [after.updated_at, after.number]
    return list(_sessions(connection, f"{query} ORDER BY updated_at DESC, number DESC LIMIT ?", [*values, limit]))


def _changed(session: Session) -> Conflict:
    return Conflict(
        f"The session {session.id} was changed or deleted while its answer was written, and has not kept it. "
        "Read it again, and send the request once more.",
        code="session_changed",
    )


def _sessions(connection: sqlite3.Connection, query: str, values: list[object]) -> Iterator[Session]:
    for number, owner, session_id, about, pieces, *rest in connection.execute(query, values).fetchall():
        described = orjson.loads(get(connection, Place(about, pieces))) if pieces else {}
        title, system = described.get("title"), tuple(described.get("system", ()))
        metadata = described.get("metadata", {})
        yield Session(number, owner, session_id, title, system, metadata, *rest)


def _describe(
    connection: sqlite3.Connection,
    number: int,
    title: str | None,
    system: tuple[str, ...],
    metadata: Mapping[str, str],
) -> None:
    """Set a session's title, its system prompt, and what its owner says of it."""
    old = connection.execute("SELECT about, about_pieces FROM session WHERE number = ?", [number]).fetchone()
    drop(connection, Place(*old))
    new = put(connection, number, orjson.dumps({"title": title, "system": system, "metadata": metadata}).decode())
    values = [new.first, new.pieces, number]
    connection.execute("UPDATE session SET about = ?, about_pieces = ? WHERE number = ?", values)


def _add(connection: sqlite3.Connection, number: int, turn: KeptTurn) -> None:
    place = put(connection, number, turn.content)
    connection.execute(
        "INSERT INTO turn (session, position, id, role, content, pieces, created_at, status, answer) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(number, turn.position, turn.id, turn.role, place.first, place.pieces),
            *(turn.created_at, turn.status, turn.answer),
        ],
    )
