"""The session API: what there is, what was said in it, and what becomes of it. Each owner has its own."""

import math
import re

import orjson
from attrs import frozen
from quart import Response, g, request

from cca.errors import BadRequest, NotFound
from cca.model import Json
from cca.service import Service
from cca.settings import MOST_EXPIRY
from cca.store import sessions
from cca.store.database import Connection
from cca.store.sessions import ID_RULE, TITLE_LIMIT, KeptTurn, Name, Session, is_id
from cca.web.body import as_json
from cca.web.paging import limit_of, listed
from cca.web.sent import sent_as
from cca.wire import Body

SESSION_HEADER = "x-session-id"

AFFINITY_HEADER = "x-session-affinity"
"""What opencode sends beside a header of the same name as ours, so that one server gets all of a conversation: each of
its requests has the whole history, and one for a title is under the same name."""

PAGE_SIZE = 4_000_000
"""Bytes of turns on a page, unless one alone has more: a hundred turns may have 20 MB each."""


@frozen(kw_only=True)
class Change(Body):
    """A ``PATCH``. What it leaves out stays as it is; ``expires_after`` is in seconds, and null keeps the session."""

    title: str | None = None
    expires_after: float | None = None


@frozen(kw_only=True)
class Fork(Body):
    """``turns`` is how many of the first ones the new session gets: all of them, unless it says so.

    It has the title of the other one, unless it is given one; an empty one is one.
    """

    id: str | None = None
    title: str | None = None
    turns: int | None = None


def is_affinity() -> bool:
    """Tell whether the request's session header says where to send it, and not what it goes on from."""
    return AFFINITY_HEADER in request.headers and SESSION_HEADER in request.headers


def named_session() -> str | None:
    """Return the session that the request names. Raise ``BadRequest`` for a name that is none, and for two."""
    if is_affinity():
        return None
    match request.headers.getlist(SESSION_HEADER):
        case []:
            return None
        case [name] if is_id(name):
            return str(name)
        case _:
            raise BadRequest(
                f"{SESSION_HEADER} must be one name of {ID_RULE}.",
                code="invalid_session_id",
            )


async def list_sessions(service: Service) -> Response:
    limit = limit_of()
    after = request.args.get("after")

    def read(connection: Connection) -> list[Session]:
        now = service.now()
        behind = None if after is None else _found(connection, _name(after), now)
        return sessions.page(connection, g.principal.owner, now, limit + 1, behind)

    found = await service.database.read(read)
    return listed([session_object(session) for session in found[:limit]], has_more=len(found) > limit)


async def get_session(service: Service, id: str) -> Response:  # noqa: A002
    name = _name(id)
    return as_json(
        session_object(await service.database.read(lambda connection: _found(connection, name, service.now())))
    )


async def change_session(service: Service, id: str) -> Response:  # noqa: A002
    """Set the title, and how long the session is kept."""
    given, sent = await sent_as(Change)
    _check(sent.title, sent.expires_after)

    def write(connection: Connection) -> Session:
        now = service.now()
        session = _found(connection, _name(id), now)
        title = sent.title if "title" in given else session.title
        expires_after = sent.expires_after if "expires_after" in given else session.expires_after
        sessions.change(connection, session, title, expires_after)
        return sessions.find(connection, _name(id), now) or session

    # The old title goes from the file.
    return as_json(session_object(await service.database.erase(write)))


async def delete_session(service: Service, id: str) -> Response:  # noqa: A002
    """Delete a session. No text of it is left in the file."""
    name = _name(id)
    await service.database.erase(
        lambda connection: sessions.remove(connection, _found(connection, name, service.now()))
    )
    return as_json({"id": id, "object": "session.deleted", "deleted": True})


async def list_turns(service: Service, id: str) -> Response:  # noqa: A002
    limit, after = limit_of(), request.args.get("after")
    name = _name(id)

    def read(connection: Connection) -> tuple[list[KeptTurn], bool]:
        session = _found(connection, name, service.now())
        return sessions.turn_page(connection, session, limit, PAGE_SIZE, _position(connection, session, after))

    found, has_more = await service.database.read(read)
    return listed([turn_object(turn) for turn in found], has_more=has_more)


async def fork_session(service: Service, id: str) -> Response:  # noqa: A002
    """Copy a session, or the first turns of it, to a new one that goes its own way."""
    _, sent = await sent_as(Fork)
    _check(sent.title, None)
    source_name = _name(id)
    target_name = Name(g.principal.owner, _new_id(sent.id, service))

    def write(connection: Connection) -> Session:
        now = service.now()
        source = _found(connection, source_name, now)
        count = source.turns if sent.turns is None else sent.turns
        if not 0 <= count <= source.turns:
            raise BadRequest(f"turns must be from 0 to {source.turns}, and is {count}.", param="turns")
        target = sessions.begin(connection, target_name, now, source.expires_after)
        kept = sessions.turns(connection, source, count)
        sessions.fill(connection, target, source.title if sent.title is None else sent.title, source.system, kept)
        return _found(connection, target_name, now)

    return as_json(session_object(await service.database.write(write)))


def session_object(session: Session) -> Json:
    """Return a session on the wire. Times are in whole seconds, as OpenAI's APIs have them."""
    return {
        "id": session.id,
        "object": "session",
        "title": session.title,
        "created_at": int(session.created_at),
        "updated_at": int(session.updated_at),
        "expires_after": session.expires_after,
        "expires_at": None if session.expires_at is None else math.ceil(session.expires_at),
        "turns": session.turns,
    }


def turn_object(turn: KeptTurn) -> Json:
    answer = {} if turn.answer is None else {"answer": orjson.loads(turn.answer)}
    return {
        "id": turn.id,
        "object": "session.turn",
        "position": turn.position,
        "role": turn.role,
        "content": orjson.loads(turn.content),
        "created_at": int(turn.created_at),
        "status": turn.status,
        **answer,
    }


def _name(id: str) -> Name:  # noqa: A002
    """Return a session's name. Raise ``NotFound`` for an id that is none: there is no such session, either."""
    if not is_id(id):
        raise _unknown()
    return Name(g.principal.owner, id)


def _found(connection: Connection, name: Name, now: float) -> Session:
    session = sessions.find(connection, name, now)
    if session is None:
        raise _unknown()
    return session


def _unknown() -> NotFound:
    return NotFound("There is no such session. GET /v1/sessions lists those there are.", code="session_not_found")


def _new_id(given: str | None, service: Service) -> str:
    if given is None:
        return f"session_{service.new_id()}"
    if not is_id(given):
        raise BadRequest(f"id must be {ID_RULE}.", param="id")
    return given


def _check(title: str | None, expires_after: float | None) -> None:
    if title is not None and len(title) > TITLE_LIMIT:
        raise BadRequest(f"title may have {TITLE_LIMIT} characters, and has {len(title)}.", param="title")
    if expires_after is not None and not 1 <= expires_after <= MOST_EXPIRY:
        raise BadRequest(
            f"expires_after must be from 1 to {MOST_EXPIRY:.0f} seconds, or null to keep the session.",
            param="expires_after",
        )


def _position(connection: Connection, session: Session, after: str | None) -> int:
    """Return the position of the turn that ``after`` is the id of, or the position of."""
    if after is None:
        return -1
    position = sessions.position_of(connection, session, after)
    if position is None and re.fullmatch(r"[0-9]{1,9}", after, re.ASCII):
        return int(after)
    if position is None:
        raise BadRequest(
            "after must be the id of a turn of this session, as last_id of the page before.", param="after"
        )
    return position
